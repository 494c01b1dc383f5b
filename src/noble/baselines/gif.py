"""The generalised integrate-and-fire model of one neuron (GIF; Pozzorini et al. 2015, PLoS Comput. Biol. 11, e1004275).

    C dV/dt = -g (V - E) + I - sum_s eta(t - t_s)                          between spikes
    hazard  = (1 / ms) exp((V - theta) / delta),  theta = theta_0 + sum_s gamma(t - t_s)

After each spike the voltage is `reset_mv` for the refractory time. The spike-triggered current `eta` and the spike-triggered
threshold `gamma` are sums of exponentials of fixed time constants. As there, the fit has two convex steps: what moves the voltage
by linear regression of dV/dt, spikes cut out, and then the threshold by maximum likelihood, along the voltage that the first
step gives for the true spikes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from noble.configs import Frozen

_LEAST_SPIKES: Final = 10
_STEPS: Final = 100
_CONVERGED: Final = 1e-6
_LARGEST_EXPONENT: Final = 30.0
_LARGEST_HAZARD: Final = 500.0


class GIFSettings(Frozen):
    """What is not fitted.

    Attributes:
        refractory_ms: time after the peak of a spike during which the voltage stays at its reset.
        before_ms: time before the peak that is cut out of the regression: the upstroke.
        current_ms: time constants of the spike-triggered current.
        threshold_ms: time constants of the spike-triggered threshold.
        ridge: added to the diagonal of the normal equations and of the likelihood's curvature, relative to its mean.
    """

    refractory_ms: float = 3.0
    before_ms: float = 3.0
    current_ms: tuple[float, ...] = (2.0, 8.0, 30.0, 120.0)
    threshold_ms: tuple[float, ...] = (2.0, 8.0, 30.0, 120.0)
    ridge: float = 1e-6


@dataclass(frozen=True)
class GIF:
    """A fitted model; see the module.

    Attributes:
        settings: what was not fitted.
        capacitance_nf, leak_us, rest_mv: of the membrane.
        reset_mv: mean voltage at the end of the refractory time.
        current_na: amplitudes of the spike-triggered current, one for each of `settings.current_ms`; positive hyperpolarises.
        threshold_mv: threshold long after the last spike.
        softness_mv: how far the voltage must rise for e times the hazard.
        moved_mv: amplitudes of the spike-triggered threshold, one for each of `settings.threshold_ms`.
    """

    settings: GIFSettings
    capacitance_nf: float
    leak_us: float
    rest_mv: float
    reset_mv: float
    current_na: tuple[float, ...]
    threshold_mv: float
    softness_mv: float
    moved_mv: tuple[float, ...]

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
        current, voltage = (np.asarray(item, dtype=float) for item in (current_na, voltage_mv))
        if current.shape != voltage.shape or current.ndim != 2 or len(spikes_ms) != len(current):
            raise ValueError(
                f"currents of shape {current.shape}, voltages of {voltage.shape}, spikes of {len(spikes_ms)} traces; expected "
                "(trace, sample) twice, and spikes of each."
            )
        peaks = [np.round(np.asarray(train) / dt_ms).astype(np.int64) for train in spikes_ms]
        peaks = [train[(train >= 0) & (train < current.shape[1])] for train in peaks]
        if sum(map(len, peaks)) < _LEAST_SPIKES:
            raise ValueError(f"{sum(map(len, peaks))} spikes; expected at least {_LEAST_SPIKES} to fit a threshold.")
        refractory, before = (round(item / dt_ms) for item in (settings.refractory_ms, settings.before_ms))
        membrane = _membrane(current, voltage, peaks, dt_ms, settings, refractory, before)
        landed = [voltage[row, train + refractory] for row, train in enumerate(_landing(peaks, refractory, current))]
        reset = float(np.concatenate(landed).mean())
        decay = np.exp(-dt_ms / np.array(settings.current_ms))
        told = np.stack(
            [
                _told(current[row], train, dt_ms, refractory, *membrane[:3], reset, membrane[3], decay)
                for row, train in enumerate(peaks)
            ]
        )
        threshold = _threshold(told, peaks, dt_ms, settings, refractory)
        return cls(
            settings, *membrane[:3], reset, tuple(membrane[3].tolist()), *threshold[:2], tuple(threshold[2].tolist())
        )

    def simulate(
        self, current_na: Float[np.ndarray, " sample"], *, dt_ms: float, generator: np.random.Generator | None = None
    ) -> tuple[Float[np.ndarray, " sample"], Float[np.ndarray, " spike"]]:
        """Voltage in mV, spikes not drawn, and spike times in ms.

        Args:
            current_na: injected, nA.
            dt_ms: sampling interval.
            generator: draws a trial; without one the model fires where half of the chance of the next spike is used up.
        """
        settings, current = self.settings, np.asarray(current_na, dtype=float)
        # The hazard integrated from spike to spike is exponentially distributed with mean 1.
        due = np.full(current.size, math.log(2)) if generator is None else generator.exponential(size=current.size)
        voltage, spikes = _simulate(
            current,
            due,
            dt_ms,
            round(settings.refractory_ms / dt_ms),
            self.capacitance_nf,
            self.leak_us,
            self.rest_mv,
            self.reset_mv,
            np.array(self.current_na),
            np.exp(-dt_ms / np.array(settings.current_ms)),
            self.threshold_mv,
            self.softness_mv,
            np.array(self.moved_mv),
            np.exp(-dt_ms / np.array(settings.threshold_ms)),
        )
        return voltage, np.array(spikes) * dt_ms


def _membrane(
    current: np.ndarray,
    voltage: np.ndarray,
    peaks: Sequence[np.ndarray],
    dt_ms: float,
    settings: GIFSettings,
    refractory: int,
    before: int,
) -> tuple[float, float, float, np.ndarray]:
    """Capacitance in nF, leak in uS, rest in mV and amplitudes of the spike-triggered current in nA, by linear regression."""
    count = 3 + len(settings.current_ms)
    normal, right = np.zeros((count, count)), np.zeros(count)
    for row, train in enumerate(peaks):
        kept = np.ones(current.shape[1] - 1, dtype=bool)
        for peak in train:
            kept[max(0, peak - before) : peak + refractory] = False
        traces = _traces(train, current.shape[1], dt_ms, settings.current_ms, refractory)[:, :-1]
        known = np.vstack([voltage[row, :-1], current[row, :-1], np.ones(current.shape[1] - 1), -traces])[:, kept]
        normal += known @ known.T
        right += known @ (np.diff(voltage[row])[kept] / dt_ms)
    normal[np.diag_indices(count)] *= 1 + settings.ridge
    leak, gain, constant, *fed_back = np.linalg.solve(normal, right)
    capacitance = 1 / gain
    return capacitance, -leak * capacitance, -constant / leak, np.array(fed_back) * capacitance


def _threshold(
    voltage: np.ndarray, peaks: Sequence[np.ndarray], dt_ms: float, settings: GIFSettings, refractory: int
) -> tuple[float, float, np.ndarray]:
    """Threshold and softness in mV, and amplitudes of the spike-triggered threshold, by Newton's method on the likelihood.

    A sample without a spike has the likelihood exp(-h), one with a spike 1 - exp(-h); h is the hazard times dt.
    """
    free, fired = [], []
    for row, train in enumerate(peaks):
        open_now = np.ones(voltage.shape[1], dtype=bool)
        for peak in train:
            open_now[peak : peak + refractory] = False
        traces = _traces(train, voltage.shape[1], dt_ms, settings.threshold_ms, refractory)
        known = np.vstack([voltage[row], np.ones(voltage.shape[1]), -traces])
        free.append(known[:, open_now])
        fired.append(known[:, train])
    # Rows of the fit: 1 / softness, -threshold / softness, and the moved threshold over the softness.
    known, at_spikes = np.hstack(free), np.hstack(fired)
    centre = known[0].mean()
    known[0] -= centre
    at_spikes[0] -= centre
    weights = np.zeros(len(known))
    weights[0], weights[1] = 0.3, math.log(at_spikes.shape[1] / (known.shape[1] * dt_ms)) - 1.0
    likelihood = -math.inf
    step = np.zeros_like(weights)
    for _ in range(_STEPS):
        hazard, firing = (np.exp(np.minimum(weights @ item, _LARGEST_EXPONENT)) * dt_ms for item in (known, at_spikes))
        reached = float(np.log(-np.expm1(-firing)).sum() - hazard.sum())
        if not reached >= likelihood:  # too far: half of the step back
            weights -= step / 2
            step /= 2
            if np.abs(step).max() < _CONVERGED:
                break
            continue
        likelihood = reached
        pull = firing / np.expm1(np.minimum(firing, _LARGEST_HAZARD))
        bend = pull * (firing / -np.expm1(-firing) - 1)
        gradient = at_spikes @ pull - known @ hazard
        curvature = (known * hazard) @ known.T + (at_spikes * bend) @ at_spikes.T
        curvature[np.diag_indices(len(weights))] += settings.ridge * np.trace(curvature) / len(weights)
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if np.abs(step).max() < _CONVERGED:
            break
    softness = 1 / max(weights[0], 1e-6)
    return float(centre - weights[1] * softness), float(softness), weights[2:] * softness


def _landing(peaks: Sequence[np.ndarray], refractory: int, current: np.ndarray) -> list[np.ndarray]:
    """The spikes whose refractory time ends within the trace."""
    return [train[train + refractory < current.shape[1]] for train in peaks]


def _traces(
    peaks: np.ndarray, count: int, dt_ms: float, times_ms: tuple[float, ...], refractory: int
) -> Float[np.ndarray, "time sample"]:
    """What spikes have left at each sample: exponentials that jump by one where the refractory time of a spike ends."""
    from scipy.signal import lfilter

    jumps = np.zeros(count)
    np.add.at(jumps, (peaks + refractory)[peaks + refractory < count], 1.0)
    return np.stack([lfilter([1.0], [1.0, -math.exp(-dt_ms / time)], jumps) for time in times_ms])


@njit(cache=True)
@no_type_check  # what is compiled is checked by its compiler
def _told(current, peaks, dt_ms, refractory, capacitance, leak, rest, reset, amplitudes, decay):
    """Voltage of a model that is told its spikes."""
    voltage = np.empty(current.size)
    traces = np.zeros(amplitudes.size)
    now, coming, held = rest, 0, 0
    for sample in range(current.size):
        traces *= decay
        if held > 0:
            held -= 1
            now = reset
            if held == 0:
                traces += 1.0
        voltage[sample] = now
        if coming < peaks.size and sample == peaks[coming]:
            coming += 1
            held = refractory
        now += dt_ms * (-leak * (now - rest) + current[sample] - (amplitudes * traces).sum()) / capacitance
    return voltage


@njit(cache=True)
@no_type_check  # what is compiled is checked by its compiler
def _simulate(
    current,
    due,
    dt_ms,
    refractory,
    capacitance,
    leak,
    rest,
    reset,
    amplitudes,
    decay,
    threshold,
    softness,
    moved,
    moved_decay,
):
    voltage = np.empty(current.size)
    traces, thresholds = np.zeros(amplitudes.size), np.zeros(moved.size)
    spikes = [0 for _ in range(0)]
    now, held, used = rest, 0, 0.0
    for sample in range(current.size):
        traces *= decay
        thresholds *= moved_decay
        if held > 0:
            held -= 1
            now = reset
            if held == 0:
                traces += 1.0
                thresholds += 1.0
        voltage[sample] = now
        if held == 0:
            above = (now - threshold - (moved * thresholds).sum()) / softness
            used += dt_ms * np.exp(min(above, 30.0))
            if used > due[len(spikes)]:
                spikes.append(sample)
                used, held = 0.0, refractory
        now += dt_ms * (-leak * (now - rest) + current[sample] - (amplitudes * traces).sum()) / capacitance
    return voltage, spikes
