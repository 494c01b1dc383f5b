"""The hull of a family: distances with known answers, its facets, and the box that stands in for it."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from noble.family import Hull

# A triangle: the corner (0.3, 300) of its box is outside the hull.
TRIANGLE = np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0], [0.15, 150.0]])


def hull_of(points: np.ndarray) -> Hull:
    names = tuple(f"f{index}" for index in range(points.shape[1]))
    return Hull(names, points, points.min(axis=0), points.max(axis=0))


def test_gaps_point_from_the_nearest_point_of_the_hull():
    queries = np.array([[0.3, 300.0], [0.15, 150.0], [0.05, 100.0], [0.2, 200.0]])
    hull = hull_of(TRIANGLE)
    # The hypotenuse runs from (1, 0) to (0, 1) in units of the ranges: (1, 1) is (0.5, 0.5) away from it.
    np.testing.assert_allclose(hull.gaps(queries), [[0.5, 0.5], [0, 0], [-0.25, 0], [0, 0]], atol=1e-9)
    np.testing.assert_allclose(hull.distance(queries), [np.sqrt(0.5), 0, 0.25, 0], atol=1e-9)
    np.testing.assert_array_equal(hull.outside(queries), [True, False, True, False])


def test_a_hair_beyond_the_hull_is_rounding():
    corner, ranges = TRIANGLE[0], np.ptp(TRIANGLE, axis=0)
    hair, step = (corner - share * ranges for share in (5e-5, 1e-2))
    np.testing.assert_array_equal(hull_of(TRIANGLE).outside(np.stack([corner, hair, step])), [False, False, True])


@pytest.mark.parametrize("dimensions", [1, 3, 6])
def test_distances_are_right_in_any_dimension(dimensions):
    hull = hull_of(np.vstack([np.zeros(dimensions), np.eye(dimensions)]))
    inside = np.full((1, dimensions), 0.9 / dimensions)
    beyond = np.full((1, dimensions), 2.0 / dimensions)  # its nearest point is the centre of the far face
    np.testing.assert_allclose(hull.gaps(inside), 0, atol=1e-9)
    np.testing.assert_allclose(hull.gaps(beyond), 1.0 / dimensions, atol=1e-9)


def test_every_training_model_and_their_mean_lie_inside():
    table = np.random.default_rng(0).normal([0.1, 200.0], [0.02, 50.0], size=(200, 2))
    assert np.abs(hull_of(table).gaps(np.vstack([table, table.mean(axis=0)]))).max() < 1e-9


def test_without_training_models_the_box_stands_in():
    boxed = Hull(("a", "b"), np.empty((0, 2)), TRIANGLE.min(axis=0), TRIANGLE.max(axis=0))
    queries = np.array([[0.3, 300.0], [0.4, 300.0], [0.05, 400.0]])
    np.testing.assert_allclose(boxed.gaps(queries), [[0, 0], [0.5, 0], [-0.25, 0.5]], atol=1e-9)


@pytest.mark.parametrize("dimensions", [2, 4])
def test_facets_and_least_squares_say_the_same_of_what_is_inside(dimensions):
    generator = np.random.default_rng(1)
    points = generator.normal(size=(30, dimensions))
    queries = generator.normal(size=(60, dimensions))
    quick, by_least_squares = hull_of(points), hull_of(points)
    by_least_squares.__dict__["facets"] = None
    assert quick.facets is not None
    np.testing.assert_allclose(quick.gaps(queries), by_least_squares.gaps(queries), atol=1e-7)
    np.testing.assert_array_equal(~quick.outside(queries), Delaunay(points).find_simplex(queries) >= 0)


def test_samples_lie_inside_and_follow_the_seed():
    hull = hull_of(TRIANGLE)
    drawn = hull.sample(200, seed=3)
    assert not hull.outside(drawn).any()
    np.testing.assert_array_equal(drawn, hull.sample(200, seed=3))
    assert not np.array_equal(drawn, hull.sample(200, seed=4))


def test_a_hull_of_no_features_has_nothing_outside():
    hull = Hull((), np.empty((3, 0)), np.empty(0), np.empty(0))
    assert hull.gaps(np.zeros((4, 0))).shape == (4, 0)
    assert not hull.outside(np.zeros((4, 0))).any()
