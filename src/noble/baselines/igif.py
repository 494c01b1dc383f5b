"""A GIF whose threshold follows the voltage (iGIF; Mensi et al. 2016, PLoS Comput. Biol. 12, e1004761).

    theta = theta_0 + sum_s gamma(t - t_s) + follow,   lag d(follow)/dt = -follow + k_a log(1 + exp((V - V_i) / k_i))

The rest is the GIF's (`noble.baselines.gif`). The logarithm is what inactivation of sodium channels makes of a threshold
(Platkiewicz and Brette 2011), the paper's iGIF-Na: a depolarisation that lasts raises the threshold, so fast ones count more.
For given lag, V_i and k_i the likelihood is concave in all other parameters, k_a included. These three are scanned over a grid
and then moved downhill from its best point; the scan includes k_a = 0, so an iGIF never explains its spikes worse than a GIF.
The paper also makes the spike-triggered current a conductance; here it stays a current, so that the two models differ in their
threshold alone. During the refractory time the threshold follows the reset voltage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from noble.baselines.firing import Fitting, GIFSettings, IntegrateAndFire, begin_fit
from noble.baselines.likelihood import Maximum, SpikeData
from noble.baselines.loop import Threshold
from noble.baselines.membrane import decay_of

# The last search moves at most so far beyond the grid, in V_i by the steepest slope's multiple, in the others by a factor.
_BEYOND_MV: Final = 10.0
_BEYOND: Final = 2.0


class IGIFSettings(GIFSettings):
    """What is not fitted, and where to look for what no convex step finds.

    Attributes:
        lags_ms: time constants with which the threshold follows the voltage.
        slopes_mv: softness k_i of the corner above which it does.
        half_quantiles: of the voltage along the true spikes, where the corner V_i is looked for.
        refinements: likelihoods that are asked for after the grid.
        scan_ms: silent time is sampled so coarsely while lag, V_i and k_i are looked for; the rest is then fitted to all samples.
    """

    lags_ms: tuple[float, ...] = (1.0, 3.0, 8.0, 20.0, 50.0)
    slopes_mv: tuple[float, ...] = (1.0, 3.0, 8.0)
    half_quantiles: tuple[float, ...] = (0.1, 0.35, 0.6, 0.85, 0.98)
    refinements: int = 60
    scan_ms: float = 0.5


class _Coupling(NamedTuple):
    lag_ms: float
    half_mv: float
    slope_mv: float


@dataclass(frozen=True)
class IGIF(IntegrateAndFire):
    """A fitted model; see the module, and `IntegrateAndFire` for the parameters that are not here.

    Attributes:
        coupling_mv: k_a, how steeply the threshold follows the voltage, times `slope_mv`; 0 is a GIF.
        half_mv: V_i, the voltage above which it follows.
        slope_mv: k_i, how soft this corner is.
        lag_ms: time constant with which it follows.
    """

    coupling_mv: float
    half_mv: float
    slope_mv: float
    lag_ms: float

    @classmethod
    def fit(
        cls,
        current_na: Float[np.ndarray, "trace sample"],
        voltage_mv: Float[np.ndarray, "trace sample"],
        spikes_ms: Sequence[np.ndarray],
        *,
        dt_ms: float,
        settings: IGIFSettings | None = None,
    ) -> IGIF:
        """The model that fits some traces of one neuron.

        Args:
            current_na, voltage_mv: injected and recorded, nA and mV.
            spikes_ms: peaks in each trace.
            dt_ms: sampling interval.
            settings: what is not fitted, and where to look.

        Raises:
            ValueError: for fewer than ten spikes in all, or shapes that do not fit.
        """
        settings = settings or IGIFSettings()
        fitting = begin_fit(current_na, voltage_mv, spikes_ms, dt_ms=dt_ms, settings=settings)
        coupling, weights = _best_coupling(fitting, dt_ms, settings)
        level, softness, amplitudes = fitting.threshold(weights)
        membrane = fitting.membrane
        return cls(
            settings,
            *membrane[:4],
            tuple(membrane.amplitudes_na.tolist()),
            level,
            softness,
            amplitudes[:-1],
            amplitudes[-1],
            coupling.half_mv,
            coupling.slope_mv,
            coupling.lag_ms,
        )

    def _threshold(self, dt_ms: float) -> Threshold:
        return Threshold(
            self.threshold_mv,
            self.softness_mv,
            np.array(self.moved_mv, dtype=float),
            decay_of(self.settings.threshold_ms, dt_ms),
            self.coupling_mv,
            self.half_mv,
            self.slope_mv,
            float(np.exp(-dt_ms / self.lag_ms)),
        )


def followed(
    voltage_mv: Float[np.ndarray, "trace sample"], *, half_mv: float, slope_mv: float, lag_ms: float, dt_ms: float
) -> Float[np.ndarray, "trace sample"]:
    """What the threshold follows, log(1 + exp((V - V_i) / k_i)), after its lag; as at rest where the first sample is.

    Args:
        voltage_mv: mV.
        half_mv, slope_mv, lag_ms: V_i, k_i and the lag.
        dt_ms: sampling interval.
    """
    from scipy.signal import lfilter

    target, kept = np.logaddexp(0.0, (voltage_mv - half_mv) / slope_mv), np.exp(-dt_ms / lag_ms)
    return lfilter([0.0, 1 - kept], [1.0, -kept], target, axis=1, zi=target[:, :1])[0]


def _best_coupling(fitting: Fitting, dt_ms: float, settings: IGIFSettings) -> tuple[_Coupling, np.ndarray]:
    """Lag, V_i and k_i of the largest likelihood, and the weights of the threshold's rows there; that of the coupling is last."""
    from scipy.optimize import minimize

    coarse = fitting.data.thinned(settings.scan_ms)
    without = np.append(fitting.data.maximum(fitting.start, ridge=settings.ridge).weights, 0.0)
    found: dict[_Coupling, Maximum] = {}

    def maximum(data: SpikeData, coupling: _Coupling, begin: np.ndarray) -> Maximum:
        row = -followed(fitting.told_mv, dt_ms=dt_ms, **coupling._asdict())
        return data.with_row(row).maximum(begin, ridge=settings.ridge)

    def likelihood(coupling: _Coupling, begin: np.ndarray) -> float:
        found[coupling] = maximum(coarse, coupling, begin)
        return found[coupling].log_likelihood

    def best() -> _Coupling:
        return max(found, key=lambda coupling: found[coupling].log_likelihood)

    halves = np.quantile(fitting.told_mv, settings.half_quantiles).tolist()
    for coupling in map(_Coupling._make, product(settings.lags_ms, halves, settings.slopes_mv)):
        likelihood(coupling, without)
    if settings.refinements > 0:
        near = best()
        # In logarithms, but for V_i, which may be of either sign.
        minimize(
            lambda at: (
                -likelihood(_Coupling(float(np.exp(at[0])), float(at[1]), float(np.exp(at[2]))), found[near].weights)
            ),
            np.array([np.log(near.lag_ms), near.half_mv, np.log(near.slope_mv)]),
            method="Nelder-Mead",
            bounds=[
                _log_range(settings.lags_ms),
                (min(halves) - _BEYOND_MV, max(halves) + _BEYOND_MV),
                _log_range(settings.slopes_mv),
            ],
            options={"maxfev": settings.refinements},
        )
    # From a GIF on, so that the likelihood is at least a GIF's.
    return best(), maximum(fitting.data, best(), without).weights


def _log_range(values: tuple[float, ...]) -> tuple[float, float]:
    return float(np.log(min(values) / _BEYOND)), float(np.log(max(values) * _BEYOND))
