"""How much of this machine a process takes: cores, memory kept by the allocator, threads of torch."""

from noble.machine.cores import available_cores

__all__ = ["available_cores"]
