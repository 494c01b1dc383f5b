"""F-I curves of a family of neurons: how they are sampled, what is estimated from them, and how they differ from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

from noble.features.excitability import (
    SLOPE_SPAN_NA,
    fi_curve,
    least_squares_slope,
    slope_amplitudes_na,
    trace_rate_hz,
)
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.recordings import Recording
from noble.responders import Responder
from noble.results import INLINE, Result, keyed

NeuronT = TypeVar("NeuronT")

# Silence enough below the lowest threshold to see it end, and room for the slope above the highest.
_BELOW_THRESHOLD_NA: Final = 0.01
_ABOVE_THRESHOLD_NA: Final = 2 * SLOPE_SPAN_NA
# The paper's largest step.
_LEAST_HIGH_NA: Final = 0.28


@dataclass(frozen=True)
class Estimates:
    """Threshold and slope of several neurons, estimated from their F-I curves.

    Attributes:
        rheobase_na: the first amplitude that fires, shape (neurons,), nA; NaN where the lowest one fires or none does.
        fi_gain_hz_per_na: slope above it, shape (neurons,), Hz/nA; NaN without a threshold, or where the curve ends too soon.
    """

    rheobase_na: np.ndarray
    fi_gain_hz_per_na: np.ndarray


@dataclass(frozen=True, repr=False)
class AbsoluteErrors(Result):
    """How far estimates are from what they should be.

    Attributes:
        median, largest: median and largest absolute error; None where nothing could be estimated.
        missing: number of neurons of which nothing could be estimated.
    """

    median: float | None
    largest: float | None
    missing: int


@dataclass(frozen=True, repr=False)
class RequestedErrors(Result):
    """Errors of the estimates against the features that the neurons were requested to have.

    Attributes:
        rheobase_na: errors of the threshold, nA.
        fi_gain_hz_per_na: errors of the slope, Hz/nA.
    """

    rheobase_na: AbsoluteErrors = field(metadata=keyed("i_thr_na"))
    fi_gain_hz_per_na: AbsoluteErrors = field(metadata=keyed("s_thr_hz_per_na"))


@dataclass(frozen=True, repr=False)
class FamilyCurves(Result):
    """A family's F-I curves in a few numbers.

    Attributes:
        amplitudes_na: shape (amplitudes,), nA.
        resolution_na: distance of two amplitudes, nA.
        q05_hz, median_hz, q95_hz: quantiles over the neurons at each amplitude, shape (amplitudes,), Hz.
        requested: errors of the estimates; None where threshold and slope were not requested.
    """

    amplitudes_na: np.ndarray
    resolution_na: float
    q05_hz: np.ndarray
    median_hz: np.ndarray
    q95_hz: np.ndarray
    requested: RequestedErrors | None = field(metadata=keyed("asked"))


@dataclass(frozen=True, repr=False)
class CurveDeviation(Result):
    """How far a predicted F-I curve is from a simulated one.

    Attributes:
        simulated_at_na: amplitudes that were simulated, shape (simulated,), nA.
        simulated_hz, predicted_hz: both rates there, shape (simulated,), Hz.
        largest_deviation_hz: largest absolute difference, Hz.
        largest_deviation_at_na: amplitude of the largest difference, nA.
        mean_deviation_hz: mean absolute difference, Hz.
    """

    simulated_at_na: np.ndarray
    simulated_hz: np.ndarray
    predicted_hz: np.ndarray
    largest_deviation_hz: float
    largest_deviation_at_na: float
    mean_deviation_hz: float


@dataclass(frozen=True, repr=False)
class ModelCurve(Result):
    """A model's predicted F-I curve beside what the hall measured of the model.

    Attributes:
        model: index in the hall.
        rheobase_na, fi_gain_hz_per_na: threshold and slope as the hall measured them.
        rheobase_na_estimated, fi_gain_hz_per_na_estimated: the same, estimated from the predicted curve; None where it shows
            none.
        rheobase_na_error, fi_gain_hz_per_na_error: estimated less measured.
        simulation: how far the curve is from the simulated one; None where nothing was simulated.
    """

    model: int
    rheobase_na: float = field(metadata=keyed("i_thr_na"))
    rheobase_na_estimated: float | None = field(metadata=keyed("i_thr_na_read_back"))
    rheobase_na_error: float | None = field(metadata=keyed("i_thr_na_error"))
    fi_gain_hz_per_na: float = field(metadata=keyed("s_thr_hz_per_na"))
    fi_gain_hz_per_na_estimated: float | None = field(metadata=keyed("s_thr_hz_per_na_read_back"))
    fi_gain_hz_per_na_error: float | None = field(metadata=keyed("s_thr_hz_per_na_error"))
    simulation: CurveDeviation | None = field(default=None, metadata=INLINE)


@dataclass(frozen=True)
class SimulatedRates:
    """Firing rates that were simulated at some of the amplitudes of a curve.

    Attributes:
        indices: which of the amplitudes, shape (simulated,).
        amplitudes_na: these amplitudes, shape (simulated,), nA.
        rates_hz: shape (models, simulated), Hz.
    """

    indices: np.ndarray
    amplitudes_na: np.ndarray
    rates_hz: np.ndarray


def fi_amplitudes_na(
    thresholds_na: np.ndarray, *, count: int = 500, low_na: float | None = None, high_na: float | None = None
) -> np.ndarray:
    """Evenly spaced amplitudes that show every neuron of a family silent, at threshold, and firing.

    Args:
        thresholds_na: of the family's models, shape (models,), nA.
        count: how many.
        low_na: the first; if None, 10 pA below the lowest threshold, rounded down to 10 pA.
        high_na: the last; if None, 0.28 nA as in the paper, or 0.1 nA above the highest threshold, rounded up to 10 pA.

    Returns:
        Shape (count,), ascending, nA.

    Raises:
        ValueError: for fewer than two amplitudes, or a first that is not below the last.
    """
    below = np.floor((np.min(thresholds_na) - _BELOW_THRESHOLD_NA) * 100) / 100
    above = np.ceil((np.max(thresholds_na) + _ABOVE_THRESHOLD_NA) * 100) / 100
    low = float(below) if low_na is None else low_na
    high = max(_LEAST_HIGH_NA, float(above)) if high_na is None else high_na
    if count < 2 or not low < high:
        raise ValueError(
            f"{count} amplitudes from {low:g} to {high:g} nA were asked for; expected at least 2, and the first below the last."
        )
    return np.linspace(low, high, count)


def family_rates_hz(
    responder: Responder[NeuronT],
    neurons: Sequence[NeuronT],
    amplitudes_na: np.ndarray,
    protocol: StepProtocol,
    *,
    progress: Progress | None = None,
) -> np.ndarray:
    """Firing rates of a family, neuron by neuron, by `noble.features.excitability.fi_curve`.

    Args:
        responder: an operator or a simulator.
        neurons: in the responder's form.
        amplitudes_na: shape (amplitudes,), nA.
        protocol: the step.
        progress: called with (neurons done, neurons in all).

    Returns:
        Shape (neurons, amplitudes), Hz.
    """
    rates = np.empty((len(neurons), len(amplitudes_na)))
    for index, neuron in enumerate(neurons):
        rates[index] = fi_curve(responder, [neuron], amplitudes_na, protocol).rates_hz[0]
        if progress is not None:
            progress(index + 1, len(neurons))
    return rates


def estimate(amplitudes_na: np.ndarray, rates_hz: np.ndarray) -> Estimates:
    """Threshold and slope from the curves themselves; nothing is predicted anew.

    The threshold is the first amplitude that fires, so it is too high by up to the distance of two amplitudes, and by half of
    that on average. The slope is defined as in `noble.features.excitability.fi_gain`, the least-squares slope of
    the rate at `rheobase + span k / points`, with the rates interpolated linearly between the curve's amplitudes.

    Args:
        amplitudes_na: shape (amplitudes,), ascending, nA.
        rates_hz: shape (neurons, amplitudes), Hz.
    """
    above = slope_amplitudes_na()
    thresholds, slopes = np.full(len(rates_hz), np.nan), np.full(len(rates_hz), np.nan)
    for index, rates in enumerate(rates_hz):
        first = int(np.argmax(rates > 0))
        if first == 0:  # the lowest fires, or none does
            continue
        thresholds[index] = amplitudes_na[first]
        fitted = thresholds[index] + above
        if fitted[-1] <= amplitudes_na[-1]:
            slopes[index] = least_squares_slope(above, np.interp(fitted, amplitudes_na, rates)[None])[0]
    return Estimates(thresholds, slopes)


def summarise_curves(
    amplitudes_na: np.ndarray, rates_hz: np.ndarray, *, requested: Mapping[str, np.ndarray]
) -> FamilyCurves:
    """A family's curves in a few numbers.

    Args:
        amplitudes_na: shape (amplitudes,), evenly spaced, nA.
        rates_hz: shape (neurons, amplitudes), Hz.
        requested: the features that the neurons were requested to have, by name, shape (neurons,) each.
    """
    low, middle, high = np.quantile(rates_hz, [0.05, 0.5, 0.95], axis=0)
    errors = None
    if {"rheobase", "fi_gain"} <= set(requested):
        found = estimate(amplitudes_na, rates_hz)
        errors = RequestedErrors(
            _absolute(found.rheobase_na - requested["rheobase"]),
            _absolute(found.fi_gain_hz_per_na - requested["fi_gain"]),
        )
    return FamilyCurves(amplitudes_na, float(amplitudes_na[1] - amplitudes_na[0]), low, middle, high, errors)


def _absolute(errors: np.ndarray) -> AbsoluteErrors:
    """Median and largest of the absolute errors that are known, and how many are not."""
    known = np.abs(errors[np.isfinite(errors)])
    return AbsoluteErrors(
        median=float(np.median(known)) if known.size else None,
        largest=float(known.max()) if known.size else None,
        missing=int(errors.size - known.size),
    )


def compare_curves(
    models: Sequence[int],
    amplitudes_na: np.ndarray,
    predicted_hz: np.ndarray,
    rheobase_na: np.ndarray,
    fi_gain_hz_per_na: np.ndarray,
    *,
    simulated: SimulatedRates | None = None,
) -> tuple[ModelCurve, ...]:
    """Model by model, how far the predicted curve is from what the hall measured and from a simulated curve.

    Args:
        models: their indices in the hall.
        amplitudes_na: shape (amplitudes,), nA.
        predicted_hz: shape (models, amplitudes), Hz.
        rheobase_na, fi_gain_hz_per_na: what the hall measured, shape (models,) each.
        simulated: rates of the same models at some of the amplitudes; none were simulated if None.
    """
    found = estimate(amplitudes_na, predicted_hz)
    rows = []
    for index, (model, rates) in enumerate(zip(models, predicted_hz, strict=True)):
        threshold, slope = float(rheobase_na[index]), float(fi_gain_hz_per_na[index])
        rows.append(
            ModelCurve(
                model,
                threshold,
                *_estimated(found.rheobase_na[index], threshold),
                slope,
                *_estimated(found.fi_gain_hz_per_na[index], slope),
                None if simulated is None else _deviation(rates, simulated, index),
            )
        )
    return tuple(rows)


def _estimated(value: float, measured: float) -> tuple[float | None, float | None]:
    """An estimate and its error; None where nothing could be estimated."""
    return (float(value), float(value - measured)) if np.isfinite(value) else (None, None)


def _deviation(rates_hz: np.ndarray, simulated: SimulatedRates, index: int) -> CurveDeviation:
    """How far one predicted curve is from the simulated one of the same row."""
    predicted = rates_hz[simulated.indices]
    deviations = np.abs(predicted - simulated.rates_hz[index])
    return CurveDeviation(
        simulated_at_na=simulated.amplitudes_na,
        simulated_hz=simulated.rates_hz[index],
        predicted_hz=predicted,
        largest_deviation_hz=float(deviations.max()),
        largest_deviation_at_na=float(simulated.amplitudes_na[np.argmax(deviations)]),
        mean_deviation_hz=float(deviations.mean()),
    )


def recorded_points(recording: Recording, step_ms: float) -> np.ndarray:
    """Amplitude (nA) and firing rate (Hz) of every sweep of a recording, by amplitude, shape (sweeps, 2).

    Args:
        recording: its sweeps.
        step_ms: how much of each step counts, ms; a neuron that adapts is faster in a short step than in a long one. All of a
            step that is shorter.
    """
    points = [
        (
            amplitude,
            trace_rate_hz(
                sweep.trace,
                onset_ms=sweep.onset_ms,
                offset_ms=min(sweep.offset_ms, sweep.onset_ms + step_ms),
                threshold_mv=recording.spike_threshold_mv,
            ),
        )
        for amplitude, sweeps in recording.by_amplitude().items()
        for sweep in sweeps
    ]
    return np.array(points, dtype=float).reshape(-1, 2)
