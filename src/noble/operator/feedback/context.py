"""The wide part: a causal network over bins that sees the current alone, all bins at once.

What crosses bins are exponential averages (a diagonal linear recurrence, as in S4D or LRU: Gu et al. 2022, Orvieto et al. 2023;
real ones, since a membrane does not ring); everything else is pointwise. At rest every average has long been what it averages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from noble.operator.feedback.gate import gated
from noble.operator.feedback.recurrence import linear_recurrence

# Averages of the current that any membrane is made of, and the time constants that are learned, begin with these, ms.
_FIXED_MS: Final = (0.7, 400.0, 16)
_SHORTEST_BINS: Final = 0.5
_LONGEST_MS: Final = 600.0
NORM_EPS: Final = 1e-5


class Averages(nn.Module):
    """`y_n = d y_(n-1) + (1 - d) x_n` with a learned decay for each channel.

    Args:
        channels: how many; their time constants start evenly spread on a logarithmic scale.
        bin_ms: length of a bin.
    """

    def __init__(self, channels: int, bin_ms: float) -> None:
        super().__init__()
        times = torch.linspace(math.log(_SHORTEST_BINS), math.log(_LONGEST_MS / bin_ms), channels)
        self.log_time = nn.Parameter(times)

    @property
    def decay(self) -> Float[Tensor, " channel"]:
        """Of each channel, for a bin."""
        return torch.exp(-torch.exp(-self.log_time))

    def forward(
        self, values: Float[Tensor, "batch bin channel"], before: Float[Tensor, "batch channel"]
    ) -> Float[Tensor, "batch bin channel"]:
        """Averages of the same shape, from those before the first bin on."""
        decay = self.decay
        return linear_recurrence(decay, values * (1 - decay), before)


Average = Callable[["Averages", Tensor], Tensor]


class ContextBlock(nn.Module):
    """Averages of a few projections, then a gated pointwise network that sees them and the present; residual."""

    def __init__(self, width: int, filters: int, hidden: int, address: int, bin_ms: float, *, scale: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self.project = nn.Linear(width, filters, bias=False)
        self.average = Averages(filters, bin_ms)
        self.enter = nn.Linear(width + filters, 2 * hidden)
        self.tune = nn.Linear(address, 2 * hidden, bias=False)
        self.leave = nn.Linear(hidden, width)
        with torch.no_grad():
            self.leave.weight.mul_(scale)

    def forward(self, values: Tensor, address: Tensor, average: Average) -> Tensor:
        """Bins of the same shape; the address of a neuron moves every hidden unit's bias."""
        present = self.norm(values)
        past = average(self.average, self.project(present))
        return values + self.leave(gated(self.enter(torch.cat([present, past], dim=2)), self.tune(address)))


class Context(nn.Module):
    """Signals of each bin and an address in, channels of each bin out.

    Args:
        signals: of a bin, the first of them the mean current.
        address: size of the address.
        width, filters, hidden, blocks: sizes.
        bin_ms: length of a bin.
    """

    fixed: Tensor

    def __init__(
        self, *, signals: int, address: int, width: int, filters: int, hidden: int, blocks: int, bin_ms: float
    ) -> None:
        super().__init__()
        shortest, longest, count = _FIXED_MS
        times = torch.logspace(math.log10(shortest), math.log10(longest), count)
        self.register_buffer("fixed", torch.exp(-bin_ms / times), persistent=False)
        self.spread = nn.Linear(signals, filters, bias=False)
        self.average = Averages(filters, bin_ms)
        self.enter = nn.Linear(signals + filters + count, width)
        self.address_enter = nn.Linear(address, width, bias=False)
        scale = 1 / math.sqrt(blocks)
        made = [ContextBlock(width, filters, hidden, address, bin_ms, scale=scale) for _ in range(blocks)]
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self._sizes = [count, filters, *[filters] * blocks]

    def rest(
        self, signals: Float[Tensor, "batch signal"], address: Float[Tensor, "batch address"]
    ) -> tuple[Float[Tensor, "batch channel"], Float[Tensor, "batch carried"]]:
        """Channels of a bin at rest, and what the first bin after it takes over."""
        carried: list[Tensor] = []

        def average(module: Averages, values: Tensor) -> Tensor:
            carried.append(values[:, 0])
            return values

        mean = signals[:, None, :1].expand(-1, -1, len(self.fixed))
        carried.append(mean[:, 0])
        channels = self._channels(signals[:, None], address, mean, average)
        return channels[:, 0], torch.cat(carried, dim=1)

    def forward(
        self,
        signals: Float[Tensor, "batch bin signal"],
        address: Float[Tensor, "batch address"],
        before: Float[Tensor, "batch carried"],
    ) -> tuple[Float[Tensor, "batch bin channel"], Float[Tensor, "batch carried"]]:
        """Channels of each bin, and what the next one takes over."""
        start, *starts = before.split(self._sizes, dim=1)
        coming = iter(starts)
        mean = signals[..., :1]
        fixed = linear_recurrence(self.fixed, mean * (1 - self.fixed), start)
        carried = [fixed[:, -1]]

        def average(module: Averages, values: Tensor) -> Tensor:
            averages = module(values, next(coming))
            carried.append(averages[:, -1])
            return averages

        return self._channels(signals, address, fixed, average), torch.cat(carried, dim=1)

    def _channels(self, signals: Tensor, address: Tensor, fixed: Tensor, average: Average) -> Tensor:
        past = average(self.average, self.spread(signals))
        values = self.enter(torch.cat([signals, past, fixed], dim=2)) + self.address_enter(address)[:, None]
        for block in self.blocks:
            values = block(values, address, average)
        return self.norm(values)
