"""Draws voltage round spikes: a few shapes in the time from a spike, weighted by channels that vary slowly.

The shapes are functions of one number, so for predictions they are looked up in a table: drawing a trace at full resolution costs
a few operations a sample, not a network's evaluation.
"""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

# A coming spike is felt so far ahead, and one that has passed for so long.
LOOK_AHEAD_MS: Final = 6.0
LOOK_BACK_MS: Final = 80.0
# Where a spike has structure: widths (ms) of bells round it, and decays (ms) after and before it.
_BELLS_MS: Final = (0.06, 0.1, 0.17, 0.3, 0.5, 0.9, 1.6)
_AFTER_MS: Final = (0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)
_BEFORE_MS: Final = (0.3, 0.8, 2.0)
_AWAY_MS: Final = 0.3
# Linear interpolation in a table this fine is within 0.1 mV of a spike of 100 mV.
_TABLE_STEP_MS: Final = 0.01
# A coming spike is not felt at the last one, and fully so much later; no two spikes are closer.
APART_MS: Final = 2.0


class SpikeShapes(nn.Module):
    """Shapes in the time from a spike; zero `ahead_ms` before and `back_ms` after it, and smooth at the spike.

    Args:
        count: how many.
        width: hidden units of the network that forms them.
        ahead_ms, back_ms: how far they reach.
    """

    def __init__(
        self, count: int, width: int, *, ahead_ms: float = LOOK_AHEAD_MS, back_ms: float = LOOK_BACK_MS
    ) -> None:
        super().__init__()
        self.ahead_ms, self.back_ms = ahead_ms, back_ms
        inputs = 2 * len(_BELLS_MS) + len(_AFTER_MS) + len(_BEFORE_MS)
        self.layers = nn.Sequential(
            nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, count)
        )
        self._table: tuple[object, Tensor] | None = None

    def forward(self, from_spike_ms: Float[Tensor, "*points"]) -> Float[Tensor, "*points shape"]:
        """Values at times from a spike, negative before it."""
        time = from_spike_ms[..., None].clamp(-self.ahead_ms, self.back_ms)
        scaled = time / time.new_tensor(_BELLS_MS)
        bells = torch.exp(-0.5 * scaled.clamp(-20, 20) ** 2)
        # Decays begin away from the spike, where the two sides meet.
        away = 1 - torch.exp(-0.5 * (time / _AWAY_MS) ** 2)
        after = away * (time > 0) * torch.exp(-time.clamp(min=0) / time.new_tensor(_AFTER_MS))
        before = away * (time < 0) * torch.exp(time.clamp(max=0) / time.new_tensor(_BEFORE_MS))
        end = torch.where(time > 0, 1 - time / self.back_ms, 1 + time / self.ahead_ms)
        return self.layers(torch.cat([bells, scaled * bells, after, before], dim=-1)) * end**2

    def table(self) -> Float[Tensor, "times shape"]:
        """Values every `_TABLE_STEP_MS` from `-ahead_ms` on, one beyond the end."""
        parameter = next(self.parameters())
        count = round((self.ahead_ms + self.back_ms) / _TABLE_STEP_MS) + 2
        times = torch.arange(count, device=parameter.device, dtype=parameter.dtype) * _TABLE_STEP_MS - self.ahead_ms
        return self(times)

    def ready(self) -> SpikeShapes | Tensor:
        """What to draw from: in training the network, in evaluation its table, made anew whenever a weight has changed."""
        if self.training:
            return self
        if torch.is_grad_enabled() and any(weight.requires_grad for weight in self.parameters()):
            return self.table()  # the same numbers, with the way back to the weights
        state = tuple(
            (weight.data_ptr(), None if weight.is_inference() else weight._version, weight.dtype)
            for weight in self.parameters()
        )
        if self._table is None or self._table[0] != state:
            with torch.inference_mode(False), torch.no_grad():  # so that gradients may pass through it later
                self._table = state, self.table()
        return self._table[1]


def look_up(
    table: Float[Tensor, "times shape"],
    from_spike_ms: Float[Tensor, "*points"],
    *,
    ahead_ms: float = LOOK_AHEAD_MS,
    back_ms: float = LOOK_BACK_MS,
) -> Float[Tensor, "*points shape"]:
    """The shapes of `SpikeShapes.table` by linear interpolation."""
    position = (from_spike_ms.clamp(-ahead_ms, back_ms) + ahead_ms) / _TABLE_STEP_MS
    left = position.floor()
    index = left.long()
    rows, following = nn.functional.embedding(index, table), nn.functional.embedding(index + 1, table)
    return torch.lerp(rows, following, (position - left)[..., None])


def draw(
    shapes: SpikeShapes | Tensor,
    since_ms: Float[Tensor, "batch points"],
    until_ms: Float[Tensor, "batch points"],
    channels: Float[Tensor, "batch points channel"],
) -> Float[Tensor, "batch points"]:
    """Voltage beside the slow one, in units of the operator's scale.

    Towards a spike the last one's shapes fade out and its own come in, so that at a spike, where the two trade places, only its
    own are left and nothing jumps.

    Args:
        shapes: to evaluate, or their `table`.
        since_ms, until_ms: time from the last and to the next spike, infinite where there is none, ms.
        channels: weights of the shapes.
    """
    evaluate = shapes if isinstance(shapes, SpikeShapes) else lambda time: look_up(shapes, time)
    # How far the next spike has taken over: not at all at the last one or far ahead, wholly at its own instant.
    taken = (1 - until_ms.clamp(max=LOOK_AHEAD_MS) / LOOK_AHEAD_MS) ** 2
    apart = (since_ms / APART_MS).clamp(max=1.0)
    apart = apart**2 * (3 - 2 * apart)
    shown = evaluate(since_ms.clamp(max=LOOK_BACK_MS)) * (1 - taken * apart)[..., None]
    coming = evaluate(-until_ms.clamp(max=LOOK_AHEAD_MS)) * apart[..., None]
    return (channels * (shown + coming)).sum(-1)


def time_to_spikes(
    times_ms: Float[Tensor, "batch points"], spikes_ms: Float[Tensor, "batch spikes"]
) -> tuple[Float[Tensor, "batch points"], Float[Tensor, "batch points"]]:
    """Time since the last and until the next spike, ms; infinite where there is none. Differentiable in the spike times."""
    padded = nn.functional.pad(spikes_ms, (0, 1), value=torch.inf)
    padded = nn.functional.pad(padded, (1, 0), value=-torch.inf)
    following = torch.searchsorted(padded.detach(), times_ms.contiguous(), right=True).clamp(1, padded.shape[1] - 1)
    last, coming = padded.gather(1, following - 1), padded.gather(1, following)
    # A gradient through infinity would be NaN, so it is put in only after the subtraction.
    since = torch.where(last.isinf(), torch.inf, times_ms - last.nan_to_num(neginf=0.0, posinf=0.0))
    until = torch.where(coming.isinf(), torch.inf, coming.nan_to_num(neginf=0.0, posinf=0.0) - times_ms)
    return since, until
