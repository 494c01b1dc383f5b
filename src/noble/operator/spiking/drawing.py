"""Draws whole traces: every sample near spikes, and elsewhere few enough that a trace costs a quarter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# Every sample is drawn from so long before to so long after a spike, and elsewhere only knots a quarter of a bin (0.36 ms) apart:
# between them the slow voltage is a straight line, and interpolation of the shapes is right within 0.1 mV.
_NEAR_BEFORE_MS: Final = 2.0
_NEAR_AFTER_MS: Final = 4.0
KNOTS_OF_A_BIN: Final = 4


def drawn_between_knots(
    decode: Callable[[Tensor, Tensor, Tensor], Tensor],
    spikes_ms: Float[Tensor, "batch spikes"],
    part: range,
    dt_ms: float,
    knot_ms: float,
) -> Float[Tensor, "batch samples"]:
    """Voltage at a part of the samples, away from spikes by interpolation between knots.

    Args:
        decode: voltage (row, points) at times of this shape, given the spikes of each row and which trace it belongs to.
        spikes_ms: spike times in order, filled up with infinity, ms.
        part: numbers of the samples.
        dt_ms: between samples.
        knot_ms: between knots; where samples are no finer, all of them are drawn.
    """
    first, end = part.start, part.stop
    traces = torch.arange(len(spikes_ms), device=spikes_ms.device)

    def numbers(*bounds: int) -> Tensor:
        return torch.arange(*bounds, device=spikes_ms.device)

    def decode_all(steps: Tensor, step_ms: float) -> Tensor:
        return decode((steps.to(spikes_ms.dtype) * step_ms).expand(len(traces), -1), spikes_ms, traces)

    if knot_ms <= dt_ms:
        return decode_all(numbers(first, end), dt_ms)
    position = numbers(first, end).double() * (dt_ms / knot_ms)
    left = position.long()
    start, stop = int(left[0]), int(left[-1]) + 2
    knots = decode_all(numbers(start, stop), knot_ms)
    weight = (position - left).to(knots.dtype)
    left = left - start
    voltage = torch.lerp(knots.index_select(1, left), knots.index_select(1, left + 1), weight)
    near = (spikes_ms > first * dt_ms - _NEAR_AFTER_MS) & (spikes_ms < end * dt_ms + _NEAR_BEFORE_MS)
    rows, which = near.nonzero(as_tuple=True)
    around = numbers(-round(_NEAR_BEFORE_MS / dt_ms), round(_NEAR_AFTER_MS / dt_ms))
    where = ((spikes_ms[rows, which] / dt_ms).long()[:, None] + around).clamp(first, end - 1)
    drawn = decode(where.to(spikes_ms.dtype) * dt_ms, spikes_ms[rows], rows)
    if drawn.requires_grad:  # a sample near two spikes is drawn twice, but its gradient counts once
        drawn = torch.where(_first_of_each(where, rows), drawn, drawn.detach())
    voltage[rows[:, None], where - first] = drawn
    return voltage


def _first_of_each(
    samples: Int[Tensor, "window sample"], rows: Int[Tensor, " window"]
) -> Bool[Tensor, "window sample"]:
    """Where a trace's sample occurs for the first time in windows of equal length, which ascend in each trace."""
    before = torch.where(rows[1:] == rows[:-1], samples[:-1, -1], -1)
    before = torch.nn.functional.pad(before, (1, 0), value=-1)
    ascends = torch.nn.functional.pad(torch.diff(samples, dim=1) > 0, (1, 0), value=True)
    return ascends & (samples > before[:, None])
