"""The command behind a recorded current.

An amplifier that injects current into a spiking cell records more than its command: at every spike the measured current jumps
for a few milliseconds, by up to 1 nA in some rigs. Those samples say nothing of the stimulus.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from noble.traces.stretches import stretches

# How long a spike bends the recorded current, before and after its peak, and what is taken for the current beside it.
_BEFORE_MS: Final = 1.5
_AFTER_MS: Final = 5.0
_BESIDE_MS: Final = 2.0
# The current leaves its range at spikes by more than so many times what it does at the worst tenth of so many other times.
_TIMES_ELSEWHERE: Final = 3.0
_WINDOWS_ELSEWHERE: Final = 50
# So much of the current beside a spike, at either end of its range, is not held against it.
_STRAYS: Final = 0.05


def clean_command(current_na: np.ndarray, peaks: np.ndarray, *, dt_ms: float) -> np.ndarray:
    """A recorded current without what spikes add to it.

    Round each spike the current is kept within the range that it has just before it, up to where an edge explains it best, and
    from there on within the range just after it: an edge of a step stays, an excursion that returns does not. A current that
    does the same elsewhere, as noise does, or that shows nothing of the spikes, stays as it is.

    Args:
        current_na: shape (time,), nA.
        peaks: samples of the peaks of spikes, shape (spikes,).
        dt_ms: sampling interval, ms.
    """
    before, after, beside = (max(1, round(time / dt_ms)) for time in (_BEFORE_MS, _AFTER_MS, _BESIDE_MS))
    bent = np.zeros(current_na.size, dtype=bool)
    for peak in peaks:
        bent[max(0, peak - before) : peak + after] = True
    windows = stretches(bent)
    if not len(windows):
        return current_na
    at_spikes = [_change(current_na, first, stop, beside) for first, stop in windows]
    elsewhere = [_change(current_na, first, stop, beside) for first, stop in _outside(bent, before + after)]
    if elsewhere and np.median(at_spikes) <= _TIMES_ELSEWHERE * np.quantile(elsewhere, 0.9):
        return current_na
    cleaned = current_na.copy()
    for first, stop in windows:
        cleaned[first:stop] = _smoothed(cleaned, first, stop, beside)
    return cleaned


def _change(current_na: np.ndarray, first: int, stop: int, beside: int) -> float:
    """How far the current of a window leaves the range beside it, nA."""
    return float(np.max(np.abs(_smoothed(current_na, first, stop, beside) - current_na[first:stop])))


def _smoothed(current_na: np.ndarray, first: int, stop: int, beside: int) -> np.ndarray:
    """The current of a window, kept within the range that it has beside it."""
    kept = current_na[first:stop].copy()
    left, right = current_na[max(0, first - beside) : first], current_na[stop : stop + beside]
    if left.size and right.size:
        edge = _edge(kept, float(np.median(left)), float(np.median(right)))
        for part, beside_it in ((slice(edge), left), (slice(edge, None), right)):
            ordered = np.sort(beside_it)
            cut = int(_STRAYS * ordered.size)
            kept[part] = np.clip(kept[part], ordered[cut], ordered[-1 - cut])
    return kept


def _outside(mask: np.ndarray, length: int) -> list[tuple[int, int]]:
    """Windows of a length in which a mask holds nowhere, evenly spread."""
    starts = np.linspace(0, mask.size - length, min(_WINDOWS_ELSEWHERE, max(1, mask.size // length))).astype(int)
    return [
        (start, start + length)
        for start in np.unique(starts).tolist()
        if start >= 0 and not mask[start : start + length].any()
    ]


def _edge(values_na: np.ndarray, before_na: float, after_na: float) -> int:
    """How many of some values belong to the level before them, the rest to the level after: what explains them best."""
    before, after = np.abs(values_na - before_na), np.abs(values_na - after_na)
    costs = np.concatenate([[0.0], np.cumsum(before)]) + np.concatenate([np.cumsum(after[::-1])[::-1], [0.0]])
    return int(np.argmin(costs))
