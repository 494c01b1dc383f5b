"""What kind of current a sweep was given: steps, ramps, pulses, noise, none, or unknown.

Names of protocols differ from laboratory to laboratory, so only the samples decide. Whatever is drawn with straight lines is told
by its lines; of the rest, noise turns often and is distributed like noise, which a sine or a chirp is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np

from noble.traces.stretches import block_means, stretches

Kind = Literal["steps", "ramps", "pulses", "noise", "none", "unknown"]

SHORTEST_STEP_MS: Final = 20.0
"""What is shorter is a pulse."""

_BLOCK_MS: Final = 0.25
_SMALLEST_NA: Final = 0.002
# A current is none if its 1st to 199th 200-quantiles lie within so many times its noise: 5.2 for white noise.
_NOISE_RANGE: Final = 7.0
_QUANTILES: Final = (0.005, 0.995)
# Lines are within this part of the range, and this many times the noise, of the current.
_LINE_SHARE: Final = 0.03
_LINE_NOISE: Final = 4.0
_MOST_LINES: Final = 2000
# More than so many lines are longer than this on average, or they follow noise.
_FEW_LINES: Final = 40
_SHORTEST_LINE_BLOCKS: Final = 8
_MOST_SLOPES: Final = 20
_LARGEST_BENT: Final = 1 / 3
# The edge of a pulse or a step takes no longer, a slope does.
_EDGE_MS: Final = 5.0
# Noise turns at least so often a second, at 1 ms, and its kurtosis is at least this: 3 if Gaussian, 1.5 for a sine or a chirp.
_TURNS_PER_S: Final = 20.0
_LEAST_KURTOSIS: Final = 2.0


@dataclass(frozen=True)
class Injection:
    """What a sweep was given.

    Attributes:
        kind: what it is made of.
        amplitude_na: largest departure from the holding current, nA; of noise, its standard deviation.
        onset_ms, offset_ms: when it begins and ends, from the first sample, ms; NaN if there is none.
        holding_na: current beside it, nA.
    """

    kind: Kind
    amplitude_na: float
    onset_ms: float
    offset_ms: float
    holding_na: float


class _Line(NamedTuple):
    first: int
    last: int
    rise_na: float


def injection(current_na: np.ndarray, *, dt_ms: float) -> Injection:
    """The kind of a current, and when and how strong it was.

    Args:
        current_na: without what spikes add to it (`clean_command`), shape (time,), nA.
        dt_ms: sampling interval, ms.
    """
    size = max(1, round(_BLOCK_MS / dt_ms))
    block_ms = size * dt_ms
    values = block_means(current_na, size)
    spread = float(np.ptp(np.quantile(values, _QUANTILES)))
    noise = 1.4826 * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2) if values.size > 1 else 0.0
    reach = float(np.ptp(values))
    if spread <= max(_SMALLEST_NA, _NOISE_RANGE * noise) and reach <= max(_SMALLEST_NA, 2 * _NOISE_RANGE * noise):
        return Injection("none", 0.0, float("nan"), float("nan"), float(np.median(values)))
    within = max(_SMALLEST_NA / 2, _LINE_SHARE * reach, _LINE_NOISE * noise)
    corners = _corners(values, within)
    if corners is None or len(corners) > max(_FEW_LINES, (corners[-2] - corners[1]) / _SHORTEST_LINE_BLOCKS):
        return _curved(values, block_ms)
    lines = [_Line(a, b, float(values[b] - values[a])) for a, b in pairwise(corners)]
    long = [line for line in lines if (line.last - line.first) * block_ms > _EDGE_MS]
    slopes = [line for line in long if abs(line.rise_na) > 2 * within]
    # A curve is followed by lines of which one goes on where the other ends, in the same direction.
    bent = sum(one.last == other.first and one.rise_na * other.rise_na > 0 for one, other in pairwise(slopes))
    if len(slopes) > _MOST_SLOPES or bent > _LARGEST_BENT * len(slopes):
        return _curved(values, block_ms)
    return _of_lines(values, lines, slopes, within, block_ms)


def _of_lines(
    values: np.ndarray, lines: list[_Line], slopes: list[_Line], within_na: float, block_ms: float
) -> Injection:
    """Ramps if one of the lines is a slope, else steps or pulses, by what is away from the holding current."""
    flat = [line for line in lines if (line.last - line.first) * block_ms > _EDGE_MS and line not in slopes]
    before = flat[0] if flat else lines[0]
    holding = float(np.median(values[before.first : before.last])) if flat else float(values[0])
    away = values - holding
    if slopes:
        first, last = _start(away, slopes[0], within_na), int(np.flatnonzero(np.abs(away) > within_na)[-1])
        peak = away[first : last + 1][int(np.argmax(np.abs(away[first : last + 1])))]
        return Injection("ramps", float(peak), first * block_ms, (last + 1) * block_ms, holding)
    parts = stretches(np.abs(away) > within_na)
    heights = np.array([float(np.median(away[first:stop])) for first, stop in parts])
    if not len(parts):
        return Injection("unknown", float(away[np.argmax(np.abs(away))]), 0.0, values.size * block_ms, holding)
    lasting = (parts[:, 1] - parts[:, 0]) * block_ms >= SHORTEST_STEP_MS
    kind: Kind = "steps" if np.any(lasting) else "pulses"
    chosen = int(np.argmax(np.abs(heights) * (lasting if np.any(lasting) else 1)))
    first, stop = parts[chosen] if kind == "steps" else (parts[0, 0], parts[-1, 1])
    return Injection(kind, float(heights[chosen]), float(first * block_ms), float(stop * block_ms), holding)


def _start(away_na: np.ndarray, slope: _Line, within_na: float) -> int:
    """Where a slope leaves the holding current: the corner itself may lie anywhere within the distance of the lines."""
    inner = np.arange(slope.first + (slope.last - slope.first) // 4, slope.last - (slope.last - slope.first) // 10)
    gradient, level = np.polyfit(inner, away_na[inner], 1)
    if abs(away_na[slope.first]) > 2 * within_na:  # it begins with a jump
        return slope.first
    return int(np.clip(round(-level / gradient), slope.first, slope.last))


def _curved(values: np.ndarray, block_ms: float) -> Injection:
    """Noise, or something unknown, and when it lasts."""
    holding = _level_at_rest(values)
    size = max(1, round(1.0 / block_ms))
    means = block_means(values, size)
    moving = np.abs(means - holding) > max(_SMALLEST_NA, 0.02 * float(np.ptp(means)))
    first, last = (int(index) for index in np.flatnonzero(moving)[[0, -1]])
    active = means[first : last + 1]
    onset_ms, offset_ms = float(first * size * block_ms), float((last + 1) * size * block_ms)
    turns = np.sum(np.diff(np.sign(np.diff(active))) != 0) if active.size > 2 else 0
    often = turns >= _TURNS_PER_S * (offset_ms - onset_ms) / 1000.0
    if often and _kurtosis(active) >= _LEAST_KURTOSIS:
        return Injection("noise", float(active.std()), onset_ms, offset_ms, holding)
    peak = (means - holding)[int(np.argmax(np.abs(means - holding)))]
    return Injection("unknown", float(peak), onset_ms, offset_ms, holding)


def _level_at_rest(values: np.ndarray) -> float:
    """The level that a current keeps at its start or its end; 0 if it keeps none."""
    near = max(2, min(40, values.size // 10))
    scale = float(np.ptp(values))
    for part in (values[:near], values[-near:]):
        if float(np.ptp(part)) <= 0.02 * scale:
            return float(np.median(part))
    return 0.0


def _kurtosis(values: np.ndarray) -> float:
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    return float(np.mean(centred**4)) / variance**2 if variance > 0 else 0.0


def _corners(values: np.ndarray, within: float) -> list[int] | None:
    """Where lines meet that follow some values within a distance (Ramer 1972; Douglas and Peucker 1973).

    Returns:
        Indices, the first and the last among them; None if it takes too many.
    """
    found, waiting = [0, values.size - 1], [(0, values.size - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        chord = np.linspace(values[first], values[last], last - first + 1)
        off = np.abs(values[first : last + 1] - chord)
        at = int(np.argmax(off))
        if off[at] > within:
            found.append(first + at)
            if len(found) > _MOST_LINES:
                return None
            waiting += [(first, first + at), (first + at, last)]
    return sorted(found)
