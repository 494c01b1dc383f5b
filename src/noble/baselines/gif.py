"""The generalised integrate-and-fire model of one neuron (GIF; Pozzorini et al. 2015, PLoS Comput. Biol. 11, e1004275).

    C dV/dt = -g (V - E) + I - sum_s eta(t - t_s)                          between spikes
    hazard  = (1 / ms) exp((V - theta) / delta),  theta = theta_0 + sum_s gamma(t - t_s)

After each spike the voltage is `reset_mv` for the refractory time. The spike-triggered current `eta` and the spike-triggered
threshold `gamma` are sums of exponentials of fixed time constants. As there, the fit has two convex steps: what moves the voltage
by linear regression of dV/dt, spikes cut out, and then the threshold by maximum likelihood, along the voltage that the first
step gives for the true spikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from noble.baselines.firing import GIFSettings, IntegrateAndFire, begin_fit
from noble.baselines.loop import Threshold
from noble.baselines.membrane import decay_of


@dataclass(frozen=True)
class GIF(IntegrateAndFire):
    """A fitted model; see the module, and `IntegrateAndFire` for its parameters."""

    @classmethod
    def fit(
        cls,
        current_na: Float[np.ndarray, "trace sample"],
        voltage_mv: Float[np.ndarray, "trace sample"],
        spikes_ms: Sequence[np.ndarray],
        *,
        dt_ms: float,
        settings: GIFSettings | None = None,
    ) -> GIF:
        """The model that fits some traces of one neuron.

        Args:
            current_na, voltage_mv: injected and recorded, nA and mV.
            spikes_ms: peaks in each trace.
            dt_ms: sampling interval.
            settings: what is not fitted.

        Raises:
            ValueError: for fewer than ten spikes in all, or shapes that do not fit.
        """
        settings = settings or GIFSettings()
        fitting = begin_fit(current_na, voltage_mv, spikes_ms, dt_ms=dt_ms, settings=settings)
        weights = fitting.data.maximum(fitting.start, ridge=settings.ridge).weights
        membrane = fitting.membrane
        return cls(settings, *membrane[:4], tuple(membrane.amplitudes_na.tolist()), *fitting.threshold(weights))

    def _threshold(self, dt_ms: float) -> Threshold:
        decay = decay_of(self.settings.threshold_ms, dt_ms)
        return Threshold(
            self.threshold_mv, self.softness_mv, np.array(self.moved_mv, dtype=float), decay, 0.0, 0.0, 1.0, 0.0
        )
