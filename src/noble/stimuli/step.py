"""The rectangular current step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noble.stimuli.base import Interval, between_jumps
from noble.stimuli.registry import register


@register(columns=("start_ms", "stop_ms", "amplitude_na"))
@dataclass(frozen=True, repr=False)
class Step(Interval):
    """A constant current between two instants: the rectangular step of a patch-clamp protocol.

    Attributes:
        start_ms, stop_ms: edges, ms.
        amplitude_na: height, nA.
    """

    amplitude_na: float

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        return np.full_like(since_start_ms, self.amplitude_na)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact: two edges."""
        return between_jumps([self.start_ms], [self.amplitude_na], self.stop_ms, self.amplitude_na)
