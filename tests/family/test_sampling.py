import numpy as np
import pytest
from scipy.spatial import Delaunay

from noble.family import Hull, disc_points, grid_points, hull_points

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.3, 0.8]])


def hull_of(table: np.ndarray) -> Hull:
    return Hull(("rheobase", "fi_gain"), table, table.min(axis=0), table.max(axis=0))


def test_hull_points_are_uniform():
    drawn = hull_points(SQUARE, 20_000, seed=1)
    counts, *_ = np.histogram2d(*drawn.T, bins=4, range=[[0, 1], [0, 1]])
    assert counts.sum() == 20_000
    assert np.abs(counts - 1250).max() < 5 * np.sqrt(1250)  # five standard deviations of a Poisson count
    np.testing.assert_array_equal(drawn, hull_points(SQUARE, 20_000, seed=1))


def test_units_do_not_matter():
    scale, shift = np.array([0.01, 500.0]), np.array([0.15, 600.0])
    np.testing.assert_allclose(
        hull_points(SQUARE * scale + shift, 50, seed=2), hull_points(SQUARE, 50, seed=2) * scale + shift
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_hull_points_lie_in_the_hull(dimensions):
    points = np.random.default_rng(dimensions).normal(size=(20, dimensions))
    drawn = hull_points(points, 300, seed=3)
    assert drawn.shape == (300, dimensions)
    if dimensions == 1:
        assert points.min() <= drawn.min() < drawn.max() <= points.max()
    else:
        assert (Delaunay(points).find_simplex(drawn, tol=1e-9) >= 0).all()
        mean = hull_points(points, 20_000, seed=4).mean(axis=0)
        corners = points[Delaunay(points).simplices]
        volumes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
        centroid = (volumes[:, None] * corners.mean(axis=1)).sum(axis=0) / volumes.sum()
        np.testing.assert_allclose(mean, centroid, atol=0.04)


@pytest.mark.parametrize(
    "points", [np.empty((0, 2)), SQUARE[:2], np.column_stack([np.arange(5.0), np.arange(5.0)]), np.ones((4, 1))]
)
def test_a_hull_without_volume_is_refused(points):
    with pytest.raises(ValueError, match=r"has no volume in \d dimensions; expected more than"):
        hull_points(points, 3, seed=0)


def test_disc_points_are_uniform_in_units_of_the_range():
    table = SQUARE * [0.02, 400.0] + [0.14, 500.0]
    centre = np.array([0.15, 700.0])
    drawn = (disc_points(centre, 0.1, 8000, hull=hull_of(table), seed=5) - centre) / [0.02, 400.0]
    distances = np.linalg.norm(drawn, axis=1)
    assert distances.max() <= 0.1
    np.testing.assert_allclose(np.quantile(distances, [0.25, 0.5, 0.81]), [0.05, 0.1 * np.sqrt(0.5), 0.09], atol=2e-3)
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=3e-3)


@pytest.mark.parametrize(("centre", "radius", "count"), [([0.15], 0.1, 3), ([0.15, 700], 0, 3), ([0.15, 700], 0.1, -1)])
def test_a_disc_that_is_none_is_refused(centre, radius, count):
    with pytest.raises(ValueError, match=r"expected 2 numbers \(rheobase, fi_gain\), a positive radius"):
        disc_points(np.array(centre), radius, count, hull=hull_of(SQUARE), seed=0)


def test_a_grid_covers_the_models_and_a_margin():
    first, second = grid_points(SQUARE * [2, 10], 5, margin=0.25)
    np.testing.assert_allclose(first[0], [-0.5, 0.25, 1, 1.75, 2.5])
    np.testing.assert_allclose(second[:, 0], [-2.5, 1.25, 5, 8.75, 12.5])
    assert first.shape == second.shape == (5, 5)
    with pytest.raises(ValueError, match="expected shape"):
        grid_points(SQUARE[:, :1], 5)
