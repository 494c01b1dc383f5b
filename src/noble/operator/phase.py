"""The spike-phase operator: when it fires, and what it looks like, learned apart.

A voltage loss alone rewards silence until spikes are right to a tenth of a millisecond, so the network does not draw spikes: it
predicts a *phase* that grows by one from spike to spike, as a rate on coarse time bins. Spike k is where the phase crosses k. A
small pointwise decoder then draws the voltage at any instant from the time to the nearest spikes, a slow voltage and
a few shape channels. Spike times are smooth in features and current, and sharp spikes cost nothing.

    current on bins, drive I - I_thr, address of the neuron
        -> recurrent backbone over tokens -> rate, slow voltage, shape channels
        -> phase = integral of rate -> spike times -> decoder -> voltage

The answer at an instant depends on the current up to the end of its token, and through a coming spike at most `LOOK_AHEAD_MS`
further; so any duration and any dt will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from noble.operator.phase_config import SpikePhaseConfig
from noble.operator.spec import FeatureSpec
from noble.traces import TimeGrid

LOOK_AHEAD_MS: Final = 6.0

# The scales on which the network sees current: 0.1 nA, and the 50 pA above threshold that hold the F-I curve's bend.
_CURRENT_SCALE_NA: Final = 0.1
_DRIVE_SCALE_NA: Final = 0.05
_RATE_SCALE_HZ: Final = 50.0

# A family may hold a model whose curve falls above threshold; a rate has to stay positive all the same.
_LEAST_SLOPE_HZ_PER_NA: Final = 20.0

# exp(-12) per ms is one spike in three minutes, exp(0) a thousand a second.
_LOG_RATE_RANGE: Final = (-12.0, 0.0)
# Added to the rate expected from threshold and slope: a phase of 0.05 in a 500 ms window of silence.
_SILENT_RATE_PER_MS: Final = 1e-4

# Where a spike has structure: widths (ms) of the functions of the time to the nearest spike, and decays (ms) of those of the time
# since the last and until the next one.
_NEAREST_MS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
_SINCE_MS: Final = (0.8, 3.2, 12.8, 51.2)
_AWAY_MS: Final = 0.4
_UNTIL_MS: Final = (0.8, 2.4)


@dataclass(frozen=True)
class Encoded:
    """What the backbone says about a batch of traces.

    Attributes:
        rate_per_ms: phase rate in each bin, shape (batch, bins), 1/ms.
        slow_mv: slow voltage at the bins' edges, shape (batch, bins + 1), mV.
        channels: shape channels at the tokens' edges, shape (batch, tokens + 1, channels).
        bin_ms: length of a bin, ms.
        token_ms: length of a token, ms.
    """

    rate_per_ms: Tensor
    slow_mv: Tensor
    channels: Tensor
    bin_ms: float
    token_ms: float

    def phase(self) -> Float[Tensor, "batch edges"]:
        """Phase at the bins' edges; 0 at the start of the window."""
        return nn.functional.pad(torch.cumsum(self.rate_per_ms * self.bin_ms, dim=1), (1, 0))

    def phase_at(self, times_ms: Float[Tensor, "batch points"]) -> Float[Tensor, "batch points"]:
        """Phase at given instants, by linear interpolation, which is exact for a rate that is constant in each bin."""
        return _interpolate(self.phase(), times_ms / self.bin_ms)

    def spike_times_ms(self) -> Float[Tensor, "batch spikes"]:
        """Where the phase crosses 1, 2, ...; rows with fewer spikes end in infinity. Differentiable in the rate."""
        phase = self.phase()
        most = int(phase[:, -1].detach().max().floor().item())
        if most < 1:
            return phase.new_full((phase.shape[0], 0), torch.inf)
        numbers = torch.arange(1, most + 1, device=phase.device, dtype=phase.dtype).expand(phase.shape[0], most)
        bins = torch.searchsorted(phase.detach(), numbers.contiguous()).clamp(1, self.rate_per_ms.shape[1]) - 1
        before = phase.gather(1, bins)
        times = bins.to(phase.dtype) * self.bin_ms + (numbers - before) / self.rate_per_ms.gather(1, bins)
        return torch.where(numbers <= phase[:, -1:].detach(), times, torch.inf)


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
        address = len(spec) * (1 + 2 * config.feature_frequencies)
        inputs = config.bins * 3
        self.address = nn.Sequential(nn.Linear(address, config.hidden), nn.SiLU())
        self.start = nn.Linear(config.hidden, 2 * config.layers * config.hidden)
        self.rest = nn.Linear(config.hidden, 1 + config.channels)
        self.to_backbone = nn.Linear(inputs, config.hidden)
        self.address_to_backbone = nn.Linear(config.hidden, config.hidden, bias=False)
        self.backbone = nn.LSTM(config.hidden, config.hidden, config.layers, batch_first=True)
        self.head = nn.Linear(2 * config.hidden, 2 * config.bins + config.channels)
        self.decoder = _Decoder(config)
        with torch.no_grad():
            self.head.weight.mul_(0.3)

    def forward(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Float[Tensor, "batch time"]:
        """Voltage in mV at every sample of the current."""
        encoded = self.encode(scaled_features, current_na, dt_ms)
        spikes = encoded.spike_times_ms()
        times = torch.arange(current_na.shape[1], device=current_na.device, dtype=current_na.dtype) * dt_ms
        times = times.expand(current_na.shape)
        if torch.is_grad_enabled():
            return self.decode(encoded, times, spikes, current_na)
        step = max(1, self.config.decode_points // current_na.shape[0])
        parts = [slice(start, start + step) for start in range(0, times.shape[1], step)]
        return torch.cat([self.decode(encoded, times[:, part], spikes, current_na[:, part]) for part in parts], dim=1)

    def encode(
        self, scaled_features: Float[Tensor, "batch feature"], current_na: Float[Tensor, "batch time"], dt_ms: float
    ) -> Encoded:
        """Run the backbone over the tokens that cover the current."""
        config = self.config
        batch = current_na.shape[0]
        tokens = max(1, -(-round(current_na.shape[1] * dt_ms * 1e6) // round(config.token_ms * 1e6)))
        binned = bin_means(current_na, dt_ms=dt_ms, bin_ms=config.bin_ms, bins=tokens * config.bins)
        address = self.address(self._address(scaled_features))
        drive = self._drive(scaled_features, binned)
        inputs = self.to_backbone(drive.view(batch, tokens, -1))
        inputs = nn.functional.silu(inputs + self.address_to_backbone(address)[:, None])
        start = torch.tanh(self.start(address)).view(batch, 2, config.layers, config.hidden).permute(1, 2, 0, 3)
        states, _ = self.backbone(inputs, (start[0].contiguous(), start[1].contiguous()))
        out = self.head(torch.cat([states, inputs], dim=2))
        # The phase adds up over the whole window, which half precision cannot carry.
        out = out.to(torch.promote_types(out.dtype, torch.float32))
        log_rate, slow, channels = out.split([config.bins, config.bins, config.channels], dim=2)
        rest = self.rest(address)
        slow = torch.cat([rest[:, :1], rest[:, :1] + slow.reshape(batch, -1)], dim=1)
        # The network corrects what threshold and slope alone predict, and so fires and stops with the current from the start.
        expected = torch.log(drive[:, :, 2] * (_RATE_SCALE_HZ * 1e-3) + _SILENT_RATE_PER_MS)
        return Encoded(
            rate_per_ms=torch.exp((expected + log_rate.reshape(batch, -1)).clamp(*_LOG_RATE_RANGE)),
            slow_mv=config.rest_mv + config.scale_mv * slow,
            channels=torch.cat([rest[:, None, 1:], channels], dim=1),
            bin_ms=config.bin_ms,
            token_ms=config.token_ms,
        )

    def decode(
        self,
        encoded: Encoded,
        times_ms: Float[Tensor, "batch points"],
        spikes_ms: Float[Tensor, "batch spikes"],
        current_na: Float[Tensor, "batch points"],
    ) -> Float[Tensor, "batch points"]:
        """Voltage at given instants, given spike times: predicted ones, or in training the true ones.

        Args:
            encoded: from `encode`.
            times_ms: instants, ms.
            spikes_ms: spike times in order, filled up with infinity, ms.
            current_na: current at the instants, nA.
        """
        slow = _interpolate(encoded.slow_mv, times_ms / encoded.bin_ms)
        channels = _interpolate(encoded.channels, times_ms / encoded.token_ms)
        since, until = _time_to_spikes(times_ms, spikes_ms)
        shape = self.decoder(since, until, channels, current_na / _CURRENT_SCALE_NA)
        return slow + self.config.scale_mv * shape

    def _address(self, scaled: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch address"]:
        """Features centred on zero, and sinusoids of them."""
        centred = (scaled - 2.0) / 1.5
        waves = [centred]
        for power in range(self.config.feature_frequencies):
            waves += [torch.sin(2**power * torch.pi / 2 * centred), torch.cos(2**power * torch.pi / 2 * centred)]
        return torch.cat(waves, dim=1)

    def _drive(
        self, scaled: Float[Tensor, "batch feature"], binned_na: Float[Tensor, "batch bins"]
    ) -> Float[Tensor, "batch bins three"]:
        """Current, current above threshold and expected rate; the last two are zero if the spec has no threshold."""
        physical = dict(zip(self.spec.names, self.spec.unscale(scaled).unbind(dim=1), strict=True))
        current = binned_na / _CURRENT_SCALE_NA
        if "i_thr" not in physical:
            return torch.stack([current, torch.zeros_like(current), torch.zeros_like(current)], dim=2)
        above = binned_na - physical["i_thr"][:, None]
        slope = physical["s_thr"][:, None] if "s_thr" in physical else torch.full_like(above[:, :1], 500.0)
        slope = slope.clamp(min=_LEAST_SLOPE_HZ_PER_NA)
        # Saturating far from threshold, where the drive says no more than the current itself.
        drive = torch.tanh(above / (2 * _DRIVE_SCALE_NA)) * 2
        expected = torch.nn.functional.softplus(above / 0.005) * 0.005 * slope / _RATE_SCALE_HZ
        return torch.stack([current, drive, expected], dim=2)


class _Decoder(nn.Module):
    """Voltage beside the slow one, pointwise, in units of the configuration's scale."""

    def __init__(self, config: SpikePhaseConfig) -> None:
        super().__init__()
        inputs = 2 * len(_NEAREST_MS) + len(_SINCE_MS) + len(_UNTIL_MS) + config.channels + 1
        width = config.decoder_width
        self.layers = nn.Sequential(
            nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, since_ms: Tensor, until_ms: Tensor, channels: Tensor, current: Tensor) -> Tensor:
        """All of shape (batch, points), channels with one more axis; infinite times mean that there is no such spike."""
        window = (1 - until_ms / LOOK_AHEAD_MS).clamp(min=0.0)[..., None]
        # A spike further ahead must not be felt at all, not even by the tail of a bell.
        coming = until_ms < since_ms.clamp(max=LOOK_AHEAD_MS)
        nearest = torch.where(coming, -until_ms, since_ms)[..., None].clamp(-50.0, 50.0)
        scaled = nearest / nearest.new_tensor(_NEAREST_MS)
        bell = torch.exp(-0.5 * scaled**2) * torch.where(coming[..., None], window, 1.0)
        # At a spike the last and the next one trade places, and their functions would jump; so there only the bells speak.
        away = 1 - torch.exp(-0.5 * (nearest / _AWAY_MS) ** 2)
        since = away * torch.exp(-since_ms[..., None] / since_ms.new_tensor(_SINCE_MS))
        until = away * window * torch.exp(-until_ms[..., None].clamp(max=1e3) / until_ms.new_tensor(_UNTIL_MS))
        inputs = [bell, scaled * bell, since, until, channels, current[..., None]]
        return self.layers(torch.cat(inputs, dim=-1))[..., 0]


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


def _interpolate(knots: Tensor, positions: Float[Tensor, "batch points"]) -> Tensor:
    """Linear interpolation along axis 1 of knots (batch, knots, ...) at fractional indices."""
    left = positions.detach().floor().clamp(0, knots.shape[1] - 2).long()
    weight = positions - left
    if knots.ndim == 3:
        left = left[..., None].expand(-1, -1, knots.shape[2])
        weight = weight[..., None]
    return torch.lerp(knots.gather(1, left), knots.gather(1, left + 1), weight)


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
