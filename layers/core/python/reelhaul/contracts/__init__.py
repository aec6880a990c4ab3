"""The two HTTP contracts: requests in, views of a job out. Pure."""
