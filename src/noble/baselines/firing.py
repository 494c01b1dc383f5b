"""What integrate-and-fire neurons of this room share: a membrane, spikes by chance near a threshold, a fit in two steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from noble.baselines.likelihood import SpikeData
from noble.baselines.loop import Threshold, respond
from noble.baselines.membrane import Membrane, decay_of, fit_membrane, what_spikes_left
from noble.configs import Frozen

_LEAST_SPIKES: Final = 10


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


class Told(NamedTuple):
    """A model along spikes that it is told.

    Attributes:
        voltage_mv: as it would have been.
        hazard: of a spike, 1 / ms; 0 during refractory times.
    """

    voltage_mv: Float[np.ndarray, " sample"]
    hazard: Float[np.ndarray, " sample"]


@dataclass(frozen=True)
class IntegrateAndFire(ABC):
    """A fitted model.

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

    @abstractmethod
    def _threshold(self, dt_ms: float) -> Threshold:
        """The threshold as the loop reads it."""

    def simulate(
        self, current_na: Float[np.ndarray, " sample"], *, dt_ms: float, generator: np.random.Generator | None = None
    ) -> tuple[Float[np.ndarray, " sample"], Float[np.ndarray, " spike"]]:
        """Voltage in mV, spikes not drawn, and spike times in ms.

        Args:
            current_na: injected, nA.
            dt_ms: sampling interval.
            generator: draws a trial; without one the model fires where half of the chance of the next spike is used up.
        """
        # The hazard integrated from spike to spike is exponentially distributed with mean 1.
        count = np.size(current_na)
        due = np.full(count, math.log(2)) if generator is None else generator.exponential(size=count)
        voltage, _, spikes = self._respond(current_na, np.empty(0, dtype=np.int64), due, dt_ms)
        return voltage, np.array(spikes) * dt_ms

    def told(
        self, current_na: Float[np.ndarray, " sample"], spikes_ms: Float[np.ndarray, " spike"], *, dt_ms: float
    ) -> Told:
        """Voltage and hazard, had the model fired the spikes that another has.

        Args:
            current_na: injected, nA.
            spikes_ms: peaks.
            dt_ms: sampling interval.
        """
        voltage, hazard, _ = self._respond(
            current_na, samples_of(spikes_ms, np.size(current_na), dt_ms), np.empty(0), dt_ms
        )
        return Told(voltage, hazard)

    def log_likelihood(
        self, current_na: Float[np.ndarray, " sample"], spikes_ms: Float[np.ndarray, " spike"], *, dt_ms: float
    ) -> float:
        """Logarithm of how likely the spikes of another are, sample by sample; -inf if two are closer than the refractory time.

        Args:
            current_na, spikes_ms, dt_ms: see `told`.
        """
        chance = self.told(current_na, spikes_ms, dt_ms=dt_ms).hazard * dt_ms
        fired = chance[samples_of(spikes_ms, chance.size, dt_ms)]
        with np.errstate(divide="ignore"):
            return float(np.log(-np.expm1(-fired)).sum() - (chance.sum() - fired.sum()))

    def _respond(
        self, current_na: np.ndarray, told: np.ndarray, due: np.ndarray, dt_ms: float
    ) -> tuple[np.ndarray, np.ndarray, list[int]]:
        settings = self.settings
        membrane = Membrane(
            self.capacitance_nf,
            self.leak_us,
            self.rest_mv,
            self.reset_mv,
            np.array(self.current_na, dtype=float),
            decay_of(settings.current_ms, dt_ms),
        )
        refractory = round(settings.refractory_ms / dt_ms)
        return respond(
            np.asarray(current_na, dtype=float), told, due, dt_ms, refractory, membrane, self._threshold(dt_ms)
        )


def samples_of(spikes_ms: np.ndarray, count: int, dt_ms: float) -> Int[np.ndarray, " spike"]:
    """The samples, of so many, at which spikes are; no two at one."""
    peaks = np.unique(np.round(np.asarray(spikes_ms) / dt_ms).astype(np.int64))
    return peaks[(peaks >= 0) & (peaks < count)]


class Fitting(NamedTuple):
    """What is fitted first: the membrane, and along its voltage the data of the threshold.

    Attributes:
        membrane: see `Membrane`.
        told_mv: its voltage for the true spikes.
        centre_mv: subtracted from the voltage in the data.
        data: rows are the voltage, one, and what spikes left of the threshold, negative.
        start: weights of these to begin with.
    """

    membrane: Membrane
    told_mv: Float[np.ndarray, "trace sample"]
    centre_mv: float
    data: SpikeData
    start: Float[np.ndarray, " row"]

    def threshold(self, weights: Float[np.ndarray, " row"]) -> tuple[float, float, tuple[float, ...]]:
        """Threshold and softness in mV, and amplitudes of all further rows: the hazard's weights in other words."""
        softness = 1 / max(float(weights[0]), 1e-6)
        return self.centre_mv - float(weights[1]) * softness, softness, tuple((weights[2:] * softness).tolist())


def begin_fit(
    current_na: Float[np.ndarray, "trace sample"],
    voltage_mv: Float[np.ndarray, "trace sample"],
    spikes_ms: Sequence[np.ndarray],
    *,
    dt_ms: float,
    settings: GIFSettings,
) -> Fitting:
    """The first of two steps, and the data of the second.

    Args:
        current_na, voltage_mv: injected and recorded, nA and mV.
        spikes_ms: peaks in each trace.
        dt_ms: sampling interval.
        settings: what is not fitted.

    Raises:
        ValueError: for fewer than ten spikes in all, or shapes that do not fit.
    """
    current, voltage = (np.asarray(item, dtype=float) for item in (current_na, voltage_mv))
    if current.shape != voltage.shape or current.ndim != 2 or len(spikes_ms) != len(current):
        raise ValueError(
            f"currents of shape {current.shape}, voltages of {voltage.shape}, spikes of {len(spikes_ms)} traces; expected "
            "(trace, sample) twice, and spikes of each."
        )
    count = current.shape[1]
    peaks = [samples_of(train, count, dt_ms) for train in spikes_ms]
    if sum(map(len, peaks)) < _LEAST_SPIKES:
        raise ValueError(f"{sum(map(len, peaks))} spikes; expected at least {_LEAST_SPIKES} to fit a threshold.")
    refractory = round(settings.refractory_ms / dt_ms)
    membrane = fit_membrane(
        current,
        voltage,
        peaks,
        dt_ms=dt_ms,
        times_ms=settings.current_ms,
        refractory=refractory,
        before=round(settings.before_ms / dt_ms),
        ridge=settings.ridge,
    )
    # Along spikes that are told, the threshold changes nothing.
    none = Threshold(0.0, 1.0, np.empty(0), np.empty(0), 0.0, 0.0, 1.0, 0.0)
    told = np.stack(
        [
            respond(current[row], train, np.empty(0), dt_ms, refractory, membrane, none)[0]
            for row, train in enumerate(peaks)
        ]
    )
    centre = float(told.mean())
    rows = [
        np.vstack(
            [
                told[row] - centre,
                np.ones(count),
                -what_spikes_left(train, count, dt_ms=dt_ms, times_ms=settings.threshold_ms, refractory=refractory),
            ]
        )
        for row, train in enumerate(peaks)
    ]
    data = SpikeData.of(rows, peaks, dt_ms=dt_ms, refractory=refractory)
    start = np.zeros(len(rows[0]))
    start[:2] = 0.3, math.log(data.rate_per_ms) - 1.0
    return Fitting(membrane, told, centre, data, start)
