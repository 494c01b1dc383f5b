"""The sine of rising frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noble.stimuli.base import Interval
from noble.stimuli.registry import register
from noble.units import MS_PER_SECOND


@register(columns=("start_ms", "stop_ms", "amplitude_na", "offset_na", "f0_hz", "f1_hz"))
@dataclass(frozen=True, repr=False)
class Chirp(Interval):
    """A sine whose frequency rises linearly, around an offset.

    Attributes:
        amplitude_na: amplitude of the sine, nA.
        offset_na: constant added to it, nA.
        f0_hz, f1_hz: instantaneous frequency at the two edges, Hz.
    """

    amplitude_na: float
    offset_na: float = 0.0
    f0_hz: float = 1.0
    f1_hz: float = 50.0

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        seconds = since_start_ms / MS_PER_SECOND
        sweep_hz_per_s = (self.f1_hz - self.f0_hz) / ((self.stop_ms - self.start_ms) / MS_PER_SECOND)
        phase = 2 * np.pi * (self.f0_hz * seconds + 0.5 * sweep_hz_per_s * seconds**2)
        return self.offset_na + self.amplitude_na * np.sin(phase)
