"""What the service does under load: on paper, a capacity for each quota, and by a simulation of the whole over time.

Of the service's own figures none is written down here: what is deployed comes from `infra.settings`, what a job asks of
the table is counted while the real functions handle one, how long it takes is what the README says was measured.
"""
