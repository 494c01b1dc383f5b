"""Losses on voltage and on spike phase."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from noble.operator.spiking.core import Firing

# A phase that ends above the last spike by more than this would be about to fire once more.
_HIGHEST_REST_PHASE: Final = 0.95
# Phase errors become ms by the interval, or by this where it is longer or there is none: a slow trace must not outweigh others.
_LONE_INTERVAL_MS: Final = 50.0


def relative_lp(
    predicted: Float[Tensor, "batch time"], reference: Float[Tensor, "batch time"], *, p: float = 4.0
) -> Float[Tensor, ""]:
    """Mean over the batch of `||predicted - reference||_p / ||reference||_p`; p = 4 is the paper's training loss."""
    error = torch.linalg.vector_norm(predicted - reference, ord=p, dim=1)
    return (error / torch.linalg.vector_norm(reference, ord=p, dim=1)).mean()


def relative_h1(
    predicted: Float[Tensor, "batch time"], reference: Float[Tensor, "batch time"], *, dt_ms: float
) -> Float[Tensor, ""]:
    """Relative H1 norm: the L2 norms of the function and of its time derivative (per ms), in one root."""

    def squared_norm(values: Tensor) -> Tensor:
        slope = torch.diff(values, dim=1) / dt_ms
        return (values**2).sum(dim=1) + (slope**2).sum(dim=1)

    return torch.sqrt(squared_norm(predicted - reference) / squared_norm(reference)).mean()


def pseudo_huber(error: Tensor, *, scale: float) -> Tensor:
    """`scale (sqrt(1 + (e / scale)^2) - 1)`: quadratic within `scale`, the absolute error beyond (Charbonnier 1994)."""
    return scale * (torch.sqrt(1 + (error / scale) ** 2) - 1)


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
