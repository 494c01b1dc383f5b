"""Which features address a neuron, in which units, how they are scaled, and where the training models lie."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor

# The paper's interval: away from zero, so that no sinusoid of the embedding is constant.
SCALED_MINIMUM: Final = 0.5
SCALED_MAXIMUM: Final = 3.5

# The paper's latent plane: what a neuron is addressed by where the rest of its features is not known.
PLANE: Final = ("i_thr", "s_thr")

# A ten-thousandth of the training range: what rounding to float32 may move a training model off its own hull.
HULL_TOLERANCE: Final = 1e-4

# Fifty points have some ten facets in two dimensions, hundreds in four, a million in eight.
_MOST_DIMENSIONS_OF_FACETS: Final = 4


class FeatureSpec(BaseModel):
    """The ordered, named features of a neuron model, and the scaler fitted on the training models.

    Attributes:
        names: feature names, in the order of every feature table; none for an operator that takes all models for one.
        units: one unit per feature.
        minimum, maximum: range over the training models, physical units.
        training_features: the training models' features, one tuple a model; their convex hull is where the operator
            interpolates, in the features of `plane`. Empty if unknown: then the box between minimum and maximum stands in
            for the hull.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]
    units: tuple[str, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    training_features: tuple[tuple[float, ...], ...] = ()

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
    def plane(self) -> tuple[str, ...]:
        """Features that are enough to name a neuron: threshold and slope where the spec has both, else all."""
        return PLANE if set(PLANE) <= set(self.names) else self.names

    @property
    def plane_columns(self) -> list[int]:
        """Where the features of `plane` are among all."""
        return [self.names.index(name) for name in self.plane]

    def regression(self, given: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Constant (features,) and slopes (given, features) of all features on some of them.

        The conditional mean given these, with the training models for a joint normal distribution: a linear regression (Bishop,
        Pattern Recognition and Machine Learning, 2006, eq. 2.81).

        Args:
            given: some of `names`.

        Raises:
            ValueError: if the training models are not known.
        """
        columns = [self.names.index(name) for name in given]
        if sorted(columns) == list(range(len(self))):
            return np.zeros(len(self)), np.eye(len(self))[columns]
        if not self.training_features:
            raise ValueError(
                f"the training models are not known, so nothing completes {', '.join(given)}; give all features."
            )
        table = np.array(self.training_features)
        mean, spread = table.mean(axis=0), table.std(axis=0)
        standard = (table - mean) / spread
        slopes = np.linalg.lstsq(standard[:, columns], standard, rcond=None)[0]
        slopes *= spread / spread[columns][:, None]
        slopes[:, columns] = np.eye(len(columns))  # what is given stays to the last bit
        offset = mean - mean[columns] @ slopes
        offset[columns] = 0.0
        return offset, slopes

    def scale(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        """Map physical units to [0.5, 3.5] over the training models, linearly; differentiable."""
        low, high = features.new_tensor(self.minimum), features.new_tensor(self.maximum)
        return SCALED_MINIMUM + (SCALED_MAXIMUM - SCALED_MINIMUM) * (features - low) / (high - low)

    def unscale(self, scaled: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        """The inverse of `scale`."""
        low, high = scaled.new_tensor(self.minimum), scaled.new_tensor(self.maximum)
        return low + (high - low) * (scaled - SCALED_MINIMUM) / (SCALED_MAXIMUM - SCALED_MINIMUM)

    def outside(self, features: np.ndarray) -> np.ndarray:
        """How far each feature lies outside its training range, in units of that range.

        Args:
            features: shape (n, features), physical units.

        Returns:
            Shape (n, features): positive above the maximum, negative below the minimum, zero inside.
        """
        unit = self._in_ranges(features)
        return np.maximum(unit - 1, 0) + np.minimum(unit, 0)

    def outside_hull(self, features: np.ndarray) -> np.ndarray:
        """The way from the nearest point of the training models' hull in the plane, feature by feature, in units of the range.

        The hull is the convex one, of the features of `plane`: in all of twenty features, no model would lie within the hull
        of fifty others. With `P` the models' positions relative to the query, non-negative least squares on
        `||P w||^2 + (sum w - 1)^2` gives weights proportional to those of the hull's nearest point: for the point at
        distance d that a set of proportions stands for, its minimum is `d^2 / (1 + d^2)`, which grows with d. Works in
        any number of dimensions.

        Args:
            features: shape (n, features), physical units.

        Returns:
            Shape (n, features of `plane`); zero inside the hull. `outside` where the training models are not known.
        """
        from scipy.optimize import nnls

        columns = self.plane_columns
        if not self.training_features or not columns:
            return self.outside(features)[:, columns]
        models = self._in_ranges(np.array(self.training_features))[:, columns]
        queries, repeats = np.unique(self._in_ranges(features)[:, columns], axis=0, return_inverse=True)
        gaps = np.zeros_like(queries)
        target = np.append(np.zeros(len(columns)), 1.0)
        for index in np.flatnonzero(~self._surely_inside(queries)):
            query = queries[index]
            system = np.vstack([(models - query).T, np.ones(len(models))])
            weights, _ = nnls(system, target, maxiter=100 * len(models))
            gaps[index] = query - weights @ models / weights.sum()
        return gaps[repeats.reshape(-1)]

    def lies_outside(self, features: np.ndarray) -> np.ndarray:
        """Which vectors lie outside the training models' hull by more than `HULL_TOLERANCE` of its range, shape (n,).

        Args:
            features: shape (n, features), physical units.
        """
        return np.linalg.norm(self.outside_hull(features), axis=1) > HULL_TOLERANCE

    def _surely_inside(self, queries: np.ndarray) -> np.ndarray:
        """Which points of the plane, in units of the range, its facets show to be inside; none where it has no facets."""
        if self._facets is None:
            return np.zeros(len(queries), dtype=bool)
        return np.all(queries @ self._facets[:, :-1].T + self._facets[:, -1] <= 0, axis=1)

    @cached_property
    def _facets(self) -> np.ndarray | None:
        """Outward normals and offsets of the hull's facets, units of the range; None in one or many dimensions, or if flat."""
        from scipy.spatial import ConvexHull, QhullError

        models = self._in_ranges(np.array(self.training_features))[:, self.plane_columns]
        if not 2 <= models.shape[1] <= _MOST_DIMENSIONS_OF_FACETS or len(models) <= models.shape[1]:
            return None
        try:
            return ConvexHull(models).equations
        except QhullError:
            return None

    def _in_ranges(self, features: np.ndarray) -> np.ndarray:
        """Map the training range to [0, 1]."""
        low = np.array(self.minimum)
        return (np.asarray(features, dtype=float) - low) / (np.array(self.maximum) - low)
