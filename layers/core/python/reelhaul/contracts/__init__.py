"""The two HTTP contracts: requests in, views of a job out. `requests` is the one module that needs pydantic."""
