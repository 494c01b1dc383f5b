"""The spike-phase operator: when it fires, and what it looks like, learned apart.

A voltage loss alone rewards silence until spikes are right to a tenth of a millisecond, so the network does not draw spikes: it
predicts a *phase* that grows by one from spike to spike, as a rate on coarse time bins. Spike k is where the phase crosses k. A
small pointwise decoder then draws the voltage at any instant from the time to the nearest spikes, a slow voltage and
a few shape channels. Spike times are smooth in features and current, and sharp spikes cost nothing.

    current on bins, expected firing, address of the neuron
        -> causal network over tokens -> rate                         -> phase = integral of rate -> spike times -+
        -> a second, smaller one      -> slow voltage, shape channels ------------------> voltage <--------------+

Rates depend on the current up to the end of their token, and the voltage on coming spikes `LOOK_AHEAD_MS` ahead; later current
does not matter (`SpikePhaseCore.latency_ms`), so any duration and any dt will do.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Final, NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from noble.operator.address import address
from noble.operator.core import AbstractCore, Examples, Response, check_neurons, check_piece
from noble.operator.losses import LossConfig, pseudo_huber
from noble.operator.spec import FeatureSpec, centre
from noble.operator.spiking.adaptive_bins import bin_means, subdivide
from noble.operator.spiking.config import SpikePhaseConfig
from noble.operator.spiking.drawing import KNOTS_OF_A_BIN, drawn_between_knots
from noble.operator.spiking.fi_prior import FICurvePrior
from noble.operator.spiking.filters import FilterNetwork
from noble.operator.spiking.firing import Encoded, Firing, interpolate
from noble.operator.spiking.losses import compared_samples, phase_losses
from noble.operator.spiking.waveform import APART_MS, LOOK_AHEAD_MS, SpikeShapes, draw, time_to_spikes
from noble.traces import TimeGrid
from noble.units import nanoseconds

# exp(-12) per ms is one spike in three minutes; above, no two spikes are closer than the waveform can tell apart.
_LOG_RATE_RANGE: Final = (-12.0, -math.log(APART_MS))
# Expectations below the range would keep corrections, and gradients, from ever mattering.
_LEAST_EXPECTED_LOG_RATE: Final = -11.0
# A step begins within 0.06 ms of where the operator takes it to begin.
_PARTS_OF_A_BIN: Final = 16


class SpikePhaseState(NamedTuple):
    """What a stream has seen since rest; see `SpikePhaseCore.advance`.

    Attributes:
        scaled_features: shape (neuron, feature).
        current_na: all of it, shape (neuron, time), nA.
        dt_ms: its sampling interval, the same for all, shape (neuron,); NaN before the first current.
        spikes_told: how many spikes of each neuron responses have told, shape (neuron,).
    """

    scaled_features: Tensor
    current_na: Tensor
    dt_ms: Tensor
    spikes_told: Tensor


@final
class SpikePhaseCore(AbstractCore[SpikePhaseState]):
    """Scaled features and current in, mV out; see the module's docstring.

    In training mode every sample is drawn by the network of shapes; in evaluation shapes are looked up in a table and most
    samples are interpolated (`drawing`), which is several times faster and right within 0.1 mV for given spikes.

    Args:
        config: sizes.
        spec: tells which features are threshold and slope, so that the network is given the drive in physical units.
        grid: the training window; not needed, since any window will do.
    """

    def __init__(self, config: SpikePhaseConfig, spec: FeatureSpec, grid: TimeGrid) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.drive = FICurvePrior(spec)
        inputs = len(spec) * (1 + 2 * config.feature_frequencies)
        self.address = address(inputs, config.address)
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

    @property
    def latency_ms(self) -> float:
        """It is a token, since rates depend on all of theirs, plus how far ahead of a sample a coming spike is seen, ms.

        Spikes are settled sooner, with their token.
        """
        return self.config.token_ms + self._seen_ahead_ms

    @property
    def _seen_ahead_ms(self) -> float:
        """A sample may be interpolated from the knot after it, which sees a coming spike `LOOK_AHEAD_MS` ahead."""
        return LOOK_AHEAD_MS + self.config.bin_ms / KNOTS_OF_A_BIN

    def check_window(self, count: int, dt_ms: float) -> None:
        """Any window will do."""

    def forward(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch time"],
        dt_ms: float,
        *,
        keys: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time"]:
        """Voltage in mV at every sample of the current."""
        self.check_keys(keys, len(scaled_features))
        encoded = self.encode(scaled_features, current_na, dt_ms)
        return self._voltage(encoded, encoded.spike_times_ms(), range(current_na.shape[1]), dt_ms)

    def spike_times_ms(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch time"],
        dt_ms: float,
        *,
        keys: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch spike"]:
        """Where the phase crosses whole numbers, up to the end of the last token; nothing is drawn."""
        self.check_keys(keys, len(scaled_features))
        return self.firing(scaled_features, current_na, dt_ms).spike_times_ms()

    def rest(
        self, scaled_features: Float[Tensor, "neuron feature"], *, keys: Int[Tensor, " neuron"] | None = None
    ) -> SpikePhaseState:
        """Neurons that have seen no current yet; at least one."""
        neurons = check_neurons(scaled_features)
        self.check_keys(keys, neurons)
        return SpikePhaseState(
            scaled_features,
            current_na=scaled_features.new_zeros(neurons, 0),
            dt_ms=scaled_features.new_full((neurons,), torch.nan, dtype=torch.float64),
            spikes_told=scaled_features.new_zeros(neurons, dtype=torch.long),
        )

    def advance(
        self, state: SpikePhaseState, current_na: Float[Tensor, "neuron time"], dt_ms: float
    ) -> tuple[SpikePhaseState, Response]:
        """The state after a further piece of current, and what that settles.

        The state holds the current, and whenever a token is complete all of it is answered anew: an advance costs as much as what
        went before.
        """
        told, neurons = state.spikes_told, len(state.scaled_features)
        check_piece(current_na, dt_ms, neurons=neurons, dt_before_ms=state.dt_ms.tolist())
        whole = torch.cat([state.current_na, current_na.to(state.current_na)], dim=1)
        before, tokens = (self._tokens(item.shape[1] * dt_ms) for item in (state.current_na, whole))
        samples = range(self._settled_samples(before, dt_ms), self._settled_samples(tokens, dt_ms))
        voltage = spikes = whole.new_zeros(neurons, 0)
        if tokens > before:
            encoded = self.encode(state.scaled_features, whole, dt_ms)
            times = encoded.spike_times_ms()
            voltage = self._voltage(encoded, times, samples, dt_ms)
            # Counted, and not taken by time: a spike at a token's very edge may be on either side of it in the next answer.
            counts = encoded.phase()[:, tokens * self.config.bins].detach().floor().long().maximum(told)
            spikes, told = _numbered(times, told, counts), counts
        fresh = SpikePhaseState(state.scaled_features, whole, torch.full_like(state.dt_ms, dt_ms), told)
        return fresh, Response(samples.start * dt_ms, voltage, spikes, tokens * self.config.token_ms)

    def objective(self, examples: Examples, losses: LossConfig, generator: torch.Generator) -> dict[str, Tensor]:
        """Phase against the true spikes, and the voltage that the decoder draws when it is given the true spikes.

        Teacher forcing keeps the two apart: a spike that comes late costs its time, not the voltage of a missed spike and
        of a false one, so there is nothing to gain from silence.
        """
        encoded = self.encode(examples.scaled_features, examples.current_na, examples.dt_ms)
        timing, intervals, silence = phase_losses(encoded, examples.spikes_ms, scale_ms=losses.timing_scale_ms)
        samples = compared_samples(examples, losses.waveform_points, generator)
        drawn = self.decode(encoded, samples * examples.dt_ms, examples.spikes_ms)
        waveform = pseudo_huber(drawn - examples.voltage_mv.gather(1, samples), scale=1.0).mean()
        loss = (
            losses.timing * timing
            + losses.intervals * intervals
            + losses.silence * silence
            + losses.waveform * waveform
        )
        return {"loss": loss, "timing": timing, "intervals": intervals, "silence": silence, "waveform": waveform}

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
        tokens = max(1, -(-nanoseconds(current_na.shape[1] * dt_ms) // nanoseconds(self.config.token_ms)))
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
        adaptive = subdivide(nn.functional.pad(current, (config.bins * parts, 0)).unflatten(1, (-1, parts)))
        signals, log_rate = self.drive(scaled, adaptive.current_na, adaptive.share * config.bin_ms)
        signals = adaptive.means(signals).unflatten(1, (tokens + 1, config.bins)).flatten(2)
        rate = adaptive.means(torch.exp(log_rate.clamp(min=2 * _LEAST_EXPECTED_LOG_RATE)))[:, config.bins :]
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
        return self._decode(self.shapes.ready(), encoded, times_ms, spikes_ms, rows)

    def _decode(
        self, shapes: SpikeShapes | Tensor, encoded: Encoded, times_ms: Tensor, spikes_ms: Tensor, rows: Tensor | None
    ) -> Tensor:
        """`decode` with shapes made ready once for several parts of a window."""
        slow = interpolate(encoded.slow_mv, times_ms / encoded.bin_ms, rows)
        channels = interpolate(encoded.channels, times_ms / encoded.token_ms, rows)
        return slow + self.config.scale_mv * draw(shapes, *time_to_spikes(times_ms, spikes_ms), channels)

    def _voltage(
        self, encoded: Encoded, spikes_ms: Float[Tensor, "batch spikes"], samples: range, dt_ms: float
    ) -> Float[Tensor, "batch samples"]:
        """Voltage at some samples, in mV."""
        batch = spikes_ms.shape[0]
        if self.training or not samples:
            times = torch.arange(samples.start, samples.stop, device=spikes_ms.device, dtype=spikes_ms.dtype) * dt_ms
            return self.decode(encoded, times.expand(batch, -1), spikes_ms)
        step = max(1, self.config.decode_points // batch)
        parts = [samples[start : start + step] for start in range(0, len(samples), step)]
        decode, knot_ms = partial(self._decode, self.shapes.ready(), encoded), encoded.bin_ms / KNOTS_OF_A_BIN
        return torch.cat([drawn_between_knots(decode, spikes_ms, part, dt_ms, knot_ms) for part in parts], dim=1)

    def _tokens(self, duration_ms: float) -> int:
        """How many tokens are complete after this time."""
        return nanoseconds(duration_ms) // nanoseconds(self.config.token_ms)

    def _settled_samples(self, tokens: int, dt_ms: float) -> int:
        """How many samples of voltage no current after so many tokens changes."""
        last_ms = tokens * self.config.token_ms - self._seen_ahead_ms
        return max(0, math.floor(last_ms / dt_ms + 1e-9) + 1)

    def _address(self, scaled: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch inputs"]:
        """Features centred on zero, and sinusoids of them."""
        centred = centre(scaled)
        waves = [centred]
        for power in range(self.config.feature_frequencies):
            waves += [torch.sin(2**power * torch.pi / 2 * centred), torch.cos(2**power * torch.pi / 2 * centred)]
        return torch.cat(waves, dim=1)


def _full(values: Tensor) -> Tensor:
    """At least single precision: the phase adds up over the whole window, which half precision cannot carry."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _numbered(
    times_ms: Float[Tensor, "neuron spike"], told: Int[Tensor, " neuron"], counts: Int[Tensor, " neuron"]
) -> Float[Tensor, "neuron new"]:
    """The spikes after the first `told` of each neuron, up to its first `counts`, filled up with infinity."""
    index = told[:, None] + torch.arange(int((counts - told).max()), device=told.device)
    padded = nn.functional.pad(times_ms, (0, 1), value=torch.inf)
    found = padded.gather(1, index.clamp(max=times_ms.shape[1]))
    return torch.where(index < counts[:, None], found, torch.inf)
