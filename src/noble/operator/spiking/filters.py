"""A causal network over tokens whose memory is exponential averages of the past, all tokens at once.

Recurrent networks go token by token, which no processor likes. Here the only thing that crosses tokens is a linear recurrence
that is diagonal (each channel has its own time constant, as in S4D or LRU: Gu et al. 2022, Orvieto et al. 2023; real ones, since
a membrane does not ring), so n tokens take log2(n) rounds of doubling; everything else is pointwise. The first token is rest,
held for ever: with no current nothing moves.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Of e, in double precision; beyond it weights of the first token vanish, as they would for windows of several seconds.
_LARGEST_EXPONENT: Final = 600.0


class ExponentialAverages(nn.Module):
    """`y_0 = x_0`, `y_n = d y_{n-1} + (1 - d) x_n`, with a learned decay `d` for each channel.

    Args:
        channels: how many; their time constants start evenly spread on a logarithmic scale.
        shortest, longest: of the time constants at the start, in tokens.
    """

    def __init__(self, channels: int, *, shortest: float, longest: float) -> None:
        super().__init__()
        self.log_time = nn.Parameter(torch.linspace(math.log(shortest), math.log(longest), channels))

    def forward(self, values: Float[Tensor, "batch token channel"]) -> Float[Tensor, "batch token channel"]:
        """Averages of the same shape."""
        first = values[:, :1]
        log_decay = -torch.exp(-self.log_time)
        sums = (values - first) * -torch.expm1(log_decay)
        if not self.training and sums.shape[1] * -float(log_decay.detach().min()) < _LARGEST_EXPONENT:
            # One cumulative sum of what each token weighs at the first: a tenth of the operations of the doubling below.
            age = torch.arange(sums.shape[1], device=values.device, dtype=torch.float64)
            exponent = age[:, None] * log_decay
            weight = torch.exp(exponent.detach())
            if not exponent.requires_grad:
                return (torch.cumsum(sums / weight, dim=1) * weight).to(values.dtype) + first
            # The same numbers. The decay's gradient goes through factors of one, since that of a weight may exceed a double.
            one = torch.exp(exponent - exponent.detach())
            return (torch.cumsum(sums / one / weight, dim=1) * weight * one).to(values.dtype) + first
        # After each round a token sums up twice as many tokens before it.
        spans = 2 ** torch.arange((sums.shape[1] - 1).bit_length(), device=values.device)
        for span, decay in zip(spans.tolist(), torch.exp(spans[:, None] * log_decay), strict=True):
            reached = torch.addcmul(sums[:, span:], sums[:, :-span], decay)
            sums = torch.cat([sums[:, :span], reached], dim=1)
        return sums + first


class FilterBlock(nn.Module):
    """Averages of a few projections, then a gated pointwise network that sees them and the present; residual."""

    def __init__(self, width: int, filters: int, hidden: int, address: int, *, shortest: float, longest: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, bias=False)
        self.project = nn.Linear(width, filters, bias=False)
        self.average = ExponentialAverages(filters, shortest=shortest, longest=longest)
        self.enter = nn.Linear(width + filters, 2 * hidden)
        self.tune = nn.Linear(address, 2 * hidden, bias=False)
        self.leave = nn.Linear(hidden, width)

    def forward(
        self, values: Float[Tensor, "batch token width"], address: Float[Tensor, "batch address"]
    ) -> Float[Tensor, "batch token width"]:
        """Tokens of the same shape; the address of a neuron moves every hidden unit's bias."""
        present = self.norm(values)
        past = self.average(self.project(present))
        gate, hidden = (self.enter(torch.cat([present, past], dim=2)) + self.tune(address)[:, None]).chunk(2, dim=2)
        return values + self.leave(nn.functional.silu(gate) * hidden)


class FilterNetwork(nn.Module):
    """Signals of each token and an address in, outputs of each token out.

    Args:
        signals: of a token.
        address: size of the address.
        outputs: of a token.
        width, filters, hidden, blocks: sizes.
        token_ms: length of a token, to spread time constants from half a token to 600 ms.
    """

    def __init__(
        self,
        *,
        signals: int,
        address: int,
        outputs: int,
        width: int,
        filters: int,
        hidden: int,
        blocks: int,
        token_ms: float,
    ) -> None:
        super().__init__()
        times = {"shortest": 0.5, "longest": 600.0 / token_ms}
        # Exact averages of the signals themselves: where a step began, to a fraction of a token, is in their ratios.
        self.spread = nn.Linear(signals, filters, bias=False)
        self.average = ExponentialAverages(filters, **times)
        self.enter = nn.Linear(signals + filters, width)
        self.address_enter = nn.Linear(address, width, bias=False)
        self.blocks = nn.ModuleList(FilterBlock(width, filters, hidden, address, **times) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, bias=False)
        self.leave = nn.Linear(width, outputs)
        with torch.no_grad():
            self.leave.weight.mul_(0.1)
            for block in self.blocks:
                block.leave.weight.mul_(1 / math.sqrt(blocks))  # type: ignore[union-attr]

    def forward(
        self, signals: Float[Tensor, "batch token signal"], address: Float[Tensor, "batch address"]
    ) -> Float[Tensor, "batch token output"]:
        """Outputs of each token; the first token of the signals stands for rest."""
        past = self.average(self.spread(signals))
        values = self.enter(torch.cat([signals, past], dim=2)) + self.address_enter(address)[:, None]
        for block in self.blocks:
            values = block(values, address)
        return self.leave(self.norm(values))
