"""Configuration of the spike-feedback operator."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from noble.operator.core import AbstractCore, CoreConfig, TrainingDefaults
from noble.operator.spec import FeatureSpec
from noble.traces import TimeGrid


class SpikeFeedbackConfig(CoreConfig):
    """Sizes of the spike-feedback operator.

    Attributes:
        bin_ms: time that one step of the networks covers, ms; at most one spike falls in it.
        ahead_ms, back_ms: how long before and after a spike its shape is drawn, ms; elsewhere the slow voltage is all.
        width, hidden, blocks, filters: of the network that sees the current alone: channels, gated units and exponential
            averages a block, blocks.
        cell: channels of the network that knows the spikes.
        averages: its exponential averages; a spike resets one half of them.
        address: units that stand for a neuron.
        shapes: spike shapes, whose weights each spike has of its own.
        shape_width: hidden units of the network that forms them.
        lowest_na, highest_na: the networks see the current within this range; what is beyond acts as on a passive membrane.
        rest_mv, scale_mv: voltages are learned as `rest_mv + scale_mv * x`.
    """

    training: ClassVar = TrainingDefaults(
        features=None, optimiser={"name": "soap", "learning_rate": 4e-3, "weight_decay": 0.0}
    )
    kind: Literal["spike-feedback"] = "spike-feedback"
    bin_ms: float = Field(default=0.48, ge=0.05, le=10)
    ahead_ms: float = Field(default=0.48, gt=0, le=10)
    back_ms: float = Field(default=4.0, gt=0, le=100)
    width: int = Field(default=48, ge=4, le=1024)
    hidden: int = Field(default=48, ge=4, le=1024)
    blocks: int = Field(default=2, ge=1, le=16)
    filters: int = Field(default=24, ge=2, le=1024)
    cell: int = Field(default=48, ge=4, le=1024)
    averages: int = Field(default=24, ge=2, le=1024)
    address: int = Field(default=64, ge=2, le=1024)
    shapes: int = Field(default=10, ge=1, le=256)
    shape_width: int = Field(default=64, ge=4, le=1024)
    lowest_na: float = Field(default=-0.5, ge=-1000, lt=0)
    highest_na: float = Field(default=1.5, gt=0, le=1000)
    rest_mv: float = Field(default=-75.0, ge=-1000, le=1000)
    scale_mv: float = Field(default=20.0, gt=0, le=10_000)

    @model_validator(mode="after")
    def _one_spike_a_bin(self) -> Self:
        if self.ahead_ms > self.bin_ms:
            raise ValueError(f"ahead_ms is {self.ahead_ms:g} and bin_ms {self.bin_ms:g}; expected ahead_ms <= bin_ms")
        return self

    def build(self, spec: FeatureSpec, grid: TimeGrid) -> AbstractCore[Any]:
        """An untrained core; see `CoreConfig.build`."""
        from noble.operator.feedback.core import SpikeFeedbackCore  # the core imports this file

        return SpikeFeedbackCore(self, spec, grid)
