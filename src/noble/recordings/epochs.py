"""Which part of a protocol varies from sweep to sweep: the step, among test pulses and prepulses that all sweeps share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

# Currents are compared in medians of so much time; differences count from here on.
_BLOCK_MS: Final = 1.0
_SMALLEST_NA: Final = 0.002
_NOISE_TIMES: Final = 8.0
# Gaps shorter than this within a step do not end it.
_GAP_MS: Final = 5.0
_SHORTEST_MS: Final = 3.0
# So much on either side of a step tells its holding current, if nothing else happens there.
_AROUND_MS: Final = 50.0


class VaryingEpoch(NamedTuple):
    """Samples, to about a millisecond.

    Attributes:
        first, stop: of the epoch; `stop` is one after its last.
        start, end: of the stretch round it in which nothing else happens; `end` is one after its last.
    """

    first: int
    stop: int
    start: int
    end: int


def varying_epoch(currents_na: Sequence[np.ndarray], *, dt_ms: float) -> VaryingEpoch | None:
    """The epoch that differs between sweeps.

    Where several do, it is the first of those that vary at least half as much as the most varied one.

    Args:
        currents_na: of sweeps of one protocol and length, at least two.
        dt_ms: sampling interval.

    Returns:
        None if nothing varies, or everything does.
    """
    size = max(1, round(_BLOCK_MS / dt_ms))
    count = currents_na[0].size // size
    if count < 3:
        return None
    blocks = np.stack([np.median(current[: count * size].reshape(count, size), axis=1) for current in currents_na])
    noise = 1.4826 * float(np.median(np.abs(np.diff(blocks, axis=1)))) / np.sqrt(2)
    # The spread over sweeps of one level is that of noise; extremes of many sweeps are wider.
    spread = np.ptp(blocks, axis=0)
    allowed = max(_SMALLEST_NA, _NOISE_TIMES * noise)
    varies = spread > float(np.quantile(spread, 0.1)) + allowed
    runs = _runs(varies, gap=max(1, round(_GAP_MS / _BLOCK_MS)), shortest=round(_SHORTEST_MS / _BLOCK_MS))
    if not runs:
        return None
    most = [float(np.median(spread[first:stop])) for first, stop in runs]
    first, stop = next(run for run, value in zip(runs, most, strict=True) if value >= 0.5 * max(most))
    if first == 0 or stop == count:
        return None
    typical = np.median(blocks, axis=0)
    before = _quiet(typical[:first][::-1], allowed)
    after = _quiet(typical[stop:], allowed)
    return VaryingEpoch(first * size, stop * size, (first - before) * size, (stop + after) * size)


def _quiet(levels_na: np.ndarray, allowed_na: float) -> int:
    """How many blocks, counted from the epoch outwards, have the level of the first few."""
    most = round(_AROUND_MS / _BLOCK_MS)
    near = levels_na[:most]
    level = float(np.median(near[1:4])) if near.size > 1 else float(near[0])
    strays = np.flatnonzero(np.abs(near[1:] - level) > allowed_na)
    return int(strays[0]) if strays.size else near.size


def _runs(mask: np.ndarray, *, gap: int, shortest: int) -> list[tuple[int, int]]:
    """Stretches where a mask holds; short gaps are bridged, and short stretches left out."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    found: list[tuple[int, int]] = []
    for first, stop in edges.reshape(-1, 2).tolist():
        if found and first - found[-1][1] < gap:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((first, stop))
    return [(first, stop) for first, stop in found if stop - first >= shortest]
