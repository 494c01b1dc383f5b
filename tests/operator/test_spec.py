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


def test_a_hair_beyond_the_hull_is_rounding(spec):
    low, high = np.array(spec.minimum), np.array(spec.maximum)
    corner = np.array(spec.training_features)[0]
    hair, step = (corner - share * (high - low) for share in (5e-5, 1e-2))
    np.testing.assert_array_equal(spec.lies_outside(np.stack([corner, hair, step])), [False, False, True])


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


# --- the plane, and what completes it

RICH = ("rate_50pA", "i_thr", "AP1_peak", "s_thr")


def rich_spec(noise: float = 0.0) -> tuple[FeatureSpec, np.ndarray]:
    """Rate and peak are linear in threshold and slope, up to noise."""
    generator = np.random.default_rng(0)
    i_thr, s_thr = generator.uniform(0.14, 0.17, 40), generator.uniform(450, 650, 40)
    rate = 5 + 100 * i_thr + 0.04 * s_thr + noise * generator.standard_normal(40)
    peak = 20 - 50 * i_thr + 0.01 * s_thr + noise * generator.standard_normal(40)
    table = np.column_stack([rate, i_thr, peak, s_thr])
    return FeatureSpec.fit(table, RICH, ("Hz", "nA", "mV", "Hz/nA")), table


def test_the_plane_is_threshold_and_slope_where_both_are_known(spec):
    assert spec.plane == NAMES
    rich, _ = rich_spec()
    assert rich.plane == ("i_thr", "s_thr")
    assert rich.plane_columns == [1, 3]
    other = FeatureSpec.fit(TRIANGLE, ("i_thr", "AP1_peak"), ("nA", "mV"))
    assert other.plane == ("i_thr", "AP1_peak")


def test_a_point_of_the_plane_is_completed_by_what_the_training_models_say():
    rich, table = rich_spec()
    completed = rich.complete(torch.as_tensor(table[:, [1, 3]]))
    np.testing.assert_allclose(completed.numpy(), table, rtol=1e-9)
    np.testing.assert_array_equal(completed.numpy()[:, [1, 3]], table[:, [1, 3]])
    noisy, table = rich_spec(noise=1.0)
    found = noisy.complete(torch.as_tensor(table[:, [1, 3]])).numpy()
    design = np.column_stack([np.ones(40), table[:, [1, 3]]])
    for column in (0, 2):
        weights = np.linalg.lstsq(design, table[:, column], rcond=None)[0]
        np.testing.assert_allclose(found[:, column], design @ weights, rtol=1e-6)


def test_all_features_are_left_as_they_are(spec):
    rich, table = rich_spec(noise=1.0)
    np.testing.assert_array_equal(rich.complete(torch.as_tensor(table)).numpy(), table)
    np.testing.assert_array_equal(spec.complete(torch.as_tensor(TRIANGLE)).numpy(), TRIANGLE)


def test_completion_is_differentiable():
    rich, table = rich_spec()
    point = torch.as_tensor(table[:1, [1, 3]]).requires_grad_()
    rich.complete(point)[0, 0].backward()
    np.testing.assert_allclose(point.grad, [[100.0, 0.04]], rtol=1e-6)


def test_completion_refuses_what_it_cannot_complete():
    rich, table = rich_spec()
    with pytest.raises(ValueError, match=r"3 features were given; expected 4 \(rate_50pA, .*\) or the 2 of the plane"):
        rich.complete(torch.as_tensor(table[:, :3]))
    unknown = rich.model_copy(update={"training_features": ()})
    with pytest.raises(ValueError, match="training models are not known"):
        unknown.complete(torch.as_tensor(table[:, :2]))


def test_the_hull_is_that_of_the_plane():
    rich, table = rich_spec(noise=1.0)
    middle = table.mean(axis=0)
    odd = middle.copy()
    odd[0] += 100.0  # a rate that no model has
    far = middle.copy()
    far[1] += 1.0
    gaps = rich.outside_hull(np.stack([middle, odd, far]))
    assert gaps.shape == (3, 2)
    np.testing.assert_allclose(gaps[:2], 0, atol=1e-9)
    assert gaps[2, 0] > 1


def test_no_features_take_all_models_for_one():
    spec = FeatureSpec.fit(np.zeros((3, 0)), (), ())
    assert spec.plane == ()
    assert spec.outside_hull(np.zeros((4, 0))).shape == (4, 0)
    assert spec.scale(torch.zeros(4, 0)).shape == (4, 0)
    assert FeatureSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("dimensions", [2, 4])
def test_facets_and_least_squares_say_the_same_of_what_is_inside(dimensions):
    generator = np.random.default_rng(1)
    names = tuple(f"f{index}" for index in range(dimensions))
    spec = FeatureSpec.fit(generator.normal(size=(30, dimensions)), names, ("mV",) * dimensions)
    queries = generator.normal(size=(60, dimensions))
    quick = spec.outside_hull(queries)
    by_least_squares = spec.model_copy()
    by_least_squares.__dict__["_facets"] = None
    np.testing.assert_allclose(quick, by_least_squares.outside_hull(queries), atol=1e-7)
    inside = ~quick.any(axis=1)
    assert 0 < inside.sum() < 60
