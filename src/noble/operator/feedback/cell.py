"""The narrow part: what a bin does, given the context of the current and the spikes so far.

The neuron is deterministic, but what the network knows of it is not: so it says how likely a spike is in each bin, and where in
it. When it fires then, `thresholds` says. Two guesses of the place are mixed by a learned trust: one of
the network, and one of a *phase* that grows from 0 at a spike to 1 at the next at the rate that the F-I curve expects. Under a
steady current the phase knows better, under noise the network does.

What is known of the spikes: exponential averages of them, the time since the last, the phase, and averages of the context, half
of which a spike resets, as it does a membrane's voltage.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from noble.operator.feedback.gate import gated, softsign
from noble.operator.feedback.recurrence import linear_recurrence

SPIKE_TIMES_MS: Final = tuple(0.7 * (400 / 0.7) ** (step / 9) for step in range(10))
LONG_AGO_MS: Final = 1e3
RECENT_MS: Final = 20.0
# Units that bring the logarithms of the time since a spike, and of the rate, to order one.
LOG_SINCE_UNIT: Final = 3.0
LOG_RATE_UNIT: Final = 5.0
KNOWN: Final = len(SPIKE_TIMES_MS) + 7
# The phase's guess of the time to the next spike is told within these bounds, ms, and at these scales.
EARLIEST_MS: Final = -5.0
LATEST_MS: Final = 50.0
GUESS_SCALES_MS: Final = (0.3, 1.0, 5.0)
# How much a guess of 1 ms into the bin moves the log odds of a spike, times a learned factor, and up to how many ms it counts.
ODDS_PER_MS: Final = 10.0
ODDS_REACH_MS: Final = 3.0
DECISIONS: Final = 4
# No neuron fires again within this time of a spike, ms, and none for long at shorter intervals than the second. Currents far
# beyond the learned ones would else drive a network, which fires in every bin, out of all bounds.
REFRACTORY_MS: Final = 1.0
SHORTEST_INTERVAL_MS: Final = 4.0
IMPOSSIBLE: Final = -30.0
# Units of both layers are products, so they grow with the square of what enters them. On learned currents those of `human-pv`
# stay below 36; a twin may use larger ones.
LARGEST_UNIT: Final = 200.0
_LONGEST_MS: Final = 600.0
_RARE: Final = -4.0
# Weight of the phase for the odds, and trust in its guess of the place, where nothing is known of the neuron.
_UNTRUSTED: Final = (-8.0, -6.0)


class Memory(NamedTuple):
    """What a bin takes over from those before it; all have neurons along the first axis.

    Attributes:
        spikes: averages of the spikes, one for each of `SPIKE_TIMES_MS`.
        since_ms: time since the last spike, shape (neuron,).
        phase: since the last spike, shape (neuron,).
        used: how much of the chance of the next spike is used up (integrated hazard), shape (neuron,).
        averages: of the context.
    """

    spikes: Tensor
    since_ms: Tensor
    phase: Tensor
    used: Tensor
    averages: Tensor


class Cell(nn.Module):
    """Context of a bin, memory and address in; a decision and a description of the bin out.

    Args:
        context: channels of the context.
        size: channels of the description.
        averages: of the context.
        address: size of the address.
        bin_ms: length of a bin.
        guided: whether an F-I curve says how fast the phase should grow; else the phase is not trusted at first.
    """

    spike_times_ms: Tensor
    most_spikes: Tensor

    def __init__(
        self, context: int, size: int, averages: int, address: int, bin_ms: float, *, guided: bool = True
    ) -> None:
        super().__init__()
        self.bin_ms = bin_ms
        self.register_buffer("spike_times_ms", torch.tensor(SPIKE_TIMES_MS), persistent=False)
        self.register_buffer("most_spikes", self.spike_times_ms / SHORTEST_INTERVAL_MS + 1, persistent=False)
        half = torch.linspace(math.log(0.5), math.log(_LONGEST_MS / bin_ms), (averages + 1) // 2)
        self.log_time = nn.Parameter(half.repeat(2)[:averages])
        # Logits of how much a spike resets: half of the averages hardly, half nearly wholly.
        self.reset = nn.Parameter(torch.cat([torch.full((len(half),), -6.0), torch.full((averages - len(half),), 3.0)]))
        # What the context says to the averages, and to both layers, whose biases are the neuron's own.
        self.sizes = [averages, 2 * size, 2 * size]
        self.hear = nn.Linear(context, sum(self.sizes))
        self.tune = nn.Linear(address, 4 * size, bias=False)
        self.remember = nn.Linear(KNOWN, averages, bias=False)
        self.first = nn.Linear(KNOWN + averages, 2 * size, bias=False)
        self.second = nn.Linear(size, 2 * size, bias=False)
        self.decision = nn.Linear(size, DECISIONS)
        with torch.no_grad():
            self.decision.weight.mul_(0.1)
            self.decision.bias.copy_(torch.tensor([_RARE, 0.0, *((-1.0, 0.0) if guided else _UNTRUSTED)]))

    @property
    def decay(self) -> Float[Tensor, " average"]:
        """Of the averages of the context, for a bin."""
        return torch.exp(-torch.exp(-self.log_time))

    @property
    def kept(self) -> Float[Tensor, " average"]:
        """The share of each average that a spike leaves."""
        return torch.sigmoid(-self.reset)

    def rest(self, context: Float[Tensor, "neuron channel"], rate_per_ms: Float[Tensor, " neuron"]) -> Memory:
        """The memory of neurons that have not fired and never saw another context."""
        nothing = torch.zeros_like(rate_per_ms)
        spikes = nothing[:, None].expand(-1, len(SPIKE_TIMES_MS))
        since = torch.full_like(nothing, LONG_AGO_MS)
        known = self._known(spikes, since, nothing, rate_per_ms)
        averages = self.hear(context).split(self.sizes, dim=-1)[0] + self.remember(known)
        return Memory(spikes, since, nothing, nothing, averages)

    def _described(self, first: Tensor, second: Tensor, known: Tensor, averages: Tensor, address: Tensor) -> Tensor:
        """What is to be said of bins, given what both layers hear of the context."""
        of_first, of_second = self.tune(address).chunk(2, dim=-1)
        entered = gated(self.first(torch.cat([known, averages], dim=-1)), of_first, first)
        described = gated(self.second(entered.clamp(-LARGEST_UNIT, LARGEST_UNIT)), of_second, second)
        return described.clamp(-LARGEST_UNIT, LARGEST_UNIT)

    def decide(
        self,
        description: Float[Tensor, "*bins size"],
        since_ms: Float[Tensor, "*bins"],
        phase: Float[Tensor, "*bins"],
        rate: Float[Tensor, "*bins"],
    ) -> tuple[Float[Tensor, "*bins"], Float[Tensor, "*bins"]]:
        """Log odds of a spike in a bin, and where in it, ms from its beginning."""
        odds, place, weight, trust = self.decision(description).unbind(dim=-1)
        guess = time_to_spike_ms(phase, rate)
        reach = (self.bin_ms - guess).clamp(-ODDS_REACH_MS, ODDS_REACH_MS)
        odds = odds + nn.functional.softplus(weight) * ODDS_PER_MS * reach
        odds = torch.where(since_ms < REFRACTORY_MS, IMPOSSIBLE, odds)
        own = self.bin_ms * (place + 0.5)
        return odds, torch.lerp(own, guess.clamp(0, self.bin_ms), torch.sigmoid(trust))

    def told(
        self,
        context: Float[Tensor, "batch bin channel"],
        rate_per_ms: Float[Tensor, "batch bin"],
        address: Float[Tensor, "batch address"],
        spiked: Bool[Tensor, "batch bin"],
        place_ms: Float[Tensor, "batch bin"],
        before: Memory,
    ) -> tuple[Float[Tensor, "batch bin"], Float[Tensor, "batch bin"], Float[Tensor, "batch bin size"]]:
        """Log odds, places and descriptions of all bins at once, for neurons at rest that are told when they fire.

        Args:
            context, rate_per_ms, address: of the current and the neurons.
            spiked: in which bins they fire.
            place_ms: where in these bins; anything elsewhere.
            before: of neurons at rest.
        """
        bins = torch.arange(spiked.shape[1], device=spiked.device)
        left = torch.where(spiked, self.bin_ms - place_ms, 0.0)
        gain = spiked[..., None] * torch.exp(-left[..., None] / self.spike_times_ms)
        decay = torch.exp(-self.bin_ms / self.spike_times_ms)
        spikes = _before_bins(linear_recurrence(decay, gain, before.spikes), before.spikes)
        last = torch.cummax(
            torch.where(spiked, bins + 1, 0), dim=1
        ).values  # the last bin with a spike, from 1; 0 for none
        last = nn.functional.pad(last[:, :-1], (1, 0))
        starts = torch.where(spiked, bins * self.bin_ms + place_ms, -LONG_AGO_MS)
        starts = nn.functional.pad(starts, (1, 0), value=-LONG_AGO_MS).gather(1, last)
        since = (bins * self.bin_ms - starts).clamp(max=LONG_AGO_MS)
        grown = nn.functional.pad(torch.cumsum(rate_per_ms * self.bin_ms, dim=1), (1, 0))
        at_spikes = nn.functional.pad(grown[:, :-1] + rate_per_ms * place_ms, (1, 0)).gather(1, last)
        phase = grown[:, :-1] - at_spikes
        known = self._known(spikes, since, phase, rate_per_ms)
        entering, first, second = self.hear(context).split(self.sizes, dim=-1)
        entering = entering + self.remember(known)
        fired_before = nn.functional.pad(spiked[:, :-1], (1, 0))[..., None]
        decays = self.decay * torch.where(fired_before, self.kept, 1.0)
        averages = linear_recurrence(decays, (1 - self.decay) * entering, before.averages)
        description = self._described(first, second, known, averages, address)
        return *self.decide(description, since, phase, rate_per_ms), description

    def step(
        self,
        context: Float[Tensor, "neuron channel"],
        rate: Float[Tensor, " neuron"],
        address: Tensor,
        fires: Bool[Tensor, " neuron"],
        memory: Memory,
    ) -> tuple[Float[Tensor, " neuron"], Float[Tensor, "neuron size"], Memory]:
        """Place and description of one bin, in which it is known who fires, and the memory after it; differentiable."""
        known = self._known(memory.spikes, memory.since_ms, memory.phase, rate)
        entering, first, second = self.hear(context).split(self.sizes, dim=-1)
        averages = self.decay * memory.averages + (1 - self.decay) * (entering + self.remember(known))
        heard, said = first[:, None], second[:, None]
        description = self._described(heard, said, known[:, None], averages[:, None], address)[:, 0]
        place = self.decide(description, memory.since_ms, memory.phase, rate)[1].clamp(0, self.bin_ms)
        left = self.bin_ms - place
        decayed = memory.spikes * torch.exp(-self.bin_ms / self.spike_times_ms)
        fresh = Memory(
            decayed + torch.where(fires[:, None], torch.exp(-left[:, None] / self.spike_times_ms), 0.0),
            torch.where(fires, left, (memory.since_ms + self.bin_ms).clamp(max=LONG_AGO_MS)),
            torch.where(fires, rate * left, memory.phase + rate * self.bin_ms),
            memory.used,
            averages * torch.where(fires[:, None], self.kept, 1.0),
        )
        return place, description, fresh

    def _known(self, spikes: Tensor, since_ms: Tensor, phase: Tensor, rate_per_ms: Tensor) -> Tensor:
        guess = time_to_spike_ms(phase, rate_per_ms)
        numbers = [
            torch.log1p(since_ms) / LOG_SINCE_UNIT,
            torch.exp(-since_ms / RECENT_MS),
            phase.clamp(0, 2),
            torch.log(rate_per_ms) / LOG_RATE_UNIT + 1,
            *(softsign(guess / scale) for scale in GUESS_SCALES_MS),
        ]
        return torch.cat([torch.minimum(spikes, self.most_spikes), torch.stack(numbers, dim=-1)], dim=-1)


def time_to_spike_ms(phase: Float[Tensor, "*bins"], rate_per_ms: Float[Tensor, "*bins"]) -> Float[Tensor, "*bins"]:
    """When the phase reaches 1 at this rate, ms, within bounds."""
    return ((1 - phase) / rate_per_ms).clamp(EARLIEST_MS, LATEST_MS)


def _before_bins(after: Tensor, first: Tensor) -> Tensor:
    return torch.cat([first[:, None], after[:, :-1]], dim=1)
