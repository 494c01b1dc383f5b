"""The linear current ramp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noble.stimuli.base import Interval, between_jumps
from noble.stimuli.registry import register


@register(columns=("start_ms", "stop_ms", "start_na", "stop_na"))
@dataclass(frozen=True, repr=False)
class Ramp(Interval):
    """A current that grows linearly.

    Attributes:
        start_ms, stop_ms: edges, ms.
        start_na, stop_na: current at the two edges, nA.
    """

    start_na: float
    stop_na: float

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        fraction = since_start_ms / (self.stop_ms - self.start_ms)
        return self.start_na + (self.stop_na - self.start_na) * fraction

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact: two edges and a slope."""
        return between_jumps([self.start_ms], [self.start_na], self.stop_ms, self.stop_na)
