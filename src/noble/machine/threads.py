"""One thread for a small prediction, whose thousand short operations gain nothing from a second.

Each operation that torch splits over threads ends by waiting for all of them. A single trace is as fast with one thread as with
two while both cores are free, and a hundred times faster where another process holds one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Set to any value to predict with as many threads as torch has.
LEAVE_THREADS_VARIABLE: Final = "NOBLE_LEAVE_THREADS"

# Two traces of the paper's window at 0.06 ms; from four traces on a second thread begins to pay.
_SMALL_SAMPLES: Final = 20_000
# Whether this process has asked for it: torch's threads belong to all that runs in it.
_asked = False


def small_predictions_take_one_thread() -> None:
    """Let `suitable_threads` do something in this process."""
    global _asked
    _asked = True


@contextmanager
def suitable_threads(samples: int) -> Iterator[None]:
    """Let torch compute so many samples with a suitable number of threads; afterwards it has as many as before.

    Only where `small_predictions_take_one_thread` was called; else torch is left alone.

    Args:
        samples: of all traces that are computed at once.
    """
    if not _asked or samples > _SMALL_SAMPLES or os.environ.get(LEAVE_THREADS_VARIABLE):
        yield
        return
    with one_thread():
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread; afterwards it has as many as before."""
    import torch  # here, so that who only asks for cores does not wait for it

    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
