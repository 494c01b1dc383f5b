"""Neurons that nobody fitted: points of the latent space within the training models' hull, or near a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from noble.family.hull import Hull


def hull_points(points: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Points drawn uniformly from the convex hull of given ones, in any number of dimensions.

    The hull is cut into simplices (Delaunay); one is drawn by its volume, and a point of it by weights that are uniform on the
    simplex (Devroye, Non-Uniform Random Variate Generation, 1986, ch. XI.2.5). The number of simplices grows fast with
    dimensions: fifty points make about 90 in two and a million in eight.

    Args:
        points: whose hull is meant, shape (models, features), in any units: a distribution that is uniform in one is so in all.
        count: how many to draw.
        seed: seed of the draw.

    Returns:
        Shape (count, features).

    Raises:
        ValueError: for a negative count, or points whose hull has no volume.
    """
    if count < 0:
        raise ValueError(f"count is {count}; expected at least 0.")
    points = np.asarray(points, dtype=float)
    generator = np.random.default_rng(seed)
    corners = _simplices(points)
    edges = corners[:, 1:] - corners[:, :1]
    volumes = np.abs(np.linalg.det(edges))
    chosen = corners[generator.choice(len(corners), size=count, p=volumes / volumes.sum())]
    weights = generator.dirichlet(np.ones(points.shape[1] + 1), size=count)
    return np.einsum("nc,ncf->nf", weights, chosen)


def _simplices(points: np.ndarray) -> np.ndarray:
    """Corners of simplices that fill the hull, shape (simplices, features + 1, features)."""
    from scipy.spatial import Delaunay, QhullError

    models, features = points.shape
    if models > features and np.all(np.ptp(points, axis=0) > 0):
        if features == 1:
            return np.array([[points.min(axis=0), points.max(axis=0)]])
        try:
            return points[Delaunay((points - points.min(axis=0)) / np.ptp(points, axis=0)).simplices]
        except QhullError:  # they lie in one plane
            pass
    raise ValueError(
        f"the hull of {models} points has no volume in {features} dimensions; expected more than {features} points that do "
        "not lie in one plane. Sample in fewer features."
    )


def disc_points(centre: np.ndarray, radius: float, count: int, *, hull: Hull, seed: int) -> np.ndarray:
    """Points drawn uniformly from a disc of the latent plane, or a ball if it has more than two features.

    Args:
        centre: shape (features,), in the order of `hull.names`, physical units.
        radius: in units of the training models' range, the same along every feature.
        count: how many to draw.
        hull: hull of the training models, which gives the features and their ranges.
        seed: seed of the draw.

    Returns:
        Shape (count, features).

    Raises:
        ValueError: for a radius that is not positive, a negative count, or a centre of another length.
    """
    centre = np.asarray(centre, dtype=float)
    dimensions = len(hull.names)
    if centre.shape != (dimensions,) or not radius > 0 or count < 0:
        raise ValueError(
            f"a centre of shape {centre.shape}, a radius of {radius} and a count of {count} were given; expected "
            f"{dimensions} numbers ({', '.join(hull.names)}), a positive radius and at least 0 points."
        )
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(count, dimensions))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = radius * generator.uniform(size=(count, 1)) ** (1 / dimensions)
    return centre + distances * directions * (hull.maximum - hull.minimum)


def grid_points(points: np.ndarray, size: int, *, margin: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """A regular grid over the bounding box of points in a plane, and a little beyond.

    Args:
        points: of the training models, shape (models, 2).
        size: points along each axis.
        margin: beyond the box on each side, in its widths.

    Returns:
        First and second feature at each point of the grid, shape (size, size) each; rows run along the second.

    Raises:
        ValueError: for points that are not in a plane, or fewer than two points along an axis.
    """
    if points.ndim != 2 or points.shape[1] != 2 or size < 2:
        raise ValueError(
            f"points of shape {points.shape} and size {size} were given; expected shape (models, 2) and at least 2."
        )
    low, width = points.min(axis=0), np.ptp(points, axis=0)
    first, second = (
        np.linspace(low[axis] - margin * width[axis], low[axis] + (1 + margin) * width[axis], size) for axis in (0, 1)
    )
    return tuple(np.meshgrid(first, second))  # type: ignore[return-value]
