"""When traces fire: a phase that grows at a rate, and spikes where it crosses whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Firing:
    """When each of a batch of traces fires.

    Attributes:
        rate_per_ms: phase rate in each bin, shape (batch, bins), 1/ms.
        bin_ms: length of a bin, ms.
    """

    rate_per_ms: Tensor
    bin_ms: float

    def phase(self) -> Float[Tensor, "batch edges"]:
        """Phase at the bins' edges; 0 at the start of the window. In double precision, since it adds up."""
        return nn.functional.pad(torch.cumsum(self.rate_per_ms.double() * self.bin_ms, dim=1), (1, 0))

    def phase_at(self, times_ms: Float[Tensor, "batch points"]) -> Float[Tensor, "batch points"]:
        """Phase at given instants, by linear interpolation, which is exact for a rate that is constant in each bin."""
        return interpolate(self.phase(), times_ms.double() / self.bin_ms)

    def spike_times_ms(self) -> Float[Tensor, "batch spikes"]:
        """Where the phase crosses 1, 2, ...; rows with fewer spikes end in infinity. Differentiable in the rate.

        Raises:
            ValueError: if a rate is not finite.
        """
        phase = self.phase()
        if not torch.isfinite(phase[:, -1]).all():
            raise ValueError(
                "the operator predicts a firing rate that is not finite, so its weights have diverged; train with a smaller "
                "learning rate."
            )
        most = int(phase[:, -1].detach().max().floor().item())
        if most < 1:
            return self.rate_per_ms.new_full((phase.shape[0], 0), torch.inf)
        numbers = torch.arange(1, most + 1, device=phase.device, dtype=phase.dtype).expand(phase.shape[0], most)
        bins = torch.searchsorted(phase.detach(), numbers.contiguous()).clamp(1, self.rate_per_ms.shape[1]) - 1
        before = phase.gather(1, bins)
        times = bins.to(phase.dtype) * self.bin_ms + (numbers - before) / self.rate_per_ms.gather(1, bins)
        return torch.where(numbers <= phase[:, -1:].detach(), times, torch.inf).to(self.rate_per_ms.dtype)


@dataclass(frozen=True)
class Encoded(Firing):
    """All that the networks say about a batch of traces: when they fire, and what is drawn round the spikes.

    Attributes:
        slow_mv: slow voltage at the bins' edges, shape (batch, bins + 1), mV.
        channels: shape channels at the tokens' edges, shape (batch, tokens + 1, channels).
        token_ms: length of a token, ms.
    """

    slow_mv: Tensor
    channels: Tensor
    token_ms: float


def interpolate(knots: Tensor, positions: Float[Tensor, "batch points"], rows: Tensor | None = None) -> Tensor:
    """Linear interpolation along axis 1 of knots (batch, knots, ...) at fractional indices; `rows` of them, by default all."""
    count = knots.shape[1]
    rows = torch.arange(knots.shape[0], device=knots.device) if rows is None else rows
    left = positions.detach().floor().clamp(0, count - 2).long()
    weight = (positions - left).reshape(-1, *[1] * (knots.ndim - 2))
    # Whole rows of a flat table: seven times faster than to gather element by element.
    before = (left + rows[:, None] * count).reshape(-1)
    table = knots.flatten(0, 1)
    return torch.lerp(table.index_select(0, before), table.index_select(0, before + 1), weight).unflatten(0, left.shape)
