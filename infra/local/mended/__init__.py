"""The engine with what it lacks mended, each module a gap between ministack and AWS. All of it runs in the engine's own
environment, in its one process: nothing here may import what is not in `infra/local/requirements.txt`.
"""
