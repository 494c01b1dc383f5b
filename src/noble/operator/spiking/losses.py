"""What the spike-phase operator learns from: phase against the true spikes, and voltage near and away from them."""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from noble.operator.core import Examples
from noble.operator.losses import pseudo_huber
from noble.operator.spiking.firing import Firing

# A phase that ends above the last spike by more than this would be about to fire once more.
_HIGHEST_REST_PHASE: Final = 0.95
# Phase errors become ms by the interval, or by this where it is longer or there is none: a slow trace must not outweigh others.
_LONE_INTERVAL_MS: Final = 50.0
_NEAR_SPIKE_MS: Final = 2.0


def phase_losses(
    firing: Firing, spikes_ms: Float[Tensor, "batch spikes"], *, scale_ms: float = 1.0
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """How far the phase is from crossing k at spike k, in ms; by definition it is free in between.

    A phase error is turned into time by the local inter-spike interval. Three terms, each a mean over traces of pseudo-Huber
    errors:

    - *timing*: the phase at spike k against k;
    - *intervals*: its growth from spike to spike against one, in which errors do not add up over the train;
    - *silence*: how far the phase goes past the last spike, where it must not fire again.

    Args:
        firing: from the backbone.
        spikes_ms: true spike times in order, filled up with infinity, ms.
        scale_ms: of the pseudo-Huber errors of timing and intervals; that of silence is 1 ms.
    """
    real = torch.isfinite(spikes_ms)
    times = torch.where(real, spikes_ms, torch.zeros_like(spikes_ms))
    phase = firing.phase_at(times)
    numbers = torch.arange(1, spikes_ms.shape[1] + 1, device=spikes_ms.device, dtype=phase.dtype)
    count = real.sum(dim=1)
    interval, has_previous = _intervals(times, real)
    timing = _masked_mean(pseudo_huber((phase - numbers) * interval, scale=scale_ms), real)
    growth = torch.diff(phase, dim=1) - 1
    intervals = _masked_mean(pseudo_huber(growth * interval[:, 1:], scale=scale_ms), has_previous[:, 1:])
    last = interval.gather(1, (count - 1).clamp(min=0)[:, None])[:, 0]
    over = torch.relu(firing.phase()[:, -1] - (count + _HIGHEST_REST_PHASE))
    return timing, intervals, pseudo_huber(over * last, scale=1.0).mean()


def _intervals(
    times_ms: Float[Tensor, "batch spikes"], real: Bool[Tensor, "batch spikes"]
) -> tuple[Float[Tensor, "batch spikes"], Bool[Tensor, "batch spikes"]]:
    """The shorter of each spike's two intervals, ms, and whether it has an earlier spike."""
    gaps = torch.where(real[:, 1:], torch.diff(times_ms, dim=1), torch.inf)
    none = torch.full_like(times_ms[:, :1], torch.inf)
    interval = torch.minimum(torch.cat([none, gaps], dim=1), torch.cat([gaps, none], dim=1))
    has_previous = torch.cat([torch.zeros_like(real[:, :1]), real[:, 1:]], dim=1)
    return interval.clamp(max=_LONE_INTERVAL_MS), has_previous


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the traces of the mean over a trace's own values; traces without any count as zero."""
    weights = mask.to(values.dtype)
    return (torch.where(mask, values, 0.0).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)).mean()


def compared_samples(examples: Examples, points: int, generator: torch.Generator) -> Int[Tensor, "batch point"]:
    """Sample numbers at which to compare voltage, of those that count: half anywhere, half near spikes, where there are any."""
    rows, last = examples.current_na.shape[0], examples.current_na.shape[1] - 1
    spikes_ms = examples.spikes_ms
    first = min(math.ceil(examples.counted_from_ms / examples.dt_ms - 1e-9), last)

    def uniform(columns: int) -> Tensor:
        return torch.rand((rows, columns), generator=generator).to(spikes_ms.device)

    before = (spikes_ms < examples.counted_from_ms).sum(dim=1, keepdim=True)
    count = torch.isfinite(spikes_ms).sum(dim=1, keepdim=True) - before
    anywhere = first + uniform(points) * (last - first)
    which = (before + uniform(points // 2) * count).long().clamp(max=spikes_ms.shape[1] - 1)
    offset = (2 * uniform(points // 2) - 1) * _NEAR_SPIKE_MS
    near = (spikes_ms.gather(1, which) + offset) / examples.dt_ms
    anywhere[:, : points // 2] = torch.where(count > 0, near, anywhere[:, : points // 2])
    return anywhere.round().long().clamp(first, last)
