"""What is doubtful about a sweep, each in one clause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from noble.recordings.kinds import Injection
from noble.traces import Trace
from noble.traces.stretches import block_means, longest_stretch

REST_MV: Final = (-100.0, -40.0)
"""Membranes rest between these; a voltage beyond is of another unit, or off by an electrode's offset."""

REST_WINDOW_MS: Final = 100.0
"""So much before the stimulus tells the rest: a test pulse or a prepulse may come before."""

# Before the stimulus 10 ms means scatter by no more; long after it the voltage is back to so much.
_BLOCK_MS: Final = 10.0
_LARGEST_SCATTER_MV: Final = 2.0
_LARGEST_DRIFT_MV: Final = 10.0
_SETTLED_MS: Final = 100.0
# An amplifier at its limit gives the same extreme for so long, and so often in a row, so far from the median.
_CLIPPED_MS: Final = 0.5
_CLIPPED_SAMPLES: Final = 3
_CLIPPED_MV: Final = 20.0
_SHORTEST_BEFORE_MS: Final = 5.0


def doubts(trace: Trace, given: Injection, *, rest_mv: float, spikes_ms: np.ndarray) -> Iterator[str]:
    """Reasons to look at a sweep before it is used.

    Args:
        trace: voltage and current.
        given: what was injected.
        rest_mv: voltage before the stimulus, mV; NaN if unknown.
        spikes_ms: peaks of its spikes, ms.
    """
    low, high = REST_MV
    if np.isfinite(rest_mv) and not low <= rest_mv <= high:
        yield f"it rests at {rest_mv:.0f} mV, where {low:g} to {high:g} mV is expected: an offset, or another unit?"
    if clipped := _clipped_mv(trace):
        yield f"its voltage is cut off at {clipped:.0f} mV"
    if not np.isfinite(given.onset_ms):
        return
    if given.kind == "steps" and given.onset_ms < _SHORTEST_BEFORE_MS:
        yield f"only {given.onset_ms:.2g} ms lie before its step"
    if early := int(np.sum(spikes_ms < given.onset_ms)):
        yield f"it fires {early} spike{'s' if early > 1 else ''} before its stimulus"
    elif (scatter := _scatter_mv(trace, given.onset_ms)) > _LARGEST_SCATTER_MV:
        yield f"its voltage scatters by {scatter:.1f} mV before the stimulus"
    drift = _drift_mv(trace, given, rest_mv)
    if abs(drift) > _LARGEST_DRIFT_MV:
        yield f"its voltage ends {drift:+.0f} mV from where it began"


def _clipped_mv(trace: Trace) -> float | None:
    """The extreme at which a voltage stays for half a millisecond, far from where it is mostly; None if it does not."""
    voltage_mv, middle = trace.voltage_mv, float(np.median(trace.voltage_mv))
    for extreme in (float(voltage_mv.max()), float(voltage_mv.min())):
        longest = longest_stretch(voltage_mv == extreme)
        if abs(extreme - middle) > _CLIPPED_MV and longest > max(_CLIPPED_SAMPLES, _CLIPPED_MS / trace.grid.dt_ms):
            return extreme
    return None


def _scatter_mv(trace: Trace, onset_ms: float) -> float:
    """Standard deviation of 10 ms means in the 100 ms before the stimulus, mV; 0 where there are too few."""
    size = round(_BLOCK_MS / trace.grid.dt_ms)
    stop = int(onset_ms / trace.grid.dt_ms)
    before = trace.voltage_mv[max(0, stop - round(REST_WINDOW_MS / trace.grid.dt_ms)) : stop]
    if size < 1 or before.size < 3 * size:
        return 0.0
    return float(block_means(before, size).std())


def _drift_mv(trace: Trace, given: Injection, rest_mv: float) -> float:
    """How far the last 50 ms are from rest, if they are well after the stimulus; else 0."""
    dt_ms = trace.grid.dt_ms
    if not np.isfinite(rest_mv) or trace.grid.duration_ms - given.offset_ms < 2 * _SETTLED_MS:
        return 0.0
    return float(np.median(trace.voltage_mv[-max(1, round(_SETTLED_MS / 2 / dt_ms)) :])) - rest_mv
