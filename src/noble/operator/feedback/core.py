"""The spike-feedback operator: it goes through a current bin by bin and knows which spikes it has fired itself.

    current -> parts of bins -> context (wide, all bins at once), expected rate of the F-I curve
            -> cell (narrow, bin by bin, with the memory of its own spikes) -> spikes, and a description of each bin
            -> slow voltage at the bins' edges, shapes of the spikes -> voltage

In training the cell is told the true spikes, so that all bins are computed at once and a missed spike spoils nothing after it.
A bin depends on the current up to its end, and the voltage on a coming spike `ahead_ms` ahead: that is all the latency there is.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from noble.operator.core import AbstractCore, Examples, Response, check_neurons, check_piece
from noble.operator.feedback.bins import Binning
from noble.operator.feedback.cell import Cell, Memory
from noble.operator.feedback.compiled import Fired, answer
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.operator.feedback.context import Context
from noble.operator.feedback.drawing import Drawing
from noble.operator.feedback.recurrence import linear_recurrence
from noble.operator.losses import LossConfig, pseudo_huber
from noble.operator.spec import FeatureSpec, centre
from noble.operator.spiking.fi_prior import STATES, FICurvePrior
from noble.operator.spiking.losses import compared_samples
from noble.operator.spiking.waveform import SpikeShapes
from noble.traces import TimeGrid

_PARTS: Final = 4
# The usual error of the logarithm of the expected rate is the unit in which the context corrects it.
_LOG_RATE_RANGE: Final = (-12.0, -0.7)
_LEAST_EXPECTED_LOG_RATE: Final = -11.0
# What the current does within a bin, against its mean, is told in this unit, nA.
_FINE_NA: Final = 0.1
# Current beyond the learned range charges a passive membrane: MOhm and ms where the features do not say.
_USUAL_RESISTANCE_MOHM: Final = 100.0
_PASSIVE_MS: Final = 10.0
# Errors of the place of a spike count as nats by this unit, ms.
_PLACE_UNIT_MS: Final = 0.17
_PLACE_SCALE_MS: Final = 0.05
# Losses are those of a spike, but at most of so much time.
_LONGEST_INTERVAL_MS: Final = 100.0
# Spikes that are fed back in training are moved by a normal number of a standard deviation between these, ms.
_JITTER_MS: Final = (0.001, 0.03)
# Neurons x bins that are computed at once when no gradient is wanted; bounds the memory.
_BINS_AT_ONCE: Final = 128 * 1024


class SpikeFeedbackState(NamedTuple):
    """What a stream knows; see `SpikeFeedbackCore.advance`.

    Attributes:
        scaled_features: shape (neuron, feature).
        dt_ms: sampling interval, the same for all, shape (neuron,); NaN before the first current.
        samples: how many have come, shape (neuron,).
        pending_na: those that no complete bin has used up, shape (neuron, time), nA.
        expected: of the expected rate, shape (neuron, 3).
        context: averages of the wide part.
        spikes, since_ms, phase, used, averages: memory of the narrow part, see `noble.operator.feedback.cell.Memory`.
        beyond_mv: what current beyond the learned range has done to the membrane, shape (neuron,).
        slow_mv: slow voltage at the last two edges of bins, shape (neuron, 2).
        recent_ms, recent_mv: spikes whose shapes may still be drawn, and the weights of their shapes.
    """

    scaled_features: Tensor
    dt_ms: Tensor
    samples: Tensor
    pending_na: Tensor
    expected: Tensor
    context: Tensor
    spikes: Tensor
    since_ms: Tensor
    phase: Tensor
    used: Tensor
    averages: Tensor
    beyond_mv: Tensor
    slow_mv: Tensor
    recent_ms: Tensor
    recent_mv: Tensor

    @property
    def memory(self) -> Memory:
        """Of the narrow part."""
        return Memory(self.spikes, self.since_ms, self.phase, self.used, self.averages)


class _Answer(NamedTuple):
    """What some bins hold: spikes, rows filled up with infinity; weights of their shapes; slow voltage at the bins' ends."""

    spikes_ms: Tensor
    channels_mv: Tensor
    slow_mv: Tensor
    context: Tensor
    memory: Memory


@final
class SpikeFeedbackCore(AbstractCore[SpikeFeedbackState]):
    """Scaled features and current in, mV out; see the module's docstring.

    Args:
        config: sizes.
        spec: tells which features are threshold and curve.
        grid: the training window; not needed, since any window will do.
    """

    def __init__(self, config: SpikeFeedbackConfig, spec: FeatureSpec, grid: TimeGrid) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.prior = FICurvePrior(spec)
        self.address = nn.Sequential(nn.Linear(len(spec), config.address), nn.SiLU())
        self.context = Context(
            signals=_PARTS + self.prior.signals,
            address=config.address,
            width=config.width,
            filters=config.filters,
            hidden=config.hidden,
            blocks=config.blocks,
            bin_ms=config.bin_ms,
        )
        self.correct = nn.Linear(config.width, 1)
        self.cell = Cell(config.width, config.cell, config.averages, config.address, config.bin_ms)
        self.slow = nn.Linear(config.cell, 1)
        self.weigh = nn.Linear(config.cell, config.shapes)
        self.shapes = SpikeShapes(config.shapes, config.shape_width, ahead_ms=config.ahead_ms, back_ms=config.back_ms)
        with torch.no_grad():
            self.slow.weight.mul_(0.1)

    @property
    def log_rate_range(self) -> tuple[float, float]:
        """Bounds of the logarithm of the expected rate in 1/ms, once it is corrected."""
        return _LOG_RATE_RANGE

    @property
    def latency_ms(self) -> float:
        """It is a bin, whose mean currents count, and how far ahead a coming spike is seen, ms."""
        return self.config.bin_ms + self.config.ahead_ms

    def check_window(self, count: int, dt_ms: float) -> None:
        """Any window will do."""

    def forward(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Float[Tensor, "batch time"]:
        """Voltage in mV at every sample of the current."""
        responses = self._responses(scaled_features, current_na, dt_ms)
        return torch.cat([response.voltage_mv for response in responses], dim=1)[:, : current_na.shape[1]]

    def spike_times_ms(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Float[Tensor, "batch spike"]:
        """Up to the end of the bin of the last sample."""
        responses = self._responses(scaled_features, current_na, dt_ms)
        return _packed(torch.cat([response.spikes_ms for response in responses], dim=1))[0]

    def rest(self, scaled_features: Float[Tensor, "neuron feature"]) -> SpikeFeedbackState:
        """Neurons that have seen no current yet; at least one."""
        neurons = check_neurons(scaled_features)
        nothing = scaled_features.new_zeros(neurons)
        address, never = self._address(scaled_features), scaled_features.new_zeros(neurons, STATES)
        signals, expected, _ = self._signals(scaled_features, nothing[:, None, None].expand(-1, 1, _PARTS), never)
        context, carried = self.context.rest(signals[:, 0], address)
        rate = self._rate(expected[:, 0], context)
        memory = self.cell.rest(context, rate)
        _, description, _ = self.cell.step(context, rate, address, torch.zeros_like(nothing, dtype=torch.bool), memory)
        slow = self._slow_mv(description)
        return SpikeFeedbackState(
            scaled_features,
            dt_ms=torch.full_like(nothing, torch.nan, dtype=torch.float64),
            samples=torch.zeros_like(nothing, dtype=torch.long),
            pending_na=nothing[:, None][:, :0],
            expected=never,
            context=carried,
            **memory._asdict(),
            beyond_mv=nothing,
            slow_mv=slow[:, None].expand(-1, 2),
            recent_ms=nothing[:, None][:, :0].double(),
            recent_mv=scaled_features.new_zeros(neurons, 0, self.config.shapes),
        )

    def advance(
        self, state: SpikeFeedbackState, current_na: Float[Tensor, "neuron time"], dt_ms: float
    ) -> tuple[SpikeFeedbackState, Response]:
        """The state after a further piece of current, and what that settles; it costs as much as the piece is long."""
        config, neurons = self.config, len(state.scaled_features)
        check_piece(current_na, dt_ms, neurons=neurons, dt_before_ms=state.dt_ms.tolist())
        binning = Binning(config.bin_ms, _PARTS, dt_ms)
        samples = int(state.samples[0])
        done, complete = binning.complete(samples), binning.complete(samples + current_na.shape[1])
        pending = torch.cat([state.pending_na, current_na.to(state.pending_na)], dim=1)
        first = samples - state.pending_na.shape[1]
        fresh = state._replace(dt_ms=torch.full_like(state.dt_ms, dt_ms), samples=state.samples + current_na.shape[1])
        settled = range(self._settled_samples(done, dt_ms), self._settled_samples(complete, dt_ms))
        if complete == done:
            empty = current_na.new_zeros(neurons, 0)
            nothing = Response(settled.start * dt_ms, empty, empty.double(), done * config.bin_ms)
            return fresh._replace(pending_na=pending), nothing
        parts = binning.part_means(pending, first, range(done, complete))
        seen = parts.clamp(config.lowest_na, config.highest_na)
        beyond = self._beyond_mv(state.scaled_features, parts - seen, state.beyond_mv)
        signals, expected, expected_after = self._signals(state.scaled_features, seen, state.expected)
        told = self._answer(signals, expected, self._address(state.scaled_features), state.context, state.memory, done)
        spikes, order = _packed(torch.cat([state.recent_ms, told.spikes_ms], dim=1))
        drawing = Drawing(
            slow_mv=torch.cat([state.slow_mv, told.slow_mv + beyond], dim=1),
            first_edge=done - 1,
            bin_ms=config.bin_ms,
            spikes_ms=spikes,
            channels=_rows(torch.cat([state.recent_mv, told.channels_mv], dim=1), order),
            shapes=self.shapes,
        )
        kept = max(0, binning.first_sample(complete) - first)
        fresh = fresh._replace(
            pending_na=pending[:, kept:],
            expected=expected_after,
            context=told.context,
            **told.memory._asdict(),
            beyond_mv=beyond[:, -1],
            slow_mv=drawing.slow_mv[:, -2:],
            **self._recent(drawing, complete * config.bin_ms),
        )
        voltage = drawing.samples(settled, dt_ms)
        return fresh, Response(settled.start * dt_ms, voltage, told.spikes_ms, complete * config.bin_ms)

    def objective(self, examples: Examples, losses: LossConfig, generator: torch.Generator) -> dict[str, Tensor]:
        """Chance and place of every spike, and the voltage that is drawn when the cell is told the true spikes."""
        config = self.config
        count = examples.current_na.shape[1]
        binning = Binning(config.bin_ms, _PARTS, examples.dt_ms)
        bins = binning.complete(count)
        parts = binning.part_means(examples.current_na, 0, range(bins))
        state = self.rest(examples.scaled_features)
        address = self._address(examples.scaled_features)
        seen = parts.clamp(config.lowest_na, config.highest_na)
        beyond = self._beyond_mv(examples.scaled_features, parts - seen, state.beyond_mv)
        signals, expected, _ = self._signals(examples.scaled_features, seen, state.expected)
        context, _ = self.context(signals, address, state.context)
        rate = self._rate(expected, context)
        true = torch.where(examples.spikes_ms < bins * config.bin_ms - 1e-6, examples.spikes_ms, torch.inf)
        spiked, place = _in_bins(true, bins, config.bin_ms)
        low, high = (math.log(edge) for edge in _JITTER_MS)
        spread = torch.exp(low + (high - low) * torch.rand((len(place), 1), generator=generator)).to(place)
        moved = place + spread * torch.randn(place.shape, generator=generator).to(place)
        told = torch.where(spiked, moved.clamp(0, config.bin_ms), 0.0)
        odds, guessed, description = self.cell.told(context, rate, address, spiked, told, state.memory)
        # Per spike; where there are few, as if there were some, so that a silent batch counts for no more than it shows.
        fired = spiked.sum().clamp(min=len(spiked) * bins * config.bin_ms / _LONGEST_INTERVAL_MS)
        firing = nn.functional.binary_cross_entropy_with_logits(odds, spiked.to(odds), reduction="sum") / fired
        timing = pseudo_huber((guessed - place)[spiked], scale=_PLACE_SCALE_MS).sum() / fired / _PLACE_UNIT_MS
        # At least one column, so that several devices find a gradient for every weight, whatever fires.
        found, channels = self._spikes(spiked, place, description, 0, least=1)
        drawing = Drawing(
            slow_mv=torch.cat([state.slow_mv[:, -1:], self._slow_mv(description) + beyond], dim=1),
            first_edge=0,
            bin_ms=config.bin_ms,
            spikes_ms=found,
            channels=channels,
            shapes=self.shapes,
        )
        points = compared_samples(examples, losses.waveform_points, generator)
        points = points.clamp(max=self._settled_samples(bins, examples.dt_ms) - 1)
        drawn = drawing.points(points * examples.dt_ms)
        waveform = pseudo_huber(drawn - examples.voltage_mv.gather(1, points), scale=1.0).mean()
        loss = losses.firing * firing + losses.timing * timing + losses.waveform * waveform
        return {"loss": loss, "firing": firing, "timing": timing, "waveform": waveform}

    def _responses(self, scaled: Tensor, current_na: Tensor, dt_ms: float) -> list[Response]:
        """A whole current, piece by piece, and after its end as long as it takes until the last sample is settled."""
        binning = Binning(self.config.bin_ms, _PARTS, dt_ms)
        count = current_na.shape[1]
        bins = math.ceil((count * dt_ms + self.config.ahead_ms) / self.config.bin_ms) + 1
        held = current_na[:, -1:].expand(-1, max(0, binning.filling(bins) - count))
        whole = torch.cat([current_na, held], dim=1)
        needed = torch.is_grad_enabled() and (
            scaled.requires_grad or current_na.requires_grad or any(item.requires_grad for item in self.parameters())
        )
        at_once = bins if needed else max(16, _BINS_AT_ONCE // max(1, len(scaled)))
        state, responses = self.rest(scaled), []
        for start in range(0, bins, at_once):
            piece = whole[:, binning.filling(start) : binning.filling(min(start + at_once, bins))]
            state, response = self.advance(state, piece, dt_ms)
            responses.append(response)
        return responses

    def _address(self, scaled: Tensor) -> Tensor:
        return self.address(centre(scaled))

    def _slow_mv(self, description: Tensor) -> Tensor:
        return self.config.rest_mv + self.config.scale_mv * self.slow(description)[..., 0]

    def _spikes(
        self, spiked: Tensor, place_ms: Tensor, description: Tensor, first_bin: int, *, least: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Times of the spikes in some bins, filled up with infinity, and the weights of their shapes."""
        starts = (first_bin + torch.arange(spiked.shape[1], device=spiked.device)).double() * self.config.bin_ms
        times, order = _packed(torch.where(spiked, starts + place_ms.double(), torch.inf), least=least)
        return times, self.config.scale_mv * self.weigh(_rows(description, order))

    def _beyond_mv(self, scaled: Tensor, beyond_na: Tensor, before: Tensor) -> Tensor:
        """Voltage at the ends of bins that current beyond the learned range adds, as on a passive membrane."""
        decay = torch.full((1,), math.exp(-self.config.bin_ms / _PASSIVE_MS), device=beyond_na.device)
        steady = self._resistance_mohm(scaled)[:, None] * beyond_na.mean(dim=2)
        return linear_recurrence(decay, (1 - decay) * steady[..., None], before[:, None])[..., 0]

    def _signals(self, scaled: Tensor, parts: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Signals of each bin, the logarithm of the expected rate in it, and the state of the expectation."""
        means = parts.mean(dim=2)
        signals, log_rate, after = self.prior.advance(scaled, means, torch.full_like(means, self.config.bin_ms), before)
        fine = (parts - means[..., None]) / _FINE_NA
        return torch.cat([signals, fine], dim=2), log_rate.clamp(min=_LEAST_EXPECTED_LOG_RATE), after

    def _rate(self, expected: Tensor, context: Tensor) -> Tensor:
        return torch.exp((expected + self.prior.uncertainty * self.correct(context)[..., 0]).clamp(*_LOG_RATE_RANGE))

    def _answer(
        self, signals: Tensor, expected: Tensor, address: Tensor, context: Tensor, memory: Memory, first_bin: int
    ) -> _Answer:
        """Spikes and slow voltage of some bins; where a gradient is wanted, its way leads through every spike."""
        fired = answer(self, signals, expected, address, context, memory)
        if not torch.isfinite(fired.slow).all():
            raise ValueError(
                "the operator gives a number that is not finite, so its weights have diverged; train with a smaller "
                "learning rate."
            )
        if torch.is_grad_enabled() and (signals.requires_grad or address.requires_grad):
            return self._answer_with_gradients(fired, signals, expected, address, context, memory, first_bin)
        found = fired.bins < signals.shape[1]
        times = (first_bin + fired.bins).double() * self.config.bin_ms + fired.place_ms.double()
        return _Answer(
            torch.where(found, times, torch.inf),
            torch.where(found[..., None], self.config.scale_mv * fired.shapes, 0.0),
            self.config.rest_mv + self.config.scale_mv * fired.slow,
            fired.context,
            fired.memory,
        )

    def _answer_with_gradients(
        self,
        fired: Fired,
        signals: Tensor,
        expected: Tensor,
        address: Tensor,
        context: Tensor,
        memory: Memory,
        first_bin: int,
    ) -> _Answer:
        channels, after = self.context(signals, address, context)
        rate = self._rate(expected, channels)
        bins = signals.shape[1]
        spiked = torch.zeros(len(signals), bins + 1, dtype=torch.bool, device=signals.device)
        spiked = spiked.scatter(1, fired.bins, True)[:, :bins]
        places, descriptions = [], []
        for bin in range(bins):
            place, description, memory = self.cell.step(channels[:, bin], rate[:, bin], address, spiked[:, bin], memory)
            places.append(place)
            descriptions.append(description)
        description = torch.stack(descriptions, dim=1)
        times, weights = self._spikes(spiked, torch.stack(places, dim=1), description, first_bin)
        memory = memory._replace(used=fired.memory.used)
        return _Answer(times, weights, self._slow_mv(description), after, memory)

    def _recent(self, drawing: Drawing, now_ms: float) -> dict[str, Tensor]:
        """The spikes that may still be drawn, or fade in what comes."""
        config = self.config
        oldest_ms = now_ms - config.ahead_ms - config.back_ms
        recent = torch.where(drawing.spikes_ms >= oldest_ms, drawing.spikes_ms, torch.inf)
        times, order = _packed(recent)
        return {"recent_ms": times, "recent_mv": _rows(drawing.channels, order)}

    def _resistance_mohm(self, scaled: Tensor) -> Tensor:
        if "input_resistance" not in self.spec.names:
            return scaled.new_full((len(scaled),), _USUAL_RESISTANCE_MOHM)
        return self.spec.unscale(scaled)[:, self.spec.names.index("input_resistance")]

    def _settled_samples(self, bins: int, dt_ms: float) -> int:
        """How many samples of voltage no current after so many bins changes."""
        last_ms = bins * self.config.bin_ms - self.config.ahead_ms
        return max(0, math.floor(last_ms / dt_ms + 1e-9) + 1) if bins else 0


def _in_bins(spikes_ms: Tensor, bins: int, bin_ms: float) -> tuple[Tensor, Tensor]:
    """In which bins there is a spike, and where in them; of two in one bin the last counts."""
    real = torch.isfinite(spikes_ms)
    times = torch.where(real, spikes_ms, 0.0).double()
    index = torch.where(real, (times / bin_ms).long(), bins)
    place = times - index * bin_ms
    spiked = torch.zeros(len(times), bins + 1, dtype=torch.bool, device=times.device).scatter(1, index, True)
    places = torch.zeros(len(times), bins + 1, device=times.device).scatter(1, index, place.float())
    return spiked[:, :bins], places[:, :bins]


def _packed(times_ms: Tensor, *, least: int = 0) -> tuple[Tensor, Tensor]:
    """The finite of some times in order, rows filled up with infinity, at least so many columns, and where they came from."""
    most = int(torch.isfinite(times_ms.detach()).sum(dim=1).max()) if times_ms.numel() else 0
    order = times_ms.detach().argsort(dim=1, stable=True)[:, : max(least, most)]
    return times_ms.gather(1, order), order


def _rows(values: Tensor, order: Tensor) -> Tensor:
    """`values[neuron, order[neuron, k]]`."""
    return values[torch.arange(len(order), device=order.device)[:, None], order]
