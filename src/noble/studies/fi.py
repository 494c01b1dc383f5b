"""F-I curves of a whole family: the operator's, a simulator's and a recording's, and what comes back of threshold and slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

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

NeuronT = TypeVar("NeuronT")

# Silence enough below the lowest threshold to see it end, and room for the slope above the highest.
_BELOW_THRESHOLD_NA: Final = 0.01
_ABOVE_THRESHOLD_NA: Final = 2 * SLOPE_SPAN_NA
# The paper's largest step.
_LEAST_HIGH_NA: Final = 0.28


@dataclass(frozen=True)
class ReadBack:
    """Threshold and slope of several neurons, read from their F-I curves.

    Attributes:
        i_thr_na: the first amplitude that fires, shape (neurons,), nA; NaN where the lowest one fires or none does.
        s_thr_hz_per_na: slope above it, shape (neurons,), Hz/nA; NaN without a threshold, or where the curve ends too soon.
    """

    i_thr_na: np.ndarray
    s_thr_hz_per_na: np.ndarray


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


def read_back(amplitudes_na: np.ndarray, rates_hz: np.ndarray) -> ReadBack:
    """Threshold and slope from the curves themselves; nothing is predicted anew.

    The threshold is the first amplitude that fires, so it is too high by up to the distance of two amplitudes, and by half of
    that on average. The slope is defined as in `noble.features.excitability.fi_gain`, the least-squares slope of
    the rate at `i_thr + span k / points`, with the rates interpolated linearly between the curve's amplitudes.

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
        wanted = thresholds[index] + above
        if wanted[-1] <= amplitudes_na[-1]:
            slopes[index] = least_squares_slope(above, np.interp(wanted, amplitudes_na, rates)[None])[0]
    return ReadBack(thresholds, slopes)


def summarise_curves(
    amplitudes_na: np.ndarray, rates_hz: np.ndarray, *, asked: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """A family's curves in a few numbers, JSON-ready.

    Args:
        amplitudes_na: shape (amplitudes,), evenly spaced, nA.
        rates_hz: shape (neurons, amplitudes), Hz.
        asked: the features that the neurons were asked to have, by name, shape (neurons,) each.

    Returns:
        `amplitudes_na`, their distance `resolution_na`, and `q05_hz`, `median_hz` and `q95_hz` at each. `asked`: for `i_thr_na`
        and `s_thr_hz_per_na` the `median` and the `largest` absolute difference between what `read_back` finds and what was
        asked for, and `missing`, the number of neurons where it finds nothing; None where they were not asked for.
    """
    low, middle, high = np.quantile(rates_hz, [0.05, 0.5, 0.95], axis=0).tolist()
    errors = None
    if {"rheobase", "fi_gain"} <= set(asked):
        found = read_back(amplitudes_na, rates_hz)
        errors = {
            "i_thr_na": _absolute(found.i_thr_na - asked["rheobase"]),
            "s_thr_hz_per_na": _absolute(found.s_thr_hz_per_na - asked["fi_gain"]),
        }
    return {
        "amplitudes_na": amplitudes_na.tolist(),
        "resolution_na": float(amplitudes_na[1] - amplitudes_na[0]),
        "q05_hz": low,
        "median_hz": middle,
        "q95_hz": high,
        "asked": errors,
    }


def _absolute(errors: np.ndarray) -> dict[str, Any]:
    """Median and largest of the absolute errors that are known, and how many are not."""
    known = np.abs(errors[np.isfinite(errors)])
    return {
        "median": float(np.median(known)) if known.size else None,
        "largest": float(known.max()) if known.size else None,
        "missing": int(errors.size - known.size),
    }


def compare_curves(
    amplitudes_na: np.ndarray,
    predicted_hz: np.ndarray,
    i_thr_na: np.ndarray,
    s_thr_hz_per_na: np.ndarray,
    *,
    simulated_at: np.ndarray | None = None,
    simulated_hz: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Model by model, how far the predicted curve is from what the hall measured and from a simulated curve.

    Args:
        amplitudes_na: shape (amplitudes,), nA.
        predicted_hz: shape (models, amplitudes), Hz.
        i_thr_na, s_thr_hz_per_na: what the hall measured, shape (models,) each.
        simulated_at: which of the amplitudes were simulated, indices of shape (simulated,); none were if None.
        simulated_hz: rates there, shape (models, simulated), Hz.

    Returns:
        A JSON-ready row a model; errors are read back less measured, None where `read_back` finds nothing. With simulations also
        both rates where they were simulated (`simulated_at_na`), the largest absolute difference `largest_deviation_hz`, where
        it is (`largest_deviation_at_na`), and the mean one, `mean_deviation_hz`.
    """
    found = read_back(amplitudes_na, predicted_hz)
    rows: list[dict[str, Any]] = []
    for index, rates in enumerate(predicted_hz):
        row: dict[str, Any] = {}
        for name, read, measured in (
            ("i_thr_na", found.i_thr_na[index], i_thr_na[index]),
            ("s_thr_hz_per_na", found.s_thr_hz_per_na[index], s_thr_hz_per_na[index]),
        ):
            known = bool(np.isfinite(read))
            row[name] = float(measured)
            row[f"{name}_read_back"] = float(read) if known else None
            row[f"{name}_error"] = float(read - measured) if known else None
        if simulated_at is not None and simulated_hz is not None:
            deviations = np.abs(rates[simulated_at] - simulated_hz[index])
            row["simulated_at_na"] = amplitudes_na[simulated_at].tolist()
            row["simulated_hz"] = simulated_hz[index].tolist()
            row["predicted_hz"] = rates[simulated_at].tolist()
            row["largest_deviation_hz"] = float(deviations.max())
            row["largest_deviation_at_na"] = float(amplitudes_na[simulated_at[np.argmax(deviations)]])
            row["mean_deviation_hz"] = float(deviations.mean())
        rows.append(row)
    return rows


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
                sweep.trace, onset_ms=sweep.onset_ms, offset_ms=min(sweep.offset_ms, sweep.onset_ms + step_ms)
            ),
        )
        for amplitude, sweeps in recording.by_amplitude().items()
        for sweep in sweeps
    ]
    return np.array(points, dtype=float).reshape(-1, 2)
