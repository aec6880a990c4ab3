"""Downloads that are handed over from worker to worker. Most of the time one waits here for an invocation to end."""
