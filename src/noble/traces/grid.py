"""Instants at which voltage and current are sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
