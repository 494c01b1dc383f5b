"""A 1-D Fourier neural operator with real parameters, and the paper's core built on it.

The architecture is that of neuraloperator 2.0 (`neuralop.models.FNO`, without positional embedding; Li et al., ICLR
2021): with copied weights both give the same output, which a test shows.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast, final

import torch
from jaxtyping import Complex, Float, Int
from scipy.fft import next_fast_len
from torch import Tensor, nn
from torch.nn import functional

from noble.operator.core import AbstractCore, Examples, Response, check_neurons, check_piece
from noble.operator.fno.config import FnoConfig
from noble.operator.fno.embedding import channel_count, embed
from noble.operator.losses import LossConfig, relative_h1, relative_lp
from noble.operator.spec import FeatureSpec
from noble.spikes import spike_times_ms
from noble.traces import TimeGrid


class Pointwise(nn.Module):
    """The same linear map of the channels at every instant, written as one matrix product on the layout of the FFT."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__()
        initial = nn.Linear(in_channels, out_channels, bias=bias)
        self.weight = initial.weight
        self.bias = initial.bias if bias else None

    def forward(self, values: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch out time"]:  # noqa: D102
        weight = self.weight.expand(values.shape[0], -1, -1)
        if self.bias is None:
            return torch.bmm(weight, values)
        return torch.baddbmm(self.bias[:, None], weight, values)

    def added_to(
        self, base: Float[Tensor, "batch out time"], values: Float[Tensor, "batch channel time"]
    ) -> Float[Tensor, "batch out time"]:
        """`base` plus the map of `values`, in one product; for maps without bias."""
        return torch.baddbmm(base, self.weight.expand(values.shape[0], -1, -1), values)


class SpectralConv1d(nn.Module):
    """Multiplies the lowest Fourier modes by learned matrices, one per mode, and adds a bias per channel.

    The transform is normalised by its length on the way there (`norm="forward"`), so the same weights mean the same
    operator at any resolution.

    Attributes:
        weight: shape (half_modes, in, out, 2); the last axis is real and imaginary part, since complex parameters break
            exporters and distributed back ends.
        bias: shape (out,).
    """

    def __init__(self, in_channels: int, out_channels: int, half_modes: int) -> None:
        super().__init__()
        # neuraloperator's initialisation: complex normal of this standard deviation, its variance shared by both parts.
        deviation = math.sqrt(2 / (in_channels + out_channels))
        self.weight = nn.Parameter(torch.randn(half_modes, in_channels, out_channels, 2) * deviation / math.sqrt(2))
        self.bias = nn.Parameter(torch.randn(out_channels) * deviation)

    def forward(self, values: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch out time"]:  # noqa: D102
        count = values.shape[-1]
        spectrum = torch.fft.rfft(values, norm="forward")
        return torch.fft.irfft(self._mix(spectrum), n=count, norm="forward")

    def _mix(self, spectrum: Complex[Tensor, "batch channel mode"]) -> Complex[Tensor, "batch out kept"]:
        """The kept modes after their matrices; `irfft` takes the missing ones as zero."""
        kept = min(self.weight.shape[0], spectrum.shape[-1])
        weight = torch.view_as_complex(self.weight[:kept])
        mixed = torch.bmm(spectrum[..., :kept].permute(2, 0, 1), weight)
        # A bias is a constant in time, that is mode 0: added there it costs no pass over the samples.
        mixed[0] += self.bias
        return mixed.permute(1, 2, 0)


class FnoLayer(nn.Module):
    """Spectral convolution plus linear skip, then a channel MLP plus gated skip; GELU after both, save in the last."""

    def __init__(self, width: int, *, half_modes: int, hidden: int, last: bool) -> None:
        super().__init__()
        self.last = last
        self.spectral = SpectralConv1d(width, width, half_modes)
        self.skip = Pointwise(width, width, bias=False)
        self.mlp_in = Pointwise(width, hidden)
        self.mlp_out = Pointwise(hidden, width)
        self.gate = nn.Parameter(torch.ones(width))

    def forward(self, values: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch channel time"]:  # noqa: D102
        mixed = self.skip.added_to(self.spectral(values), values)
        if not self.last:
            mixed = functional.gelu(mixed)
        mixed = self.mlp_out(functional.gelu(self.mlp_in(mixed)))
        mixed = torch.addcmul(mixed, values, self.gate[:, None])
        return mixed if self.last else functional.gelu(mixed)


class Fno1d(nn.Module):
    """Lifting, Fourier layers, projection; channels in, one channel out, any length."""

    def __init__(self, in_channels: int, config: FnoConfig) -> None:
        super().__init__()
        width = config.width
        hidden = max(1, round(width * config.channel_mlp_ratio))
        self.lifting_in = Pointwise(in_channels, config.lifting_ratio * width)
        self.lifting_out = Pointwise(config.lifting_ratio * width, width)
        self.layers = nn.ModuleList(
            FnoLayer(width, half_modes=config.half_modes, hidden=hidden, last=index == config.layers - 1)
            for index in range(config.layers)
        )
        self.projection_in = Pointwise(width, config.projection_ratio * width)
        self.projection_out = Pointwise(config.projection_ratio * width, 1)

    def forward(self, channels: Float[Tensor, "batch channel time"], *, keep: int) -> Float[Tensor, "batch keep"]:
        """Apply the network.

        Args:
            channels: the input, padding included.
            keep: leading samples to return; what is cut was padding, and the projection does not see it.
        """
        values = self.lifting_out(functional.gelu(self.lifting_in(channels)))
        for layer in self.layers:
            values = layer(values)
        return self.projection_out(functional.gelu(self.projection_in(values[..., :keep])))[:, 0]


class FnoState(NamedTuple):
    """A stream that has seen nothing, or its whole window.

    Attributes:
        scaled_features: shape (neuron, feature).
        answered: whether each neuron has, shape (neuron,).
    """

    scaled_features: Tensor
    answered: Tensor


@final
class FnoCore(AbstractCore[FnoState]):
    """The paper's operator: embedded features and current in, voltage out, on the window it was trained on.

    The window is continued to an FFT-friendly length before the network and cut after it (the paper's 8,583 samples are
    three times slower than 8,640): the sinusoids run on, the current keeps its last value. The padded *duration* is
    part of the operator, so that a Fourier mode is the same frequency at every dt.

    Attributes:
        grid: the window of training; the answer at each instant depends on all of it.
        padded_ms: duration of one period of the Fourier modes, ms.
    """

    def __init__(self, config: FnoConfig, spec: FeatureSpec, grid: TimeGrid) -> None:
        super().__init__()
        padded = config.padded_count or cast(int, next_fast_len(grid.count, real=True))
        if padded < grid.count:
            raise ValueError(
                f"padded_count is {padded}, but the window has {grid.count} samples; expected at least that, or None."
            )
        self.config = config
        self.grid = grid
        self.padded_ms = padded * grid.dt_ms
        channels = channel_count(
            features=len(spec),
            amplitude_frequencies=config.amplitude_frequencies,
            feature_frequencies=config.feature_frequencies,
        )
        self.network = Fno1d(channels, config)

    @property
    def latency_ms(self) -> float:
        """Infinite: every instant of the window acts on every other."""
        return math.inf

    def check_window(self, count: int, dt_ms: float) -> None:
        """Refuse a window of another duration than that of training, up to one sample.

        Raises:
            ValueError: if it is refused.
        """
        duration_ms = count * dt_ms
        if abs(duration_ms - self.grid.duration_ms) > max(dt_ms, self.grid.dt_ms) + 1e-6:
            raise ValueError(
                f"a window of {duration_ms:g} ms was asked for, but this {self.config.kind} operator was trained on "
                f"{self.grid.duration_ms:g} ms and its embedding spans exactly that window. Ask for that duration (dt "
                "is free), or use a causal operator such as spike-phase."
            )

    def forward(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch time"],
        dt_ms: float,
        *,
        keys: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time"]:
        """Voltage in mV.

        Args:
            scaled_features: features mapped to [0.5, 3.5].
            current_na: nA, on the window of training at any dt.
            dt_ms: sampling interval, ms.
            keys: none are taken.
        """
        self.check_keys(keys, len(scaled_features))
        batch, count = current_na.shape
        extra = max(round(self.padded_ms / dt_ms) - count, 0)
        padded_na = torch.cat([current_na, current_na[:, -1:].expand(batch, extra)], dim=1) if extra else current_na
        channels = embed(
            scaled_features,
            padded_na,
            dt_ms=dt_ms,
            window_ms=self.grid.duration_ms,
            amplitude_frequencies=self.config.amplitude_frequencies,
            feature_frequencies=self.config.feature_frequencies,
        )
        return self.config.output_offset_mv + self.config.output_scale_mv * self.network(channels, keep=count)

    def spike_times_ms(
        self,
        scaled_features: Float[Tensor, "batch feature"],
        current_na: Float[Tensor, "batch time"],
        dt_ms: float,
        *,
        keys: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch spike"]:
        """Found in the voltage as in any trace, so without gradients, and in double precision."""
        return _found_spikes_ms(self(scaled_features, current_na, dt_ms, keys=keys), dt_ms)

    def rest(
        self, scaled_features: Float[Tensor, "neuron feature"], *, keys: Int[Tensor, " neuron"] | None = None
    ) -> FnoState:
        """Neurons that have seen no current yet; at least one."""
        neurons = check_neurons(scaled_features)
        self.check_keys(keys, neurons)
        return FnoState(scaled_features, scaled_features.new_zeros(neurons, dtype=torch.bool))

    def advance(
        self, state: FnoState, current_na: Float[Tensor, "neuron time"], dt_ms: float
    ) -> tuple[FnoState, Response]:
        """The answer to the whole window at once; there are no other pieces.

        Raises:
            ValueError: for a window of another duration, one after the first, another number of neurons, or a current that is
                not finite.
        """
        check_piece(current_na, dt_ms, neurons=len(state.scaled_features))
        self.check_window(current_na.shape[1], dt_ms)
        if state.answered.any():
            raise ValueError(
                f"this {self.config.kind} operator has answered its whole window and knows none after it; begin again from rest, "
                "or use an operator of finite latency such as spike-phase."
            )
        voltage_mv = self(state.scaled_features, current_na, dt_ms)
        spikes_ms = _found_spikes_ms(voltage_mv, dt_ms)
        answered = FnoState(state.scaled_features, torch.ones_like(state.answered))
        return answered, Response(0.0, voltage_mv, spikes_ms, current_na.shape[1] * dt_ms)

    def objective(self, examples: Examples, losses: LossConfig, generator: torch.Generator) -> dict[str, Tensor]:
        """A relative norm of the voltage error; volts not centred, as in the paper (the norm is the same in mV)."""
        predicted = self(examples.scaled_features, examples.current_na, examples.dt_ms)
        if losses.voltage == "h1":
            return {"loss": relative_h1(predicted, examples.voltage_mv, dt_ms=examples.dt_ms)}
        return {"loss": relative_lp(predicted, examples.voltage_mv, p=2.0 if losses.voltage == "l2" else 4.0)}


def _found_spikes_ms(voltage_mv: Float[Tensor, "batch time"], dt_ms: float) -> Float[Tensor, "batch spike"]:
    """Spike times as found in any trace, rows filled up with infinity, ms; in double precision and without gradients."""
    trains = [torch.as_tensor(spike_times_ms(row, dt_ms=dt_ms)) for row in voltage_mv.detach().cpu().numpy()]
    return nn.utils.rnn.pad_sequence(trains, batch_first=True, padding_value=math.inf).to(voltage_mv.device)
