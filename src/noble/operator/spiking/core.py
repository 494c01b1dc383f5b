"""The spike-phase operator: when it fires, and what it looks like, learned apart.

A voltage loss alone rewards silence until spikes are right to a tenth of a millisecond, so the network does not draw spikes: it
predicts a *phase* that grows by one from spike to spike, as a rate on coarse time bins. Spike k is where the phase crosses k. A
small pointwise decoder then draws the voltage at any instant from the time to the nearest spikes, a slow voltage and
a few shape channels. Spike times are smooth in features and current, and sharp spikes cost nothing.

    current on bins, expected firing, address of the neuron
        -> causal network over tokens -> rate                         -> phase = integral of rate -> spike times -+
        -> a second, smaller one      -> slow voltage, shape channels ------------------> voltage <--------------+

The answer at an instant depends on the current up to the end of the token `LOOK_AHEAD_MS` later, in which a coming spike may lie,
and on no later one; so any duration and any dt will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from noble.operator.spec import FeatureSpec
from noble.operator.spiking.adaptive_bins import cut
from noble.operator.spiking.config import SpikePhaseConfig
from noble.operator.spiking.fi_prior import FICurvePrior
from noble.operator.spiking.filters import FilterNetwork
from noble.operator.spiking.waveform import APART_MS, SpikeShapes, draw
from noble.traces import TimeGrid

# exp(-12) per ms is one spike in three minutes; above, no two spikes are closer than the waveform can tell apart.
_LOG_RATE_RANGE: Final = (-12.0, -math.log(APART_MS))
# Expectations below the range would keep corrections, and gradients, from ever mattering.
_LEAST_EXPECTED_LOG_RATE: Final = -11.0
# A step begins within 0.06 ms of where the operator takes it to begin.
_PARTS_OF_A_BIN: Final = 16
# Without gradients, every sample is drawn from so long before to so long after a spike, and elsewhere only knots a quarter of a
# bin (0.24 ms) apart: between them the slow voltage is a straight line, and interpolation of the shapes is right within 0.1 mV.
_NEAR_BEFORE_MS: Final = 2.0
_NEAR_AFTER_MS: Final = 4.0
_KNOTS_OF_A_BIN: Final = 4


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
        return _interpolate(self.phase(), times_ms.double() / self.bin_ms)

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


class SpikePhaseCore(nn.Module):
    """Scaled features and current in, mV out; see the module's docstring.

    Args:
        config: sizes.
        spec: tells which features are threshold and slope, so that the network is given the drive in physical units.
        grid: the training window; not needed, since any window will do.
    """

    causal = True

    def __init__(self, config: SpikePhaseConfig, spec: FeatureSpec, grid: TimeGrid) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.drive = FICurvePrior(spec)
        inputs = len(spec) * (1 + 2 * config.feature_frequencies)
        self.address = nn.Sequential(nn.Linear(inputs, config.address), nn.SiLU())
        common = {
            "signals": config.bins * self.drive.signals,
            "address": config.address,
            "filters": config.filters,
            "token_ms": config.token_ms,
        }
        self.timing = FilterNetwork(
            outputs=config.bins, width=config.width, hidden=config.hidden, blocks=config.blocks, **common
        )
        # Before any training, what the features say of firing is the answer.
        nn.init.zeros_(self.timing.leave.weight)
        nn.init.zeros_(self.timing.leave.bias)
        self.slow = FilterNetwork(
            outputs=config.bins + config.shapes,
            width=config.slow_width,
            hidden=2 * config.slow_width,
            blocks=config.slow_blocks,
            **common,
        )
        self.shapes = SpikeShapes(config.shapes, config.shape_width)
        self._table: tuple[object, Tensor] | None = None

    def forward(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Float[Tensor, "batch time"]:
        """Voltage in mV at every sample of the current."""
        encoded = self.encode(scaled_features, current_na, dt_ms)
        spikes = encoded.spike_times_ms()
        batch, count = current_na.shape
        if torch.is_grad_enabled():
            times = torch.arange(count, device=current_na.device, dtype=current_na.dtype) * dt_ms
            return self.decode(encoded, times.expand(batch, count), spikes)
        step = max(1, self.config.decode_points // batch)
        parts = [range(start, min(start + step, count)) for start in range(0, count, step)]
        return torch.cat([self._drawn(encoded, spikes, part, dt_ms) for part in parts], dim=1)

    def encode(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Encoded:
        """Run both networks over the tokens that cover the current."""
        config = self.config
        signals, expected, address = self._inputs(scaled_features, current_na, dt_ms)
        slow, channels = self.slow(signals, address).split([config.bins, config.shapes], dim=2)
        return Encoded(
            rate_per_ms=self._rate_per_ms(signals, expected, address),
            bin_ms=config.bin_ms,
            slow_mv=config.rest_mv + config.scale_mv * _full(slow.flatten(1)[:, config.bins - 1 :]),
            channels=_full(channels),
            token_ms=config.token_ms,
        )

    def firing(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Firing:
        """The part of `encode` that spike times need, at two thirds of its cost."""
        return Firing(self._rate_per_ms(*self._inputs(scaled_features, current_na, dt_ms)), self.config.bin_ms)

    def _inputs(
        self, scaled: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> tuple[Float[Tensor, "batch token signal"], Float[Tensor, "batch bin"], Float[Tensor, "batch address"]]:
        """What the networks are given: signals, the expected log rate that one of them corrects, and the neuron's address."""
        tokens = max(1, -(-round(current_na.shape[1] * dt_ms * 1e6) // round(self.config.token_ms * 1e6)))
        signals, expected = self._expectations(scaled, current_na, dt_ms, tokens)
        return signals, expected, self.address(self._address(scaled))

    def _rate_per_ms(
        self,
        signals: Float[Tensor, "batch token signal"],
        expected: Float[Tensor, "batch bin"],
        address: Float[Tensor, "batch address"],
    ) -> Float[Tensor, "batch bin"]:
        """The network corrects what the features alone predict, and so fires and stops with the current from the start."""
        log_rate = self.drive.uncertainty * _full(self.timing(signals, address)[:, 1:].flatten(1))
        return torch.exp((expected + log_rate).clamp(*_LOG_RATE_RANGE))

    def _expectations(
        self, scaled: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float, tokens: int
    ) -> tuple[Float[Tensor, "batch token signal"], Float[Tensor, "batch bin"]]:
        """Signals of each token, after one of rest, and the logarithm of the expected rate in each bin of the others."""
        config, parts = self.config, _PARTS_OF_A_BIN
        current = bin_means(current_na, dt_ms=dt_ms, bin_ms=config.bin_ms / parts, bins=tokens * config.bins * parts)
        # A token of rest before the first: where the averages start, so that nothing moves until the current does.
        pieces = cut(nn.functional.pad(current, (config.bins * parts, 0)).unflatten(1, (-1, parts)))
        signals, log_rate = self.drive(scaled, pieces.current_na, pieces.share * config.bin_ms)
        signals = pieces.means(signals).unflatten(1, (tokens + 1, config.bins)).flatten(2)
        rate = pieces.means(torch.exp(log_rate.clamp(min=2 * _LEAST_EXPECTED_LOG_RATE)))[:, config.bins :]
        return signals, torch.log(rate).clamp(min=_LEAST_EXPECTED_LOG_RATE)

    def decode(
        self,
        encoded: Encoded,
        times_ms: Float[Tensor, "row points"],
        spikes_ms: Float[Tensor, "row spikes"],
        rows: Tensor | None = None,
    ) -> Float[Tensor, "row points"]:
        """Voltage at given instants, given spike times: predicted ones, or in training the true ones.

        Args:
            encoded: from `encode`.
            times_ms: instants, ms.
            spikes_ms: spike times in order, filled up with infinity, ms.
            rows: which trace each row of times and spikes belongs to; by default each to its own.
        """
        slow = _interpolate(encoded.slow_mv, times_ms / encoded.bin_ms, rows)
        channels = _interpolate(encoded.channels, times_ms / encoded.token_ms, rows)
        return slow + self.config.scale_mv * draw(self._shapes(), *_time_to_spikes(times_ms, spikes_ms), channels)

    def _drawn(
        self, encoded: Encoded, spikes_ms: Float[Tensor, "batch spikes"], part: range, dt_ms: float
    ) -> Float[Tensor, "batch samples"]:
        """`decode` at a part of the samples, away from spikes by interpolation between knots: four times faster."""
        batch, first, end = spikes_ms.shape[0], part.start, part.stop

        def numbers(*bounds: int) -> Tensor:
            return torch.arange(*bounds, device=spikes_ms.device)

        def decode(steps: Tensor, step_ms: float) -> Tensor:
            return self.decode(encoded, (steps.to(spikes_ms.dtype) * step_ms).expand(batch, -1), spikes_ms)

        knot_ms = encoded.bin_ms / _KNOTS_OF_A_BIN
        if knot_ms <= dt_ms:
            return decode(numbers(first, end), dt_ms)
        position = numbers(first, end).double() * (dt_ms / knot_ms)
        left = position.long()
        start, stop = int(left[0]), int(left[-1]) + 2
        knots = decode(numbers(start, stop), knot_ms)
        weight = (position - left).to(knots.dtype)
        left = left - start
        voltage = torch.lerp(knots.index_select(1, left), knots.index_select(1, left + 1), weight)
        near = (spikes_ms > first * dt_ms - _NEAR_AFTER_MS) & (spikes_ms < end * dt_ms + _NEAR_BEFORE_MS)
        rows, which = near.nonzero(as_tuple=True)
        around = numbers(-round(_NEAR_BEFORE_MS / dt_ms), round(_NEAR_AFTER_MS / dt_ms))
        where = ((spikes_ms[rows, which] / dt_ms).long()[:, None] + around).clamp(first, end - 1)
        times_ms = where.to(spikes_ms.dtype) * dt_ms
        voltage[rows[:, None], where - first] = self.decode(encoded, times_ms, spikes_ms[rows], rows)
        return voltage

    def _shapes(self) -> SpikeShapes | Tensor:
        """The network while gradients are wanted, and its table for predictions, made anew whenever a weight has changed."""
        if torch.is_grad_enabled() or self.training:
            return self.shapes
        state = tuple(
            (weight.data_ptr(), None if weight.is_inference() else weight._version, weight.dtype)
            for weight in self.shapes.parameters()
        )
        if self._table is None or self._table[0] != state:
            self._table = state, self.shapes.table()
        return self._table[1]

    def _address(self, scaled: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch inputs"]:
        """Features centred on zero, and sinusoids of them."""
        centred = (scaled - 2.0) / 1.5
        waves = [centred]
        for power in range(self.config.feature_frequencies):
            waves += [torch.sin(2**power * torch.pi / 2 * centred), torch.cos(2**power * torch.pi / 2 * centred)]
        return torch.cat(waves, dim=1)


def _full(values: Tensor) -> Tensor:
    """At least single precision: the phase adds up over the whole window, which half precision cannot carry."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def bin_means(
    current_na: Float[Tensor, "batch time"], *, dt_ms: float, bin_ms: float, bins: int
) -> Float[Tensor, "batch bins"]:
    """Mean current in consecutive bins of any length, each sample held until the next; the last one is held to the end.

    Exact for charge: the same current on a finer grid has the same means, up to where a jump falls between samples.
    """
    count = current_na.shape[1]
    charge = nn.functional.pad(torch.cumsum(current_na.double(), dim=1), (1, 0))
    edges = torch.arange(bins + 1, device=current_na.device, dtype=torch.float64) * (bin_ms / dt_ms)
    whole = edges.floor().clamp(max=count - 1).long()
    at_edges = charge[:, whole] + (edges - whole) * current_na.double()[:, whole]
    return (torch.diff(at_edges, dim=1) * (dt_ms / bin_ms)).to(current_na.dtype)


def _interpolate(knots: Tensor, positions: Float[Tensor, "batch points"], rows: Tensor | None = None) -> Tensor:
    """Linear interpolation along axis 1 of knots (batch, knots, ...) at fractional indices; `rows` of them, by default all."""
    count = knots.shape[1]
    rows = torch.arange(knots.shape[0], device=knots.device) if rows is None else rows
    left = positions.detach().floor().clamp(0, count - 2).long()
    weight = (positions - left).reshape(-1, *[1] * (knots.ndim - 2))
    # Whole rows of a flat table: seven times faster than to gather element by element.
    before = (left + rows[:, None] * count).reshape(-1)
    table = knots.flatten(0, 1)
    return torch.lerp(table.index_select(0, before), table.index_select(0, before + 1), weight).unflatten(0, left.shape)


def _time_to_spikes(
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
