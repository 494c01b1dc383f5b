"""Traces on their way into a training step, and the shift of their onsets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from noble.traces import TimeGrid


@dataclass(frozen=True)
class Batch:
    """Traces on their way into a training step.

    Attributes:
        features: shape (batch, features), physical units.
        current_na: shape (batch, window and tail), nA.
        voltage_mv: shape (batch, window and tail), mV.
        spikes_ms: true spike times, filled up with infinity, shape (batch, spikes), ms.
        index: position of each trace in its split, shape (batch,).
        window: the training window of these traces.
    """

    features: Tensor
    current_na: Tensor
    voltage_mv: Tensor
    spikes_ms: Tensor
    index: Tensor
    window: TimeGrid

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **tensors)


def shifted_window(batch: Batch, shift: Tensor) -> Batch:
    """The window of each trace, its onset moved by a number of samples.

    A trace moved later is continued to the left by its first sample, which is rest; one moved earlier ends in the tail.

    Args:
        batch: traces with the tail margin.
        shift: samples, shape (batch,); positive is later.
    """
    window = batch.window
    index = (torch.arange(window.count, device=shift.device)[None] - shift[:, None]).clamp(min=0)
    spikes = batch.spikes_ms + (shift * window.dt_ms)[:, None]
    inside = (spikes >= 0) & (spikes < (window.count - 1) * window.dt_ms)
    # Sorted, since a cell that fires before the onset can lose its first spikes at the start of the window.
    return Batch(
        batch.features,
        batch.current_na.gather(1, index),
        batch.voltage_mv.gather(1, index),
        torch.where(inside, spikes, torch.inf).sort(dim=1).values,
        batch.index,
        window,
    )
