"""Voltage: a slow one between the edges of bins, and round each spike a shape of its own.

A spike's shapes come in `ahead_ms` before it and are gone `back_ms` after it. Towards the next spike the shapes of the last one
fade, so that at a spike only its own are left and nothing jumps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from noble.operator.spiking.waveform import APART_MS, SpikeShapes, look_up

# Where currents far beyond the learned ones lead a network, its voltage stays one that a membrane may have, mV.
_RANGE_MV: Final = (-400.0, 120.0)


@dataclass(frozen=True)
class Drawing:
    """What is drawn of some neurons.

    Attributes:
        slow_mv: slow voltage at consecutive edges of bins, shape (neuron, edge).
        first_edge: number of the first of these edges.
        bin_ms: from edge to edge.
        spikes_ms: in order, filled up with infinity, shape (neuron, spike); float64.
        channels: weights of the shapes of each spike, mV, shape (neuron, spike, shape).
        shapes: what is weighted.
    """

    slow_mv: Tensor
    first_edge: int
    bin_ms: float
    spikes_ms: Tensor
    channels: Tensor
    shapes: SpikeShapes

    def samples(self, samples: range, dt_ms: float) -> Float[Tensor, "neuron sample"]:
        """Voltage at consecutive samples; every spike adds to those near it."""
        if not samples:
            return self.slow_mv[:, :0]
        numbers = torch.arange(samples.start, samples.stop, device=self.slow_mv.device)
        voltage = self._slow_mv((numbers.double() * dt_ms)[None])
        near = torch.isfinite(self.spikes_ms)
        near &= self.spikes_ms > samples.start * dt_ms - self.shapes.back_ms
        near &= self.spikes_ms < samples.stop * dt_ms + self.shapes.ahead_ms
        rows, which = near.nonzero(as_tuple=True)
        if not len(rows):
            return voltage.clamp(*_RANGE_MV)
        spike = self.spikes_ms[rows, which][:, None]
        width = math.ceil((self.shapes.ahead_ms + self.shapes.back_ms) / dt_ms) + 1
        first = torch.ceil((spike.detach() - self.shapes.ahead_ms) / dt_ms).long()
        index = first + torch.arange(width, device=first.device)
        since = index.double() * dt_ms - spike
        before, after = self._gaps_ms()
        weights = self._shown(since, before[rows, which][:, None], after[rows, which][:, None])
        drawn = weights * (self._at(since) * self.channels[rows, which][:, None]).sum(-1)
        inside = (index >= samples.start) & (index < samples.stop)
        place = rows[:, None] * len(samples) + (index - samples.start).clamp(0, len(samples) - 1)
        drawn = torch.where(inside, drawn, 0.0).to(voltage.dtype)
        added = voltage.flatten().index_add(0, place.flatten(), drawn.flatten()).view_as(voltage)
        return added.clamp(*_RANGE_MV)

    def points(self, times_ms: Float[Tensor, "neuron point"]) -> Float[Tensor, "neuron point"]:
        """Voltage at any instants."""
        times = times_ms.double()
        count = self.spikes_ms.shape[1]
        voltage = self._slow_mv(times)
        if not count:
            return voltage
        coming = torch.searchsorted(self.spikes_ms.detach(), times.contiguous(), right=True)
        before, after = self._gaps_ms()
        for which in (coming - 1, coming):
            there = (which >= 0) & (which < count)
            which = which.clamp(0, count - 1)
            spike = self.spikes_ms.gather(1, which)
            there = there & torch.isfinite(spike)
            since = torch.where(there, times - torch.where(there, spike, 0.0), -self.shapes.ahead_ms)
            weights = self._shown(since, before.gather(1, which), after.gather(1, which))
            rows = torch.arange(len(times), device=times.device)[:, None]
            drawn = weights * (self._at(since) * self.channels[rows, which]).sum(-1)
            voltage = voltage + torch.where(there, drawn, 0.0).to(voltage.dtype)
        return voltage

    def _slow_mv(self, times_ms: Tensor) -> Tensor:
        position = times_ms / self.bin_ms - self.first_edge
        left = position.detach().floor().clamp(0, self.slow_mv.shape[1] - 2).long()
        weight = (position - left).to(self.slow_mv.dtype)
        if len(times_ms) == 1:
            return torch.lerp(self.slow_mv[:, left[0]], self.slow_mv[:, left[0] + 1], weight)
        return torch.lerp(self.slow_mv.gather(1, left), self.slow_mv.gather(1, left + 1), weight)

    def _gaps_ms(self) -> tuple[Tensor, Tensor]:
        """Time from the spike before each, and to the one after it; infinite where there is none."""
        apart = torch.diff(self.spikes_ms, dim=1)
        apart = torch.where(torch.isfinite(apart), apart, torch.inf)
        none = torch.full_like(self.spikes_ms[:, :1], torch.inf)
        return torch.cat([none, apart], dim=1), torch.cat([apart, none], dim=1)

    def _shown(self, since: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """How much of a spike's shapes is seen at a time since it, given the time from the last and to the next."""
        ahead = self.shapes.ahead_ms
        entering = _smooth((before + since) / APART_MS)
        taken = (1 - (after - since).clamp(0, ahead) / ahead) ** 2 * _smooth(since / APART_MS)
        gone = (since >= after) | (since < -before)
        return torch.where(gone, 0.0, torch.where(since < 0, entering, 1 - taken)).float()

    def _at(self, since: Tensor) -> Tensor:
        shapes, ready, since = self.shapes, self.shapes.ready(), since.float()
        if isinstance(ready, SpikeShapes):
            return ready(since)
        return look_up(ready, since, ahead_ms=shapes.ahead_ms, back_ms=shapes.back_ms)


def _smooth(share: Tensor) -> Tensor:
    share = share.clamp(0, 1)
    return share**2 * (3 - 2 * share)
