"""What the training of a twin depends on."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from noble.configs import Frozen
from noble.operator import LossConfig
from noble.operator.feedback.config import SpikeFeedbackConfig


class TwinConfig(Frozen):
    """One training of a twin; LOG.md has the comparison behind the defaults.

    Attributes:
        operator: sizes; those of the donor if the twin begins from another operator's weights.
        steps: of the optimiser.
        seeds: trainings that begin from other weights; the one that does best on what is held back is kept.
        seed: of the first.
        refit: whether the best seed is trained once more, up to its best step, on all of the recording.
        batch_ms: recorded time that counts in one step, ms.
        window_ms: length of a stretch of it, ms; shorter sweeps are taken whole.
        settle_ms: time before each stretch that tells the network its state and does not count, ms.
        held_back: share of the recording that is not learned from, and decides when to stop and which seed to keep.
        stretches: in how many pieces, evenly spread over the recording, it is held back.
        learning_rate: of SOAP, at the start; it falls to zero along a cosine.
        weight_decay: of SOAP.
        dropout: share of the channels that are left out at random in training.
        averaging: the weights that are kept are an exponential average over steps, of which each step keeps so much.
        validate_every: steps from one look at what is held back to the next.
        loss: what is minimised.
    """

    operator: SpikeFeedbackConfig = SpikeFeedbackConfig(
        bin_ms=1.0,
        ahead_ms=1.0,
        back_ms=12.0,
        width=24,
        hidden=24,
        blocks=1,
        filters=16,
        cell=24,
        averages=12,
        address=2,
        shapes=6,
        shape_width=32,
    )
    steps: int = Field(default=600, ge=1)
    seeds: int = Field(default=3, ge=1, le=64)
    seed: int = 0
    refit: bool = True
    batch_ms: float = Field(default=24_000.0, gt=0)
    window_ms: float = Field(default=3_000.0, gt=0)
    settle_ms: float = Field(default=1_000.0, ge=0)
    held_back: float = Field(default=0.15, gt=0, lt=0.9)
    stretches: int = Field(default=3, ge=1)
    learning_rate: float = Field(default=4e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    averaging: float = Field(default=0.98, ge=0, lt=1)
    validate_every: int = Field(default=25, ge=1)
    loss: LossConfig = LossConfig(waveform=0.1, timing=0.1)

    @model_validator(mode="after")
    def _validated_once(self) -> Self:
        if self.validate_every > self.steps:
            raise ValueError(
                f"validate_every is {self.validate_every} but there are {self.steps} steps, so nothing would be validated; "
                "lower validate_every"
            )
        return self
