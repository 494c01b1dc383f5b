"""What becomes of freed memory: kept, which halves the time of an operator on CPU, or given back at once.

glibc serves every large tensor by a fresh mapping and gives it back at once, so that each layer pays for zeroed pages again.
Peak memory stays the same; only giving it back to the system is put off to the end of the process.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from functools import cache
from typing import Final

# Set to any value to leave the allocator as it is.
LEAVE_ALLOCATOR_VARIABLE: Final = "NOBLE_LEAVE_ALLOCATOR"

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER_BYTES = 2**31 - 1


@cache
def keep_freed_memory() -> bool:
    """Set glibc's thresholds, once a process; says whether it did. Does nothing on other systems, or if told not to."""
    if not sys.platform.startswith("linux") or os.environ.get(LEAVE_ALLOCATOR_VARIABLE):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER_BYTES))


def give_memory_back() -> None:
    """Free what is left in cycles, and let glibc return it to the system; else a long-lived worker grows (LOG.md)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)
