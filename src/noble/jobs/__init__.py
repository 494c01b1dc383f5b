"""One pool of worker processes, on this machine or on any Dask cluster."""

from noble.jobs.pool import Pool
from noble.jobs.work import Failed

__all__ = ["Failed", "Pool"]
