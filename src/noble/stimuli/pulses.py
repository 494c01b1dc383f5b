"""A train of short rectangular pulses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noble.stimuli.base import Interval
from noble.stimuli.registry import register


@register(columns=("start_ms", "stop_ms", "amplitude_na", "width_ms", "interval_ms"))
@dataclass(frozen=True, repr=False)
class PulseTrain(Interval):
    """Equal pulses at equal distances; the first begins at the start, and one that reaches beyond the stop is cut there.

    Attributes:
        amplitude_na: height of a pulse, nA; between pulses there is no current.
        width_ms: length of a pulse, ms.
        interval_ms: from the start of a pulse to that of the next, ms.
    """

    amplitude_na: float
    width_ms: float
    interval_ms: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.width_ms < self.interval_ms:
            raise ValueError(
                f"pulses of {self.width_ms:g} ms every {self.interval_ms:g} ms; expected 0 < width_ms < interval_ms."
            )

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        # As at the edges of an interval: a sample within a billionth of a ms of an edge is on it.
        since_pulse = np.mod(since_start_ms + 1e-9, self.interval_ms)
        return np.where(since_pulse < self.width_ms, self.amplitude_na, 0.0)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact: four points a pulse."""
        starts = np.arange(self.start_ms, self.stop_ms - 1e-9, self.interval_ms)
        ends = np.minimum(starts + self.width_ms, self.stop_ms)
        times = np.stack([starts, starts, ends, ends], axis=1).ravel()
        currents = np.tile([0.0, self.amplitude_na, self.amplitude_na, 0.0], starts.size)
        return np.concatenate([[0.0], times, [self.stop_ms]]), np.concatenate([[0.0], currents, [0.0]])
