"""The voltage that a current drops across the electrode it is injected through, where no amplifier took it off.

A membrane charges slowly: what the recorded voltage does at once when the current jumps is the electrode's. The answer to a jump
is measured by regression of the voltage's changes on those of the current in the last millisecond. After the first tenths of a
millisecond the electrode is charged, and the answer rises along a line, t / C; this line, drawn back to the jump, begins at
the series resistance. Active electrode compensation (Brette et al. 2008) estimates the whole kernel; this is its sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from noble.recordings.raw import RawSweep
from noble.traces import Trace

# The answer is followed for so long, and is a line from here on.
_FOLLOWED_MS: Final = 1.0
_CHARGED_MS: Final = 0.3
_LEAST_LAGS: Final = 4
# Round spikes the voltage does not answer the current alone.
_BEFORE_SPIKE_MS: Final = 5.0
_AFTER_SPIKE_MS: Final = 20.0
# A jump is so many times the current's usual change. Jumps that make up less of all change are odd samples of fast noise.
_JUMP_TIMES: Final = 10.0
_SMALLEST_JUMP_NA: Final = 0.005
_JUMPS_SHARE: Final = 0.1
# The fast part of a current tells a resistance if it explains so much of the voltage's changes, so many times their error.
_LEAST_EXPLAINED: Final = 0.1
_LEAST_TIMES_ERROR: Final = 10.0
_LARGEST_CONDITION: Final = 1e4


def series_resistance_mohm(sweeps: Sequence[RawSweep]) -> float | None:
    """Series resistance of an electrode in MOhm, from sweeps whose current has steps or is fast noise.

    Where currents have jumps that stand out, the first millisecond after each tells it, else all samples away from spikes do.
    Noise that a channel adds to a current that has no jumps makes the resistance too small.

    Args:
        sweeps: of one cell through one electrode.

    Returns:
        None where the currents have no fast part that moves the voltage, or are sampled more coarsely than 0.25 ms.
    """
    if not sweeps:
        return None
    dt_ms = sweeps[0].trace.grid.dt_ms
    lags = round(_FOLLOWED_MS / dt_ms) + 1
    if lags <= _LEAST_LAGS:
        return None
    used = [item for item in sweeps if item.trace.grid.dt_ms == dt_ms and item.trace.grid.count > 2 * lags]
    # The last unknown is the mean drift.
    normal, right, total, count = np.zeros((lags + 1, lags + 1)), np.zeros(lags + 1), 0.0, 0
    for sweep, kept in zip(used, _telling(used, lags), strict=True):
        current, voltage = np.diff(sweep.trace.current_na), np.diff(sweep.trace.voltage_mv)
        known = np.stack([*(np.roll(current, lag)[kept] for lag in range(lags)), np.ones(int(kept.sum()))])
        normal += known @ known.T
        right += known @ voltage[kept]
        total += float(voltage[kept] @ voltage[kept])
        count += int(kept.sum())
    return _intercept(normal, right, total, count, dt_ms)


def without_electrode(sweep: RawSweep, series_mohm: float) -> RawSweep:
    """The sweep with what its current drops across a series resistance taken off its voltage.

    Args:
        sweep: as recorded.
        series_mohm: see `series_resistance_mohm`.
    """
    trace = sweep.trace
    return replace(sweep, trace=Trace(trace.grid, trace.voltage_mv - series_mohm * trace.current_na, trace.current_na))


def _telling(sweeps: Sequence[RawSweep], lags: int) -> list[np.ndarray]:
    """Which changes of the voltage tell something: not at spikes nor at the start; after jumps of the current if it has some."""
    quiet, jumps, all_change, in_jumps = [], [], 0.0, 0.0
    for sweep in sweeps:
        dt_ms, change = sweep.trace.grid.dt_ms, np.abs(np.diff(sweep.trace.current_na))
        kept = np.ones(change.size, dtype=bool)
        kept[:lags] = False
        for peak in sweep.peaks:
            kept[max(0, peak - round(_BEFORE_SPIKE_MS / dt_ms)) : peak + round(_AFTER_SPIKE_MS / dt_ms)] = False
        usual = 1.4826 * float(np.median(change))
        quiet.append(kept)
        jumps.append(kept & (change > max(_SMALLEST_JUMP_NA, _JUMP_TIMES * usual)))
        all_change += float(np.sum(change[kept] ** 2))
        in_jumps += float(np.sum(change[jumps[-1]] ** 2))
    if in_jumps <= _JUMPS_SHARE * all_change:
        return quiet
    for kept, jumped in zip(quiet, jumps, strict=True):
        after = np.zeros_like(kept)
        for jump in np.flatnonzero(jumped):
            after[jump : jump + lags] = True
        kept &= after
    return quiet


def _intercept(normal: np.ndarray, right: np.ndarray, total: float, count: int, dt_ms: float) -> float | None:
    """Where the line through the late part of the answer to a jump begins."""
    lags = len(right) - 1
    if count <= 2 * lags or total == 0 or not np.all(np.diag(normal) > 0):
        return None
    scale = np.sqrt(np.diag(normal))
    if np.linalg.cond(normal / np.outer(scale, scale)) > _LARGEST_CONDITION:  # slopes: the current's changes go on
        return None
    covariance = np.linalg.inv(normal)
    each = covariance @ right
    explained = float(right @ each) / total
    times = np.arange(lags) * dt_ms
    late = times >= _CHARGED_MS
    # The intercept of a line through the cumulative sum is linear in its steps.
    design = np.stack([np.ones(int(late.sum())), times[late]])
    weights = np.append((np.linalg.pinv(design.T)[0] @ np.tri(lags)[late]), 0.0)
    series = float(weights @ each)
    error = float(np.sqrt(max(0.0, (1 - explained) * total / count) * (weights @ covariance @ weights)))
    return series if explained >= _LEAST_EXPLAINED and series >= _LEAST_TIMES_ERROR * error else None
