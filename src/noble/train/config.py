"""What a training run depends on, as one frozen configuration."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from noble.configs import Frozen
from noble.operator import LossConfig, OperatorConfig, preset


class OptimiserConfig(Frozen):
    """How weights move.

    Attributes:
        name: Adam (the paper), AdamW, or SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024, arXiv
            2409.11321), a tenth slower a step.
        learning_rate: at the start.
        weight_decay: of AdamW and SOAP.
        schedule: `plateau` is the paper's ReduceLROnPlateau on the validation loss; `cosine` falls to zero at the last
            epoch after a warm-up of `warmup_epochs`.
        plateau_factor, plateau_patience: of the former; the paper's values.
        clip_norm: largest norm of the gradient; None leaves it as it is.
    """

    name: Literal["adam", "adamw", "soap"] = "adamw"
    learning_rate: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Literal["plateau", "cosine"] = "cosine"
    warmup_epochs: float = Field(default=2.0, ge=0)
    plateau_factor: float = Field(default=0.4, gt=0, lt=1)
    plateau_patience: int = Field(default=4, ge=0)
    clip_norm: float | None = Field(default=1.0, gt=0)


def _suitable_optimiser(operator: OperatorConfig | None) -> OptimiserConfig:
    """See `TrainConfig`; LOG.md has the comparison. An operator that was refused has none, and any will do."""
    return OptimiserConfig() if operator is None else OptimiserConfig.model_validate(operator.training.optimiser)


class TrainConfig(Frozen):
    """One training run.

    Attributes:
        operator: a preset's name, or a full configuration with its `kind`.
        features: which of the store's model features identify a neuron, in this order. None is what suits the operator: threshold
            and slope for an FNO, as in the paper; for the spike-phase operator all that tell the training models apart. An empty
            list takes all models for one.
        models: learn from so many of the store's training models only, those that come first in an order drawn by the seed (so
            that fewer are a part of more); None is all.
        traces: learn from so many traces only, the first of the store's; None is all.
        optimiser: if not given, what the operator was found to learn best with: the paper's Adam and plateau schedule for an FNO,
            SOAP and a cosine for the spike-phase operator. One that is given in part has the defaults of `OptimiserConfig`.
        epochs: passes over the training split.
        max_minutes: no epoch is started that would not end within this time, counted over resumes; the first validation is always
            reached. None is as long as the epochs take. A cosine schedule falls over `epochs`, not over the time. A run may be
            resumed with more.
        batch_size: traces a step.
        max_shift_ms: augmentation: each trace's onset moves by up to this, either way, at each step; at most the store's
            onset and tail margin. Traces whose current flows from the first sample on stay where they are.
        validation_limit: most validation traces predicted after each epoch; fewer than there are come evenly from the split.
        validate_every: epochs between validations.
        memory_gb: traces of a split are kept in memory if they take no more than this, 8 bytes a sample; those of a larger one
            are read block by block in each epoch, which takes half of it. It decides the order in which traces are seen.
        seed: seed of weights, order and augmentation.
    """

    operator: OperatorConfig = Field(default_factory=lambda: preset("spike-phase"))
    features: tuple[str, ...] | None = None
    models: int | None = Field(default=None, ge=2)
    traces: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=60, ge=1)
    max_minutes: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=32, ge=1)
    max_shift_ms: float = Field(default=15.0, ge=0)
    optimiser: OptimiserConfig = Field(default_factory=lambda known: _suitable_optimiser(known.get("operator")))
    loss: LossConfig = LossConfig()
    validation_limit: int = Field(default=128, ge=1)
    validate_every: int = Field(default=1, ge=1)
    memory_gb: float = Field(default=1.0, gt=0)
    seed: int = 0

    @field_validator("operator", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return preset(value) if isinstance(value, str) else value

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The features that identify a neuron; None for all in which a store's training models differ."""
        return self.operator.training.features if self.features is None else self.features

    @model_validator(mode="after")
    def _validated_once(self) -> Self:
        if self.validate_every > self.epochs:
            raise ValueError(
                f"validate_every is {self.validate_every} but there are {self.epochs} epochs, so nothing would be validated "
                "and no epoch chosen; lower validate_every"
            )
        return self
