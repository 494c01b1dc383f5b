"""One pool of worker processes, on this machine or on any Dask cluster."""

from noble.jobs.pool import Failed, Pool

__all__ = ["Failed", "Pool"]
