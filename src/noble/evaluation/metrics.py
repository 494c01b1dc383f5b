"""How far predicted voltage is from reference voltage: the paper's relative L2, and measures that see spikes.

Two per cent of relative L2 on an uncentred trace is about 1.6 mV rms, and silence scores about ten; so every report
also counts spikes, misses and timing, over all traces and split into three regimes. `trace_table` measures trace by
trace, `concatenate` joins batches, `summarise` turns a table into the numbers of `metrics.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple

import numpy as np

from noble.evaluation.results import FeatureError, Summary
from noble.features import CATALOGUE, EFEATURES, extract, unit_of
from noble.results import finite_mean
from noble.spikes import coincidence_factor, matched_pairs, spike_times_ms
from noble.traces import Trace, TraceBatch

STABLE_FEATURES: Final[tuple[str, ...]] = ("AP1_width", "mean_AP_amplitude", "steady_state_voltage")
"""The e-features that every summary has a number of; others are computed on request."""

REGIMES: Final[tuple[str, ...]] = ("sub_threshold", "near_threshold", "spiking")
DRIVES: Final[tuple[str, ...]] = ("fluctuation_driven", "mean_driven")

NEAR_THRESHOLD_NA: Final = 0.010
NEAR_THRESHOLD_SPIKES: Final = 2
COINCIDENCE_WINDOW_MS: Final = 1.0
WIDE_WINDOW_MS: Final = 4.0
BETWEEN_SPIKES_MS: Final = (2.0, 4.0)
"""Between spikes is what lies farther than this before and after each of them, ms."""

# They describe spikes: averaged over one trace that fires and one that does not, they would compare nothing.
_SPIKE_FEATURES: Final = frozenset(
    name for name in EFEATURES if name.startswith(("AHP", "AP")) or name in {"mean_AP_amplitude", "mean_frequency"}
) | {"inv_first_ISI", "time_to_first_spike"}


@dataclass(frozen=True)
class TraceTable:
    """Errors and spikes, trace by trace; every array has one row a trace.

    Attributes:
        relative_l2: norm of the error over the norm of the reference, volts not centred.
        centred_relative_l2: the same, over the norm of the reference minus its mean; NaN for a constant reference.
        rmse_mv: root mean square error, mV.
        reference_spikes, predicted_spikes: number of spikes in the window.
        spike_time_errors_ms: distances of the k-th predicted from the k-th reference spike, one array a trace, ms.
        coincidence: coincidence factor at 1 ms; NaN where neither fires.
        coincidence_4ms: the same at 4 ms.
        matched_errors_ms: distances of spikes that lie within 4 ms of each other, one array a trace, ms.
        rmse_between_spikes_mv: root mean square error away from the spikes of either, mV; NaN where there is no such time.
        ceiling: coincidence factor at 1 ms of the reference with a finer simulation of the same; NaN where there is none.
        mean_drive_na: mean current from onset to offset over the model's threshold current, nA; NaN where that is unknown.
        near_current: whether the drive comes within `NEAR_THRESHOLD_NA` of the model's threshold current.
        reference_features, predicted_features: e-features by name; NaN where there is none.
    """

    relative_l2: np.ndarray
    centred_relative_l2: np.ndarray
    rmse_mv: np.ndarray
    reference_spikes: np.ndarray
    predicted_spikes: np.ndarray
    spike_time_errors_ms: tuple[np.ndarray, ...]
    coincidence: np.ndarray
    coincidence_4ms: np.ndarray
    matched_errors_ms: tuple[np.ndarray, ...]
    rmse_between_spikes_mv: np.ndarray
    ceiling: np.ndarray
    mean_drive_na: np.ndarray
    near_current: np.ndarray
    reference_features: Mapping[str, np.ndarray]
    predicted_features: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return self.relative_l2.size

    def regime_masks(self) -> dict[str, np.ndarray]:
        """Which traces are in which regime; each is in exactly one.

        *Near-threshold*: the reference fires one or two spikes, or the largest current of the stimulus lies within
        10 pA of the model's `rheobase` (where that is known). Of the rest, *sub-threshold* if the reference is silent,
        else *spiking*.
        """
        silent = self.reference_spikes == 0
        near = self.near_current | (~silent & (self.reference_spikes <= NEAR_THRESHOLD_SPIKES))
        return {"sub_threshold": silent & ~near, "near_threshold": near, "spiking": ~silent & ~near}

    def drive_masks(self) -> dict[str, np.ndarray]:
        """Which traces fire by fluctuations and which by the mean of their current, where the threshold current is known.

        Under a mean above threshold a neuron fires by itself, and errors of time add up from spike to spike; below it each
        spike is a fluctuation's own.
        """
        return {"fluctuation_driven": self.mean_drive_na < 0, "mean_driven": self.mean_drive_na >= 0}


def trace_table(
    predicted: TraceBatch,
    reference: TraceBatch,
    *,
    onset_ms: float,
    offset_ms: float,
    rheobase_na: np.ndarray | None = None,
    feature_names: Sequence[str] = STABLE_FEATURES,
    finer: TraceBatch | None = None,
) -> TraceTable:
    """Compare predicted with reference traces, pair by pair, over the whole window they share.

    Args:
        predicted, reference: on the same grid, mV; the reference's currents decide which trace is near threshold.
        onset_ms, offset_ms: edges of the stimulus for the e-features, ms.
        rheobase_na: threshold of the model behind each trace, shape (batch,), nA; unknown if None or NaN.
        feature_names: e-features to compare.
        finer: the reference once more, by a finer simulation.

    Raises:
        ValueError: if the two differ in shape or grid, hold values that are not finite, or thresholds do not pair up.
    """
    if predicted.voltage_mv.shape != reference.voltage_mv.shape or predicted.grid != reference.grid:
        raise ValueError(
            f"predicted traces have shape {predicted.voltage_mv.shape} at dt {predicted.grid.dt_ms:g} ms and reference "
            f"traces {reference.voltage_mv.shape} at {reference.grid.dt_ms:g} ms; predict on the reference's grid."
        )
    thresholds = np.full(len(reference), np.nan) if rheobase_na is None else np.asarray(rheobase_na, dtype=float)
    if thresholds.shape != (len(reference),):
        raise ValueError(
            f"rheobase_na has shape {thresholds.shape}; expected one threshold a trace, ({len(reference)},)."
        )
    for batch, what in ((predicted, "predicted"), (reference, "reference")):
        broken = int(np.sum(~np.all(np.isfinite(batch.voltage_mv), axis=1)))
        if broken:  # left in, they would drop out of every mean and make a diverged operator look better
            raise ValueError(
                f"{broken} of {len(batch)} {what} traces hold NaN or infinite voltages; every voltage must be a finite "
                "number of mV. Has training diverged, or is the store damaged?"
            )
    error_norm, norm, centred_norm = _norms(predicted.voltage_mv, reference.voltage_mv)
    spikes = [_spike_comparison(p, r) for p, r in zip(predicted, reference, strict=True)]
    edges = {"onset_ms": onset_ms, "offset_ms": offset_ms, "names": tuple(feature_names)}
    return TraceTable(
        relative_l2=_ratio(error_norm, norm, floor=0.0),
        centred_relative_l2=_ratio(error_norm, centred_norm, floor=1e-9 * norm),
        rmse_mv=error_norm / np.sqrt(reference.grid.count),
        reference_spikes=np.array([row.expected for row in spikes], dtype=int),
        predicted_spikes=np.array([row.found for row in spikes], dtype=int),
        spike_time_errors_ms=tuple(row.errors_ms for row in spikes),
        coincidence=np.array([row.coincidence for row in spikes], dtype=float),
        coincidence_4ms=np.array([row.coincidence_4ms for row in spikes], dtype=float),
        matched_errors_ms=tuple(row.matched_errors_ms for row in spikes),
        rmse_between_spikes_mv=np.array([row.rmse_between_mv for row in spikes], dtype=float),
        ceiling=_ceiling(reference, finer),
        mean_drive_na=_mean_na(reference, onset_ms, offset_ms) - thresholds,
        near_current=np.abs(reference.current_na.max(axis=1) - thresholds) <= NEAR_THRESHOLD_NA + 1e-12,
        reference_features=extract(reference, **edges),
        predicted_features=extract(predicted, **edges),
    )


def _mean_na(reference: TraceBatch, onset_ms: float, offset_ms: float) -> np.ndarray:
    """Mean current between two instants, shape (batch,), nA."""
    times = reference.grid.times_ms
    return reference.current_na[:, (times >= onset_ms) & (times < offset_ms)].mean(axis=1, dtype=float)


def _norms(predicted_mv: np.ndarray, reference_mv: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Norms in time of the error, the reference and the centred reference, in double precision, each (batch,)."""
    reference = np.asarray(reference_mv, dtype=float)
    error = np.asarray(predicted_mv, dtype=float) - reference
    centred = reference - reference.mean(axis=1, keepdims=True)
    return np.linalg.norm(error, axis=1), np.linalg.norm(reference, axis=1), np.linalg.norm(centred, axis=1)


def _ratio(over: np.ndarray, under: np.ndarray, *, floor: np.ndarray | float) -> np.ndarray:
    """`over / under`, NaN where `under` is not above the floor."""
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > floor)


class _SpikeComparison(NamedTuple):
    """How the spikes of one trace compare; see `TraceTable`."""

    expected: int
    found: int
    errors_ms: np.ndarray
    coincidence: float
    coincidence_4ms: float
    matched_errors_ms: np.ndarray
    rmse_between_mv: float


def _spike_comparison(predicted: Trace, reference: Trace) -> _SpikeComparison:
    grid = reference.grid
    found = spike_times_ms(predicted.voltage_mv, dt_ms=grid.dt_ms)
    expected = spike_times_ms(reference.voltage_mv, dt_ms=grid.dt_ms)
    shared = min(found.size, expected.size)
    near, wide = (
        coincidence_factor(expected, found, duration_ms=grid.duration_ms, window_ms=window_ms)
        for window_ms in (COINCIDENCE_WINDOW_MS, WIDE_WINDOW_MS)
    )
    matched = matched_errors_ms(expected, found, window_ms=WIDE_WINDOW_MS)
    away = _away_from(np.concatenate([found, expected]), grid.times_ms)
    error = (np.asarray(predicted.voltage_mv, dtype=float) - reference.voltage_mv)[away]
    between = float(np.sqrt(np.mean(error**2))) if error.size else float("nan")
    errors = np.abs(found[:shared] - expected[:shared])
    return _SpikeComparison(expected.size, found.size, errors, near, wide, matched, between)


def matched_errors_ms(expected_ms: np.ndarray, found_ms: np.ndarray, *, window_ms: float) -> np.ndarray:
    """Distances of the spikes that `noble.spikes.matched_pairs` matches, ms.

    Args:
        expected_ms, found_ms: spike times in order.
        window_ms: largest distance of a pair.
    """
    pairs = np.array(matched_pairs(expected_ms, found_ms, window_ms=window_ms), dtype=int).reshape(-1, 2)
    return np.abs(found_ms[pairs[:, 1]] - expected_ms[pairs[:, 0]])


def _away_from(spikes_ms: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
    """Which instants lie farther from every spike than its upstroke and its fall last."""
    before, after = BETWEEN_SPIKES_MS
    away = np.ones(times_ms.size, dtype=bool)
    for start, stop in np.searchsorted(times_ms, np.stack([spikes_ms - before, spikes_ms + after], axis=1)):
        away[start:stop] = False
    return away


def _ceiling(reference: TraceBatch, finer: TraceBatch | None) -> np.ndarray:
    if finer is None:
        return np.full(len(reference), np.nan)
    grid = reference.grid
    trains = [
        [spike_times_ms(trace.voltage_mv, dt_ms=grid.dt_ms) for trace in pair]
        for pair in zip(reference, finer, strict=True)
    ]
    window = {"duration_ms": grid.duration_ms, "window_ms": COINCIDENCE_WINDOW_MS}
    return np.array([coincidence_factor(*pair, **window) for pair in trains], dtype=float)


def concatenate(tables: Sequence[TraceTable]) -> TraceTable:
    """One table of the traces of several, in order.

    Raises:
        ValueError: without any table.
    """
    if not tables:
        raise ValueError("no traces were compared; expected at least one. Check that the split is not empty.")
    joined: dict[str, Any] = {}
    for item in fields(TraceTable):
        parts = [getattr(table, item.name) for table in tables]
        if item.name in {"spike_time_errors_ms", "matched_errors_ms"}:
            joined[item.name] = tuple(errors for part in parts for errors in part)
        elif item.name.endswith("_features"):
            joined[item.name] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        else:
            joined[item.name] = np.concatenate(parts)
    return TraceTable(**joined)


def summarise(table: TraceTable) -> Summary:
    """The numbers of one subset, over all of its traces and over those of each regime (`regime_masks`, `drive_masks`)."""
    masks = table.regime_masks() | table.drive_masks()
    regimes = {name: _summary(table, mask) for name, mask in masks.items()}
    return replace(_summary(table, np.ones(len(table), dtype=bool)), regimes=regimes)


def _summary(table: TraceTable, mask: np.ndarray) -> Summary:
    """The numbers over the traces of a mask."""
    reference, predicted = table.reference_spikes, table.predicted_spikes
    fires = mask & (reference > 0)
    times = np.concatenate([np.empty(0), *(table.spike_time_errors_ms[row] for row in np.flatnonzero(mask))])
    matched = np.concatenate([np.empty(0), *(table.matched_errors_ms[row] for row in np.flatnonzero(mask))])
    true, total = int(reference[mask].sum()), int(predicted[mask].sum())
    features = {name: _feature_error(table, name, mask) for name in table.reference_features}
    percent = {name: item.error_percent for name, item in features.items()}
    return Summary(
        relative_l2_percent=finite_mean(100 * table.relative_l2[mask]),
        missed_percent=finite_mean(100 * ((reference > 0) & (predicted == 0))[mask]),
        false_percent=finite_mean(100 * ((reference == 0) & (predicted > 0))[mask]),
        spike_count_error_percent=finite_mean(100 * np.abs(predicted - reference)[fires] / reference[fires]),
        spike_time_median_ms=float(np.median(times)) if times.size else None,
        spike_time_p90_ms=float(np.quantile(times, 0.9)) if times.size else None,
        coincidence_1ms=finite_mean(table.coincidence[mask]),
        coincidence_4ms=finite_mean(table.coincidence_4ms[mask]),
        ceiling_coincidence_1ms=finite_mean(table.ceiling[mask]),
        missed_spikes_percent=100 * (true - matched.size) / true if true else None,
        extra_spikes_percent=100 * (total - matched.size) / true if true else None,
        matched_time_median_ms=float(np.median(matched)) if matched.size else None,
        matched_time_p90_ms=float(np.quantile(matched, 0.9)) if matched.size else None,
        rmse_between_spikes_mv=finite_mean(table.rmse_between_spikes_mv[mask]),
        spikes=true,
        ap1_width_error_percent=percent.get("AP1_width"),
        mean_ap_amplitude_error_percent=percent.get("mean_AP_amplitude"),
        steady_state_voltage_error_percent=percent.get("steady_state_voltage"),
        centred_relative_l2_percent=finite_mean(100 * table.centred_relative_l2[mask]),
        rmse_mv=finite_mean(table.rmse_mv[mask]),
        exact_count_percent=finite_mean(100 * (predicted == reference)[fires]),
        traces=int(mask.sum()),
        firing_traces=int(fires.sum()),
        all_features=features,
    )


def _feature_error(table: TraceTable, name: str, mask: np.ndarray) -> FeatureError:
    """Errors of one e-feature over the traces of a mask; a reference of exactly 0 has no relative error."""
    if name in _SPIKE_FEATURES:
        both_fire = (table.reference_spikes > 0) & (table.predicted_spikes > 0)
    else:
        both_fire = np.ones(len(table), dtype=bool)
    reference, predicted = table.reference_features[name], table.predicted_features[name]
    expected, found = np.isfinite(reference), np.isfinite(predicted)
    compared = mask & expected & found & both_fire
    with np.errstate(invalid="ignore"):  # where both are infinite, which is not compared
        difference = np.abs(predicted - reference)
    relative = compared & (reference != 0)
    return FeatureError(
        error_percent=finite_mean(100 * difference[relative] / np.abs(reference[relative])),
        mean_absolute_error=finite_mean(difference[compared]),
        unit=unit_of(name) if name in CATALOGUE else None,
        traces=int(compared.sum()),
        missing=int((mask & expected & ~found).sum()),
        extra=int((mask & ~expected & found).sum()),
    )
