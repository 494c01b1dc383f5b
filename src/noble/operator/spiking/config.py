"""Configuration of the spike-phase operator."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from noble.operator.core import AbstractCore, CoreConfig, TrainingDefaults
from noble.operator.spec import FeatureSpec
from noble.traces import TimeGrid


class SpikePhaseConfig(CoreConfig):
    """Sizes of the spike-phase operator.

    Attributes:
        token_ms: time that one step of the networks covers, ms.
        bins: parts of a token with a phase rate and a slow voltage of their own.
        width, hidden, blocks: of the network that predicts the phase rate: channels, gated units a block, blocks.
        slow_width, slow_blocks: of the network that predicts slow voltage and shape channels.
        filters: exponential averages in each block.
        address: units that stand for a neuron.
        shapes: spike shapes, whose weights are the shape channels.
        shape_width: hidden units of the network that forms them.
        feature_frequencies: sinusoids of each scaled feature in the address of a neuron.
        rest_mv, scale_mv: voltages are learned as `rest_mv + scale_mv * x`.
        decode_points: traces x samples drawn at once when no gradient is wanted; bounds the memory of drawing.
    """

    training: ClassVar = TrainingDefaults(
        features=None, optimiser={"name": "soap", "learning_rate": 1e-2, "weight_decay": 0.0}
    )
    kind: Literal["spike-phase"] = "spike-phase"
    token_ms: float = Field(default=11.52, ge=0.1, le=1000)
    bins: int = Field(default=8, ge=1, le=256)
    width: int = Field(default=96, ge=4, le=1024)
    hidden: int = Field(default=128, ge=4, le=1024)
    blocks: int = Field(default=2, ge=1, le=16)
    slow_width: int = Field(default=48, ge=4, le=1024)
    slow_blocks: int = Field(default=2, ge=1, le=16)
    filters: int = Field(default=48, ge=2, le=1024)
    address: int = Field(default=64, ge=2, le=1024)
    shapes: int = Field(default=10, ge=1, le=256)
    shape_width: int = Field(default=64, ge=4, le=1024)
    feature_frequencies: int = Field(default=0, ge=0, le=32)
    rest_mv: float = Field(default=-75.0, ge=-1000, le=1000)
    scale_mv: float = Field(default=20.0, gt=0, le=10_000)
    decode_points: int = Field(default=384_000, ge=1, le=10**9)

    @property
    def bin_ms(self) -> float:
        """Length of a bin, ms."""
        return self.token_ms / self.bins

    def build(self, spec: FeatureSpec, grid: TimeGrid) -> AbstractCore[Any]:
        """An untrained core; see `CoreConfig.build`."""
        from noble.operator.spiking.core import SpikePhaseCore  # the core imports this file

        return SpikePhaseCore(self, spec, grid)
