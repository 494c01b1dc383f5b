"""How much of this machine a process takes: cores, memory kept by the allocator, threads of torch."""

from noble.machine.allocator import give_memory_back, keep_freed_memory
from noble.machine.cores import available_cores
from noble.machine.threads import one_thread, small_predictions_take_one_thread

__all__ = ["available_cores", "give_memory_back", "one_thread", "tune_process"]


def tune_process() -> None:
    """Make this process quick at operators on CPU: freed memory is kept, and a small prediction takes one thread.

    Both are settings of the whole process, so only the command line and training make them unasked. `NOBLE_LEAVE_ALLOCATOR`
    and `NOBLE_LEAVE_THREADS`, set to any value, leave the one or the other alone.
    """
    keep_freed_memory()
    small_predictions_take_one_thread()
