"""The convex hull of a family in some features: what lies outside, how far, and points drawn from within."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from noble.family.sampling import hull_points

# A ten-thousandth of the training range: what rounding to float32 may move a training model off its own hull.
HULL_TOLERANCE: Final = 1e-4

# Fifty points have some ten facets in two dimensions, hundreds in four, a million in eight.
_MOST_DIMENSIONS_OF_FACETS: Final = 4


@dataclass(frozen=True, eq=False)
class Hull:
    """The convex hull of training models in few features; in all of twenty, no model would lie within that of fifty others.

    Attributes:
        names: features that it is taken in.
        points: the models, shape (model, feature), physical units; none if they are not known: then the box between minimum
            and maximum stands in for the hull.
        minimum, maximum: range of each feature, shape (feature,), physical units.
    """

    names: tuple[str, ...]
    points: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray

    def gaps(self, features: np.ndarray) -> np.ndarray:
        """The way from the nearest point of the hull, feature by feature, in units of the range.

        With `P` the models' positions relative to the query, non-negative least squares on `||P w||^2 + (sum w - 1)^2` gives
        weights proportional to those of the hull's nearest point: for the point at distance d that a set of proportions
        stands for, its minimum is `d^2 / (1 + d^2)`, which grows with d. Works in any number of dimensions.

        Args:
            features: shape (n, feature), physical units, in the order of `names`.

        Returns:
            Shape (n, feature); zero inside the hull.
        """
        from scipy.optimize import nnls

        scaled = self.in_ranges(features)
        if not len(self.points) or not self.names:
            return np.maximum(scaled - 1, 0) + np.minimum(scaled, 0)
        models = self.in_ranges(self.points)
        queries, repeats = np.unique(scaled, axis=0, return_inverse=True)
        gaps = np.zeros_like(queries)
        target = np.append(np.zeros(len(self.names)), 1.0)
        for index in np.flatnonzero(~self._surely_inside(queries)):
            query = queries[index]
            system = np.vstack([(models - query).T, np.ones(len(models))])
            weights, _ = nnls(system, target, maxiter=100 * len(models))
            gaps[index] = query - weights @ models / weights.sum()
        return gaps[repeats.reshape(-1)]

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Distance from the hull in units of the range, shape (n,); zero inside it.

        Args:
            features: shape (n, feature), physical units, in the order of `names`.
        """
        return np.linalg.norm(self.gaps(features), axis=1)

    def outside(self, features: np.ndarray) -> np.ndarray:
        """Which neurons lie outside the hull by more than `HULL_TOLERANCE` of its range, shape (n,).

        Args:
            features: shape (n, feature), physical units, in the order of `names`.
        """
        return self.distance(features) > HULL_TOLERANCE

    def sample(self, count: int, *, seed: int) -> np.ndarray:
        """Points drawn uniformly from the hull, shape (count, feature), physical units; see `hull_points`.

        Raises:
            ValueError: for a negative count, or if the hull has no volume.
        """
        return hull_points(self.points, count, seed=seed)

    def in_ranges(self, features: np.ndarray) -> np.ndarray:
        """Features mapped so that the training range becomes 0 to 1, shape (n, feature)."""
        return (np.asarray(features, dtype=float) - self.minimum) / (self.maximum - self.minimum)

    @cached_property
    def facets(self) -> np.ndarray | None:
        """Outward normals and offsets of the facets, units of the range; None in one or many dimensions, or if flat."""
        from scipy.spatial import ConvexHull, QhullError

        models = self.in_ranges(self.points)
        if not 2 <= models.shape[1] <= _MOST_DIMENSIONS_OF_FACETS or len(models) <= models.shape[1]:
            return None
        try:
            return ConvexHull(models).equations
        except QhullError:
            return None

    def _surely_inside(self, queries: np.ndarray) -> np.ndarray:
        """Which points, in units of the range, the facets show to be inside; none where there are no facets."""
        if self.facets is None:
            return np.zeros(len(queries), dtype=bool)
        return np.all(queries @ self.facets[:, :-1].T + self.facets[:, -1] <= 0, axis=1)
