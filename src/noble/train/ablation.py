"""Runs that differ from one another in one thing, to see what it is worth."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from noble.configs import Frozen
from noble.train.config import TrainConfig

_NAME = r"^[\w+.-]+( [\w+.-]+)*$"  # also a folder's


class AblationConfig(Frozen):
    """Variants of one training run.

    Attributes:
        train: what they have in common.
        variants: what each does differently, by its name: keys of `TrainConfig`, which replace those of `train`.
    """

    train: TrainConfig = TrainConfig()
    variants: dict[Annotated[str, Field(pattern=_NAME)], dict[str, Any]] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_can_be_trained(self) -> Self:
        for name, changes in self.variants.items():
            if unknown := sorted(set(changes) - set(TrainConfig.model_fields)):
                raise ValueError(
                    f"variant {name!r} changes {', '.join(unknown)}; expected keys of a training run: "
                    f"{', '.join(TrainConfig.model_fields)}"
                )
            self.variant(name)
        return self

    def variant(self, name: str) -> TrainConfig:
        """The whole configuration of a variant."""
        return TrainConfig.model_validate({**self.train.model_dump(), **self.variants[name]})
