"""Coloured noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noble.stimuli.base import ENVELOPE_DT_MS, Interval
from noble.stimuli.registry import register


@register(columns=("start_ms", "stop_ms", "mean_na", "sd_na", "tau_ms", "seed"))
@dataclass(frozen=True, repr=False)
class OrnsteinUhlenbeck(Interval):
    """Coloured noise around a mean, drawn once from its seed: the same seed gives the same current on any grid.

    The exact discretisation of `dI = (mean - I) / tau dt + sd sqrt(2 / tau) dW` on a lattice of `ENVELOPE_DT_MS`, started
    from its stationary distribution and interpolated linearly (Uhlenbeck and Ornstein, Phys. Rev. 36, 1930).

    Attributes:
        mean_na, sd_na: stationary mean and standard deviation, nA.
        tau_ms: correlation time, ms.
        seed: of the numpy generator.
    """

    mean_na: float
    sd_na: float
    tau_ms: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau_ms <= 0 or self.sd_na < 0:
            raise ValueError(f"tau_ms is {self.tau_ms} and sd_na {self.sd_na}; expected tau_ms > 0 and sd_na >= 0.")
        if not isinstance(self.seed, int | np.integer) or self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected a whole number of 0 or more.")

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        from scipy.signal import lfilter

        count = int(np.ceil((self.stop_ms - self.start_ms) / ENVELOPE_DT_MS)) + 2
        decay = np.exp(-ENVELOPE_DT_MS / self.tau_ms)
        noise = np.random.default_rng(self.seed).standard_normal(count)
        noise[1:] *= np.sqrt(1 - decay**2)
        lattice = self.mean_na + self.sd_na * np.asarray(lfilter([1.0], [1.0, -decay], noise))
        return np.interp(since_start_ms, np.arange(count) * ENVELOPE_DT_MS, lattice)
