"""The downloader: the container image that fetches one job and stores it."""
