"""Finding the rectangular step in an injected current.

Names of protocols differ from laboratory to laboratory, so only the samples decide where a step is and how high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from noble.recordings.epochs import Epoch
from noble.traces.stretches import block_means

# Blocks of the coarse search, and how far from its answer an edge may be.
_BLOCKS: Final = 700
_EDGE_SEARCH_MS: Final = 10.0
# What is averaged on either side of an edge.
_EDGE_MEAN_MS: Final = 0.5
# Injected noise forgets itself in less than this.
_NOISE_BLOCK_MS: Final = 20.0
# A step is one from here on: nA, and standard errors.
_SMALLEST_STEP_NA: Final = 0.0005
_SIGNIFICANT_ERRORS: Final = 6.0
# A step is rectangular if both edges jump by this part of its amplitude, and if 1 ms means of the current, all but a few, are
# no further from the rectangle than this part of it and so many times their noise; outside, test pulses may take this part of
# the time.
_SMALLEST_JUMP: Final = 0.5
_MEAN_MS: Final = 1.0
_LARGEST_RESIDUAL: Final = 0.25
_LARGEST_OFF: Final = 0.02
_RESIDUAL_NOISE: Final = 10.0
_TEST_PULSES: Final = 0.2
# A level neither rises nor falls by more than this part of the amplitude, and this much, nA.
_LARGEST_TREND: Final = 0.05
_SMALLEST_TREND_NA: Final = 0.001
# So much of a level must be flat; what an amplifier adds at its edges need not.
_SMALLEST_FLAT: Final = 0.95


@dataclass(frozen=True)
class StepFit:
    """A rectangle found in a current.

    Attributes:
        onset, offset: first sample of the step and first sample after it.
        amplitude_na: mean inside less holding, nA.
        amplitude_error_na: its standard error, nA.
        holding_na: mean outside, nA.
    """

    onset: int
    offset: int
    amplitude_na: float
    amplitude_error_na: float
    holding_na: float


def fit_step(current_na: np.ndarray, *, dt_ms: float) -> StepFit:
    """The rectangular step in a current that may be noisy and may hold a short test pulse outside the step.

    Least squares over all rectangles on a coarse grid find the step; each edge then moves to the largest difference between
    the half milliseconds before and after it. Errors come from the scatter of 20 ms means, longer than the noise remembers.

    Args:
        current_na: shape (time,), nA.
        dt_ms: sampling interval, ms.

    Raises:
        ValueError: if there is no step, if it begins or ends with the sweep, or if it is not rectangular.
    """
    onset, offset = _coarse_rectangle(current_na)
    complete = onset > 0 and offset < current_na.size
    if complete:
        onset, offset = _refined_edges(current_na, onset, offset, dt_ms=dt_ms)
    levels = _levels(current_na, onset, offset, dt_ms=dt_ms)
    if not levels.differ:
        raise ValueError("no rectangular step was found in its stimulus.")
    if not complete:
        raise ValueError("its step begins or ends with the sweep; expected holding current before and after.")
    if not _rectangular(current_na, onset, offset, levels, dt_ms=dt_ms):
        raise ValueError("its stimulus is not one rectangular step.")
    return StepFit(onset, offset, levels.amplitude_na, levels.error_na, levels.holding_na)


def fit_step_near(current_na: np.ndarray, epoch: Epoch, *, dt_ms: float) -> StepFit | None:
    """The rectangular step of a sweep in the epoch that varies, whatever else the sweep holds; see `fit_step`.

    Args:
        current_na: shape (time,), nA.
        epoch: where the sweeps of its protocol differ.
        dt_ms: sampling interval, ms.

    Returns:
        None if the current does not differ there from what is beside it.

    Raises:
        ValueError: if it is not rectangular.
    """
    local = current_na[epoch.start : epoch.end]
    onset, offset = _refined_edges(local, epoch.first - epoch.start, epoch.stop - epoch.start, dt_ms=dt_ms)
    levels = _levels(local, onset, offset, dt_ms=dt_ms)
    if not levels.differ:
        if not _flat(local[onset:offset], dt_ms=dt_ms):
            raise ValueError("its stimulus is not one rectangular step.")
        return None
    if not _rectangular(local, onset, offset, levels, dt_ms=dt_ms):
        raise ValueError("its stimulus is not one rectangular step.")
    return StepFit(onset + epoch.start, offset + epoch.start, levels.amplitude_na, levels.error_na, levels.holding_na)


def level_between(current_na: np.ndarray, epoch: Epoch, *, dt_ms: float) -> StepFit:
    """What a current is in an epoch, and beside it: of a sweep without the step that others of its kind have."""
    local = current_na[epoch.start : epoch.end]
    levels = _levels(local, epoch.first - epoch.start, epoch.stop - epoch.start, dt_ms=dt_ms)
    return StepFit(epoch.first, epoch.stop, levels.amplitude_na, levels.error_na, levels.holding_na)


class _Levels(NamedTuple):
    """Mean inside a rectangle less holding, its standard error, and holding, nA."""

    amplitude_na: float
    error_na: float
    holding_na: float

    @property
    def differ(self) -> bool:
        """Whether the mean inside is another than holding."""
        return abs(self.amplitude_na) > max(_SIGNIFICANT_ERRORS * self.error_na, _SMALLEST_STEP_NA)


def _levels(current_na: np.ndarray, onset: int, offset: int, *, dt_ms: float) -> _Levels:
    inside = current_na[onset:offset]
    quiet = _without_outliers(np.concatenate([current_na[:onset], current_na[offset:]]))
    block = max(1, min(round(_NOISE_BLOCK_MS / dt_ms), inside.size // 4, quiet.size // 4))
    scatter = max(float(block_means(part, block).std()) for part in (inside, quiet))
    error = scatter * np.sqrt(block / inside.size + block / quiet.size)
    return _Levels(float(inside.mean() - quiet.mean()), float(error), float(quiet.mean()))


def _rectangular(current_na: np.ndarray, onset: int, offset: int, levels: _Levels, *, dt_ms: float) -> bool:
    """Whether both edges are jumps, the current in between is level, and little else happens outside."""
    edges = np.array([onset, offset])
    jumps = _jumps(current_na, edges, _edge_samples(current_na.size, onset, offset, dt_ms)) * [1, -1]
    size = max(1, min(round(_MEAN_MS / dt_ms), (offset - onset) // 4))
    residual = current_na - levels.holding_na
    residual[onset:offset] -= levels.amplitude_na
    means = block_means(residual, size)
    # From differences, which a test pulse or a drift hardly changes.
    noise = 1.4826 * float(np.median(np.abs(np.diff(means))))
    off = np.abs(means) > _LARGEST_RESIDUAL * abs(levels.amplitude_na) + _RESIDUAL_NOISE * noise
    first = np.arange(means.size) * size
    inside = (first >= onset + size) & (first <= offset - 2 * size)  # without the blocks at the edges
    outside = (first <= onset - 2 * size) | (first >= offset + size)
    jumping = bool(np.all(jumps / levels.amplitude_na >= _SMALLEST_JUMP))
    return (
        jumping
        and _level_within(current_na[onset:offset], levels)
        and not np.any(off[inside])
        and bool(np.sum(off[outside]) <= _TEST_PULSES * np.sum(outside))
    )


def _level_within(inside_na: np.ndarray, levels: _Levels) -> bool:
    """Whether a current ends where it began: a ramp does not."""
    fifth = max(1, inside_na.size // 5)
    trend = abs(float(np.median(inside_na[-fifth:]) - np.median(inside_na[:fifth])))
    allowed = _LARGEST_TREND * abs(levels.amplitude_na) + _SMALLEST_TREND_NA + _SIGNIFICANT_ERRORS * levels.error_na
    return trend <= allowed


def _flat(values_na: np.ndarray, *, dt_ms: float) -> bool:
    """Whether 1 ms means of a current stray from their median by no more than its noise."""
    means = block_means(values_na, max(1, min(round(_MEAN_MS / dt_ms), values_na.size // 4)))
    noise = 1.4826 * float(np.median(np.abs(np.diff(means))))
    strays = np.abs(means - np.median(means)) > _RESIDUAL_NOISE * noise + _SMALLEST_TREND_NA
    return bool(np.mean(strays) <= 1 - _SMALLEST_FLAT)


def _coarse_rectangle(values: np.ndarray) -> tuple[int, int]:
    """First sample of, and first after, the rectangle that explains most variance, to the size of a block."""
    size = max(1, values.size // _BLOCKS)
    means = block_means(values, size)
    sums = np.concatenate([[0.0], np.cumsum(means - means.mean())])
    lengths = np.arange(sums.size)[None, :] - np.arange(sums.size)[:, None]
    possible = (lengths > 0) & (lengths < means.size)
    weight = np.where(possible, lengths * (means.size - lengths), 1)
    gain = np.where(possible, (sums[None, :] - sums[:, None]) ** 2 / weight, -1.0)
    first, last = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return int(first) * size, values.size if last == means.size else int(last) * size


def _refined_edges(values: np.ndarray, onset: int, offset: int, *, dt_ms: float) -> tuple[int, int]:
    """Each edge moved to the largest jump nearby in the direction of the step."""
    reach = max(2 * (values.size // _BLOCKS), round(_EDGE_SEARCH_MS / dt_ms), 1)
    width, middle = _edge_samples(values.size, onset, offset, dt_ms), (onset + offset) // 2
    outside = np.concatenate([values[:onset], values[offset:]])
    sign = np.sign(values[onset:offset].mean() - outside.mean())
    edges = []
    for edge, low, high, direction in (
        (onset, width, middle, sign),
        (offset, middle + 1, values.size - width, -sign),
    ):
        nearby = np.arange(max(edge - reach, low), min(edge + reach, high) + 1)
        edges.append(int(nearby[np.argmax(direction * _jumps(values, nearby, width))]))
    return edges[0], edges[1]


def _edge_samples(count: int, onset: int, offset: int, dt_ms: float) -> int:
    """Samples on either side of an edge whose means are compared."""
    return max(1, min(round(_EDGE_MEAN_MS / dt_ms), (offset - onset) // 4, onset, count - offset))


def _jumps(values: np.ndarray, edges: np.ndarray, width: int) -> np.ndarray:
    """Mean of the `width` samples from each edge on less mean of those before it; edges lie that far inside."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return (sums[edges + width] - 2 * sums[edges] + sums[edges - width]) / width


def _without_outliers(values: np.ndarray) -> np.ndarray:
    """The values within five robust standard deviations of their median: a test pulse is none of the holding current."""
    distance = np.abs(values - np.median(values))
    return values[distance <= 5 * 1.4826 * np.median(distance) + _SMALLEST_STEP_NA]
