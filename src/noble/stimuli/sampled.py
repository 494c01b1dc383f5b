"""A current given by samples, for example one that was recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from noble.stimuli.base import Stimulus, between_jumps, check_finite
from noble.stimuli.registry import register


@register(columns=("dt_ms", "start_ms"), array="samples_na")
@dataclass(frozen=True, eq=False, repr=False)
class Sampled(Stimulus):
    """A current given by samples, for example one that was recorded; linear between samples.

    Attributes:
        samples_na: shape (count,), nA.
        dt_ms: distance between samples, ms.
        start_ms: instant of the first sample, ms.
    """

    samples_na: np.ndarray
    dt_ms: float
    start_ms: float = 0.0

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples_na, dtype=float)
        object.__setattr__(self, "samples_na", samples)
        check_finite(self)
        if samples.ndim != 1 or samples.size < 2 or self.dt_ms <= 0:
            raise ValueError(
                f"samples of shape {samples.shape} at dt {self.dt_ms} ms; expected at least two samples in one row and dt > 0."
            )

    def __repr__(self) -> str:
        return f"Sampled({self.samples_na.size} samples, dt_ms={self.dt_ms:.6g}, start_ms={self.start_ms:.6g})"

    @property
    def end_ms(self) -> float:
        return self.start_ms + self.samples_na.size * self.dt_ms

    def shifted(self, by_ms: float) -> Stimulus:
        return replace(self, start_ms=self.start_ms + by_ms)

    def current_na(self, times_ms: np.ndarray) -> np.ndarray:
        inside = (times_ms >= self.start_ms - 1e-9) & (times_ms < self.end_ms - 1e-9)
        return np.where(inside, np.interp(times_ms, self._own_times_ms, self.samples_na), 0.0)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact: the samples, the last one held for its `dt_ms`."""
        return between_jumps(self._own_times_ms, self.samples_na, self.end_ms, self.samples_na[-1])

    @property
    def _own_times_ms(self) -> np.ndarray:
        return self.start_ms + np.arange(self.samples_na.size) * self.dt_ms
