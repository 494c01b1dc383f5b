"""Instants at which voltage and current are sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

# Times are uniform if none is further from its place than this part of an interval; a pause lasts this many intervals.
_LARGEST_OFF: Final = 0.1
_PAUSE: Final = 1.5
# An interval may be rounded if the last time moves by no more than this part of it, or than times stray anyway.
_NO_DRIFT: Final = 1e-4


@dataclass(frozen=True)
class TimeGrid:
    """Uniform instants `0, dt, 2 dt, ...`, in ms.

    Attributes:
        dt_ms: distance between samples, ms.
        count: number of samples.
    """

    dt_ms: float
    count: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.dt_ms) and self.dt_ms > 0):
            raise ValueError(f"dt_ms is {self.dt_ms}; expected a positive number of milliseconds.")
        if self.count < 2:
            raise ValueError(f"a time grid of {self.count} samples was asked for; it needs at least 2.")

    @classmethod
    def spanning(cls, duration_ms: float, *, dt_ms: float) -> TimeGrid:
        """The grid of all `k dt` with `(k + 1) dt <= duration`: 515 ms at 0.06 ms gives the paper's 8,583 samples."""
        if not (np.isfinite(duration_ms) and duration_ms > 0 and dt_ms > 0):
            raise ValueError(f"duration {duration_ms} ms at dt {dt_ms} ms; both must be positive and finite.")
        return cls(dt_ms=dt_ms, count=int(np.floor(duration_ms / dt_ms + 1e-9)))

    @property
    def duration_ms(self) -> float:
        """Length of the window, ms."""
        return self.dt_ms * self.count

    @property
    def times_ms(self) -> np.ndarray:
        """The instants, shape (count,), ms."""
        return np.arange(self.count) * self.dt_ms


def uniform_interval(times: np.ndarray) -> float:
    """The interval of uniform times, in their unit, however roundly they are written: the roundest that fits them.

    Args:
        times: shape (count,).

    Raises:
        ValueError: if there are fewer than two, if they do not ascend, or if one is off the uniform grid by a tenth of an
            interval: after a pause, say, or where the interval varies. The message goes after "the times of X".
    """
    interval = float(times[-1] - times[0]) / (times.size - 1) if times.size > 1 else 0.0
    if not (np.isfinite(interval) and interval > 0):
        raise ValueError("are not uniform: there are fewer than two, or the last is not after the first")
    off = np.abs(times - times[0] - np.arange(times.size) * interval)
    if not np.all(off <= _LARGEST_OFF * interval):  # NaN is not either
        gaps = np.diff(times)
        longest, typical = int(np.argmax(gaps)), float(np.median(gaps))
        if gaps[longest] > _PAUSE * typical:
            raise ValueError(
                f"are not uniform: they pause after sample {longest}, for {gaps[longest] / typical:.4g} intervals"
            )
        raise ValueError(f"are not uniform: intervals from {np.min(gaps):.4g} to {np.max(gaps):.4g} occur")
    allowed = max(_NO_DRIFT * interval, float(off.max()))
    rounded = (float(f"{interval:.{digits}g}") for digits in range(3, 17))
    return next((one for one in rounded if abs(one - interval) * times.size <= allowed), interval)
