"""How much of the machine this process may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores this process may run on: fewer than the machine has under `taskset`, a batch system or a container's cpuset."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
