"""The command behind a recorded current.

An amplifier that injects current into a spiking cell records more than its command: at every spike the measured current jumps
for a few milliseconds, by up to 1 nA in some rigs. Those samples say nothing of the stimulus.
"""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
from scipy.signal import find_peaks

# A spike stands out by so much from what is around it, mV, and rises at least so fast, mV/ms.
_PROMINENCE_MV: Final = 15.0
_AROUND_MS: Final = 20.0
_UPSTROKE_MV_PER_MS: Final = 5.0
_RISE_MS: Final = 2.0
# How long a spike bends the recorded current, before and after its peak, and what is taken for the current beside it.
_BEFORE_MS: Final = 1.5
_AFTER_MS: Final = 5.0
_BESIDE_MS: Final = 2.0


def clean_command(current_na: np.ndarray, voltage_mv: np.ndarray, *, dt_ms: float) -> np.ndarray:
    """A recorded current without what spikes add to it.

    Round each spike the current is kept within the range that it has just before it, up to where an edge explains it best, and
    from there on within the range just after it: an edge of a step stays, an excursion that returns does not.

    Args:
        current_na, voltage_mv: on the same instants, shape (time,).
        dt_ms: sampling interval.
    """
    cleaned = current_na.copy()
    before, after, beside = (max(1, round(time / dt_ms)) for time in (_BEFORE_MS, _AFTER_MS, _BESIDE_MS))
    for first, stop in _joined(_spikes(voltage_mv, dt_ms), before, after, current_na.size):
        left = cleaned[max(0, first - beside) : first]
        right = current_na[stop : stop + beside]
        if not left.size or not right.size:
            continue
        edge = _edge(cleaned[first:stop], float(np.median(left)), float(np.median(right)))
        for part, beside_it in ((slice(first, first + edge), left), (slice(first + edge, stop), right)):
            cleaned[part] = np.clip(cleaned[part], *np.quantile(beside_it, [0.05, 0.95]))
    return cleaned


def _edge(values_na: np.ndarray, before_na: float, after_na: float) -> int:
    """How many of some values belong to the level before them, the rest to the level after: what explains them best."""
    before, after = np.abs(values_na - before_na), np.abs(values_na - after_na)
    costs = np.concatenate([[0.0], np.cumsum(before)]) + np.concatenate([np.cumsum(after[::-1])[::-1], [0.0]])
    return int(np.argmin(costs))


def _spikes(voltage_mv: np.ndarray, dt_ms: float) -> np.ndarray:
    """Samples of the peaks of spikes, wherever the cell rests."""
    width = max(3, 2 * round(_AROUND_MS / dt_ms) + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of peaks without prominence, which are not wanted
        peaks, _ = find_peaks(voltage_mv, prominence=_PROMINENCE_MV, wlen=width)
    rise = max(1, round(_RISE_MS / dt_ms))
    slopes = np.diff(voltage_mv) / dt_ms
    fast = [slopes[max(0, peak - rise) : peak].max(initial=0.0) >= _UPSTROKE_MV_PER_MS for peak in peaks]
    return peaks[np.array(fast, dtype=bool)]


def _joined(peaks: np.ndarray, before: int, after: int, count: int) -> list[tuple[int, int]]:
    """Stretches round the peaks; those that touch are one."""
    found: list[tuple[int, int]] = []
    for peak in peaks.tolist():
        first, stop = max(0, peak - before), min(count, peak + after)
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((first, stop))
    return found
