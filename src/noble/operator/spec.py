"""Which features address a neuron, in which units, how they are scaled, and where the training models lie."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from torch import Tensor

from noble.family.hull import Hull
from noble.family.prior import FamilyPrior
from noble.features.catalogue import LATENT_FEATURES, canonical

# The paper's interval: away from zero, so that no sinusoid of the embedding is constant.
SCALED_MINIMUM: Final = 0.5
SCALED_MAXIMUM: Final = 3.5


def centre(scaled: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
    """Features as `FeatureSpec.scale` gives them, mapped to [-1, 1]."""
    middle, reach = (SCALED_MINIMUM + SCALED_MAXIMUM) / 2, (SCALED_MAXIMUM - SCALED_MINIMUM) / 2
    return (scaled - middle) / reach


class FeatureSpec(BaseModel):
    """The ordered, named features of a neuron model, and the scaler fitted on the training models.

    Attributes:
        names: feature names of the catalogue, in the order of every feature table; none for an operator that is one neuron,
            since it learned from one or takes all models for one.
        units: one unit per feature.
        minimum, maximum: range over the training models, physical units.
        training_features: the training models' features, one tuple a model; their convex hull is where the operator
            interpolates, in the latent features. Empty if unknown: then the box between minimum and maximum stands in
            for the hull.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]
    units: tuple[str, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    training_features: tuple[tuple[float, ...], ...] = ()

    @field_validator("names")
    @classmethod
    def _canonical(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical(name) for name in names)  # files may have the former names

    @model_validator(mode="after")
    def _check(self) -> FeatureSpec:
        lengths = {len(self.names), len(self.units), len(self.minimum), len(self.maximum)}
        lengths |= {len(row) for row in self.training_features}
        if lengths != {len(self.names)}:
            raise ValueError(
                f"{len(self.names)} names, {len(self.units)} units, {len(self.minimum)} minima and {len(self.maximum)} "
                "maxima; every feature needs one of each, and every training model all features."
            )
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"feature names {', '.join(self.names)} repeat; each must be given once.")
        if not np.all(np.isfinite(np.array(self.training_features))):
            raise ValueError("the training models' features hold NaN or infinite values; every one must be finite.")
        for name, low, high in zip(self.names, self.minimum, self.maximum, strict=True):
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise ValueError(
                    f"feature {name} runs from {low} to {high} over the training models; expected two different finite "
                    "values. Leave out a feature that all models share."
                )
        return self

    @classmethod
    def fit(cls, table: np.ndarray, names: Sequence[str], units: Sequence[str]) -> FeatureSpec:
        """Take range and hull from the training models' features.

        Args:
            table: shape (models, features), physical units; training models only.
            names: feature names, in the table's order.
            units: their units.

        Raises:
            ValueError: if the shapes disagree, a value is not finite, or a feature is the same in all models.
        """
        values = np.asarray(table, dtype=float)
        if values.ndim != 2 or values.shape[1] != len(names) or values.shape[0] == 0:
            raise ValueError(
                f"a feature table of shape {values.shape} for {len(names)} features; expected (models, {len(names)})."
            )
        if not np.all(np.isfinite(values)):
            model, feature = (int(index[0]) for index in np.nonzero(~np.isfinite(values)))
            raise ValueError(
                f"feature {names[feature]} of model {model} is {values[model, feature]}; expected a finite number. "
                "Leave out models whose features cannot be measured."
            )
        return cls(
            names=tuple(names),
            units=tuple(units),
            minimum=tuple(values.min(axis=0).tolist()),
            maximum=tuple(values.max(axis=0).tolist()),
            training_features=tuple(tuple(row) for row in values.tolist()),
        )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def one_neuron(self) -> bool:
        """Whether there is no feature to tell neurons apart, so that there is one."""
        return not self.names

    def check_family(self, what: str) -> None:
        """Refuse what needs neurons that features tell apart.

        Args:
            what: needs them, as the sentence begins.

        Raises:
            ValueError: if there is no feature.
        """
        if self.one_neuron:
            raise ValueError(
                f"{what} needs neurons that differ in their features, but this operator has no features: it is one neuron."
            )

    @property
    def latent_features(self) -> tuple[str, ...]:
        """Features that are enough to name a neuron: rheobase and F-I gain where the spec has both, else all."""
        return LATENT_FEATURES if set(LATENT_FEATURES) <= set(self.names) else self.names

    @property
    def latent_columns(self) -> list[int]:
        """Where the latent features are among all."""
        return [self.names.index(name) for name in self.latent_features]

    @cached_property
    def hull(self) -> Hull:
        """The convex hull of the training models in the latent features: where the operator interpolates."""
        columns = self.latent_columns
        points = np.array(self.training_features).reshape(len(self.training_features), len(self))[:, columns]
        low, high = np.array(self.minimum)[columns], np.array(self.maximum)[columns]
        return Hull(self.latent_features, points, low, high)

    @cached_property
    def prior(self) -> FamilyPrior:
        """The joint distribution of the features over the training models.

        Raises:
            ValueError: if there is no feature, or the training models are not known.
        """
        self.check_family("a distribution of features")
        if not self.training_features:
            raise ValueError(
                f"the training models are not known, so nothing completes {', '.join(self.latent_features)}; give all features."
            )
        return FamilyPrior(self.names, np.array(self.training_features))

    def complete(
        self, features: Float[Tensor, "batch given"], given: Sequence[str] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """All features of neurons of which some are given; differentiable.

        What is missing is its conditional mean over the training models (`FamilyPrior`): the typical neuron that has these
        features.

        Args:
            features: physical units, in the order of `given`.
            given: names of the features; all or the latent ones if None, whichever are as many as `features` has columns.

        Raises:
            ValueError: for another number of features, an unknown one, or if the training models are not known.
        """
        if given is None:
            given = self.names if features.shape[-1] == len(self) else self.latent_features
        if features.shape[-1] != len(given):
            wanted = ", ".join(self.names)
            raise ValueError(
                f"{features.shape[-1]} features were given; expected {len(self)} ({wanted}) or the {len(given)} of "
                f"{', '.join(given)}."
            )
        if tuple(given) == self.names:
            return features
        offset, slopes = self.prior.regression(given)
        return features.new_tensor(offset) + features @ features.new_tensor(slopes)

    def scale(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        """Map physical units to [0.5, 3.5] over the training models, linearly; differentiable."""
        low, high = features.new_tensor(self.minimum), features.new_tensor(self.maximum)
        return SCALED_MINIMUM + (SCALED_MAXIMUM - SCALED_MINIMUM) * (features - low) / (high - low)

    def unscale(self, scaled: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        """The inverse of `scale`."""
        low, high = scaled.new_tensor(self.minimum), scaled.new_tensor(self.maximum)
        return low + (high - low) * (scaled - SCALED_MINIMUM) / (SCALED_MAXIMUM - SCALED_MINIMUM)
