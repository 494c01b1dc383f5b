import numpy as np
import pytest
import torch

from noble.operator import FeatureSpec

NAMES, UNITS = ("i_thr", "s_thr"), ("nA", "Hz/nA")
# A triangle: the corner (0.3, 300) of its box is outside the hull.
TRIANGLE = np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0], [0.15, 150.0]])


@pytest.fixture
def spec() -> FeatureSpec:
    return FeatureSpec.fit(TRIANGLE, NAMES, UNITS)


def test_scale_maps_the_training_range_to_half_and_three_and_a_half(spec):
    scaled = spec.scale(torch.tensor([[0.1, 300.0], [0.2, 100.0]], dtype=torch.float64))
    torch.testing.assert_close(scaled, torch.tensor([[0.5, 3.5], [2.0, 0.5]], dtype=torch.float64))


def test_unscale_undoes_scale_outside_the_range_too(spec):
    features = torch.tensor([[0.05, 400.0], [0.25, 120.0]], dtype=torch.float64)
    torch.testing.assert_close(spec.unscale(spec.scale(features)), features)


def test_scale_is_differentiable(spec):
    features = torch.tensor([[0.2, 200.0]], requires_grad=True)
    spec.scale(features).sum().backward()
    assert features.grad is not None
    torch.testing.assert_close(features.grad, torch.tensor([[3 / 0.2, 3 / 200.0]]))


def test_outside_counts_in_ranges_with_sign(spec):
    gaps = spec.outside(np.array([[0.05, 400.0], [0.3, 300.0]]))
    np.testing.assert_allclose(gaps, [[-0.25, 0.5], [0.0, 0.0]], atol=1e-12)


def test_outside_hull_points_from_the_nearest_hull_point(spec):
    queries = np.array([[0.3, 300.0], [0.15, 150.0], [0.05, 100.0], [0.2, 200.0]])
    # The hypotenuse runs from (1, 0) to (0, 1) in units of the ranges: (1, 1) is (0.5, 0.5) away from it.
    np.testing.assert_allclose(spec.outside_hull(queries), [[0.5, 0.5], [0, 0], [-0.25, 0], [0, 0]], atol=1e-9)


@pytest.mark.parametrize("dimensions", [1, 3, 6])
def test_outside_hull_agrees_with_known_distances_in_any_dimension(dimensions):
    corners = np.vstack([np.zeros(dimensions), np.eye(dimensions)])
    names = tuple(f"f{index}" for index in range(dimensions))
    spec = FeatureSpec.fit(corners, names, ("mV",) * dimensions)
    inside = np.full((1, dimensions), 0.9 / dimensions)
    beyond = np.full((1, dimensions), 2.0 / dimensions)  # its nearest point is the centre of the far face
    np.testing.assert_allclose(spec.outside_hull(inside), 0, atol=1e-9)
    np.testing.assert_allclose(spec.outside_hull(beyond), 1.0 / dimensions, atol=1e-9)


def test_outside_hull_of_many_models_finds_every_training_model_and_mean_inside():
    table = np.random.default_rng(0).normal([0.1, 200.0], [0.02, 50.0], size=(200, 2))
    spec = FeatureSpec.fit(table, NAMES, UNITS)
    assert np.abs(spec.outside_hull(np.vstack([table, table.mean(axis=0)]))).max() < 1e-9


def test_without_training_models_the_box_stands_in(spec):
    boxed = spec.model_copy(update={"training_features": ()})
    np.testing.assert_allclose(
        boxed.outside_hull(np.array([[0.3, 300.0], [0.4, 300.0]])), [[0, 0], [0.5, 0]], atol=1e-9
    )


def test_json_round_trip_is_exact(spec):
    assert FeatureSpec.model_validate_json(spec.model_dump_json()) == spec


def test_refusals_say_what_is_wrong():
    with pytest.raises(ValueError, match="i_thr of model 1 is nan"):
        FeatureSpec.fit(np.array([[0.1, 1.0], [np.nan, 2.0]]), NAMES, UNITS)
    with pytest.raises(ValueError, match=r"expected \(models, 2\)"):
        FeatureSpec.fit(np.ones((3, 3)), NAMES, UNITS)
    with pytest.raises(ValueError, match=r"feature i_thr runs from 0.1 to 0.1"):
        FeatureSpec.fit(np.array([[0.1, 1.0], [0.1, 2.0]]), NAMES, UNITS)
    with pytest.raises(ValueError, match="repeat"):
        FeatureSpec.fit(TRIANGLE, ("a", "a"), UNITS)
    with pytest.raises(ValueError, match="1 units"):
        FeatureSpec.fit(TRIANGLE, NAMES, ("nA",))
