"""The parts of a protocol, and which of them varies from sweep to sweep: the step, not what all sweeps share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from noble.traces.stretches import stretches

# Currents are compared in medians of so much time; differences count from here on.
_BLOCK_MS: Final = 1.0
_SMALLEST_NA: Final = 0.002
_NOISE_TIMES: Final = 8.0
# Gaps shorter than this within a step do not end it.
_GAP_MS: Final = 5.0
_SHORTEST_MS: Final = 3.0
# So much on either side of a step tells its holding current, if nothing else happens there.
_AROUND_MS: Final = 50.0
# Too few to tell anything apart.
_LEAST_BLOCKS: Final = 3
# A ramp rises by more than this part of its height.
_LARGEST_TREND: Final = 0.25
# A level lasts for so many blocks, in this part of the sweeps at least; what has more edges is noise.
_LEVEL_BLOCKS: Final = 5
_SHARE_OF_SWEEPS: Final = 0.35
_MOST_EDGES: Final = 30


class Epoch(NamedTuple):
    """A part of a protocol in which the current is level, and not what it is at the start; in samples, to about a millisecond.

    Attributes:
        first, stop: of the epoch; `stop` is one after its last.
        start, end: of the stretch round it in which nothing else happens; `end` is one after its last.
    """

    first: int
    stop: int
    start: int
    end: int


def epochs(currents_na: Sequence[np.ndarray], *, dt_ms: float) -> list[Epoch]:
    """All epochs of a protocol, in the order of time: test pulses, prepulses and steps.

    Args:
        currents_na: of sweeps of one protocol and length, without what spikes add to them (`clean_command`).
        dt_ms: sampling interval.
    """
    blocks, size, allowed = _blocks(currents_na, dt_ms)
    if blocks.shape[1] < _LEAST_BLOCKS:
        return []
    edges = _edges(blocks, allowed)
    if len(edges) > _MOST_EDGES:  # noise
        return []
    at_start = np.median(blocks[:, : edges[0]], axis=1) if edges else blocks[:, 0]
    found = []
    for first, stop in pairwise(edges):
        if stop - first < _LEVEL_BLOCKS:
            continue
        inside = blocks[:, first + 1 : stop - 1]
        fifth = max(1, (stop - first) // 5)
        trend = np.abs(np.median(inside[:, -fifth:], axis=1) - np.median(inside[:, :fifth], axis=1))
        away = np.abs(np.median(inside, axis=1) - at_start)
        if np.any(away > allowed) and np.all(trend <= allowed + _LARGEST_TREND * away):
            found.append(_with_surroundings(blocks, first, stop, size, allowed))
    return found


def _edges(blocks: np.ndarray, allowed_na: float) -> list[int]:
    """First blocks of new levels: where the medians of the blocks before and after differ most, in some sweeps at least."""
    count, width = blocks.shape[1], _LEVEL_BLOCKS
    if count < 2 * width + 1:
        return []
    windows = np.median(np.lib.stride_tricks.sliding_window_view(blocks, width, axis=1), axis=2)
    jumps = np.abs(windows[:, width:] - windows[:, :-width])  # at block `width + k`
    least = np.quantile(jumps, 1 - _SHARE_OF_SWEEPS, axis=0, method="higher")
    found = []
    for first, stop in _runs(least > allowed_na, gap=0, shortest=1):
        if stop - first > 2 * width:  # a slope
            continue
        # Within a run of high differences, the edge is where the current itself changes most.
        steps = np.abs(np.diff(blocks[:, first + width - 1 : stop + width], axis=1)).mean(axis=0)
        found.append(first + width + int(np.argmax(steps)))
    return found


def varying_epoch(currents_na: Sequence[np.ndarray], *, dt_ms: float) -> Epoch | None:
    """The epoch that differs between sweeps.

    Where several do, it is the first of those that vary at least half as much as the most varied one.

    Args:
        currents_na: of sweeps of one protocol and length, at least two.
        dt_ms: sampling interval.

    Returns:
        None if nothing varies, or everything does.
    """
    blocks, size, allowed = _blocks(currents_na, dt_ms)
    count = blocks.shape[1]
    if count < _LEAST_BLOCKS:
        return None
    # The spread over sweeps of one level is that of noise; extremes of many sweeps are wider.
    spread = np.ptp(blocks, axis=0)
    varies = spread > float(np.quantile(spread, 0.1)) + allowed
    runs = _runs(varies, gap=max(1, round(_GAP_MS / _BLOCK_MS)), shortest=round(_SHORTEST_MS / _BLOCK_MS))
    if not runs:
        return None
    most = [float(np.median(spread[first:stop])) for first, stop in runs]
    first, stop = next(run for run, value in zip(runs, most, strict=True) if value >= 0.5 * max(most))
    if first == 0 or stop == count:
        return None
    return _with_surroundings(blocks, first, stop, size, allowed)


def _blocks(currents_na: Sequence[np.ndarray], dt_ms: float) -> tuple[np.ndarray, int, float]:
    """Medians over a millisecond, shape (sweeps, blocks), nA; samples of each; and what differences must exceed, nA."""
    size = max(1, round(_BLOCK_MS / dt_ms))
    count = currents_na[0].size // size
    blocks = np.stack([np.median(current[: count * size].reshape(count, size), axis=1) for current in currents_na])
    noise = 1.4826 * float(np.median(np.abs(np.diff(blocks, axis=1)))) / np.sqrt(2) if count > 1 else 0.0
    return blocks, size, max(_SMALLEST_NA, _NOISE_TIMES * noise)


def _with_surroundings(blocks: np.ndarray, first: int, stop: int, size: int, allowed_na: float) -> Epoch:
    """An epoch from and to these blocks, in samples, and the stretch round it in which nothing else happens."""
    typical = np.median(blocks, axis=0)
    before = _quiet(typical[:first][::-1], allowed_na)
    after = _quiet(typical[stop:], allowed_na)
    return Epoch(first * size, stop * size, (first - before) * size, (stop + after) * size)


def _quiet(levels_na: np.ndarray, allowed_na: float) -> int:
    """How many blocks, counted from the epoch outwards, have the level of the first few."""
    most = round(_AROUND_MS / _BLOCK_MS)
    near = levels_na[:most]
    level = float(np.median(near[1:4])) if near.size > 1 else float(near[0])
    strays = np.flatnonzero(np.abs(near[1:] - level) > allowed_na)
    return int(strays[0]) if strays.size else near.size


def _runs(mask: np.ndarray, *, gap: int, shortest: int) -> list[tuple[int, int]]:
    """Stretches where a mask holds; short gaps are bridged, and short stretches left out."""
    found: list[tuple[int, int]] = []
    for first, stop in stretches(mask).tolist():
        if found and first - found[-1][1] < gap:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((first, stop))
    return [(first, stop) for first, stop in found if stop - first >= shortest]
