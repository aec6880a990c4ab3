"""What is set for single sites: a tenant's cookies there, and a proxy that leads there.

`names` and `cookies` are pure, `store` keeps it all, `commands` is how an operator sets it.
"""
