import numpy as np
import pytest
import torch

from noble.operator import FeatureSpec

NAMES, UNITS = ("rheobase", "fi_gain"), ("nA", "Hz/nA")
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


def test_json_round_trip_is_exact(spec):
    assert FeatureSpec.model_validate_json(spec.model_dump_json()) == spec


def test_refusals_say_what_is_wrong():
    with pytest.raises(ValueError, match="rheobase of model 1 is nan"):
        FeatureSpec.fit(np.array([[0.1, 1.0], [np.nan, 2.0]]), NAMES, UNITS)
    with pytest.raises(ValueError, match=r"expected \(models, 2\)"):
        FeatureSpec.fit(np.ones((3, 3)), NAMES, UNITS)
    with pytest.raises(ValueError, match=r"feature rheobase runs from 0.1 to 0.1"):
        FeatureSpec.fit(np.array([[0.1, 1.0], [0.1, 2.0]]), NAMES, UNITS)
    with pytest.raises(ValueError, match="repeat"):
        FeatureSpec.fit(TRIANGLE, ("a", "a"), UNITS)
    with pytest.raises(ValueError, match="1 units"):
        FeatureSpec.fit(TRIANGLE, NAMES, ("nA",))


# --- the latent features, and what completes them

RICH = ("rate_rheobase_plus_50pA", "rheobase", "AP1_peak", "fi_gain")


def rich_spec(noise: float = 0.0) -> tuple[FeatureSpec, np.ndarray]:
    """Rate and peak are linear in rheobase and F-I gain, up to noise."""
    generator = np.random.default_rng(0)
    rheobase, gain = generator.uniform(0.14, 0.17, 40), generator.uniform(450, 650, 40)
    rate = 5 + 100 * rheobase + 0.04 * gain + noise * generator.standard_normal(40)
    peak = 20 - 50 * rheobase + 0.01 * gain + noise * generator.standard_normal(40)
    table = np.column_stack([rate, rheobase, peak, gain])
    return FeatureSpec.fit(table, RICH, ("Hz", "nA", "mV", "Hz/nA")), table


def test_the_latent_features_are_rheobase_and_gain_where_both_are_known(spec):
    assert spec.latent_features == NAMES
    rich, _ = rich_spec()
    assert rich.latent_features == ("rheobase", "fi_gain")
    assert rich.latent_columns == [1, 3]
    other = FeatureSpec.fit(TRIANGLE, ("rheobase", "AP1_peak"), ("nA", "mV"))
    assert other.latent_features == ("rheobase", "AP1_peak")


def test_latent_features_are_completed_by_what_the_training_models_say():
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


def test_any_subset_is_completed_by_name():
    rich, table = rich_spec(noise=1.0)
    given = ("AP1_peak", "i_thr")
    point = torch.as_tensor(table[:5, [2, 1]]).requires_grad_()
    completed = rich.complete(point, given)
    offset, slopes = rich.prior.regression(given)
    np.testing.assert_array_equal(completed.detach().numpy()[:, [2, 1]], table[:5, [2, 1]])
    np.testing.assert_allclose(completed.detach().numpy(), offset + table[:5, [2, 1]] @ slopes, rtol=1e-12)
    completed[0, 3].backward()
    np.testing.assert_allclose(point.grad.numpy()[0], slopes[:, 3], rtol=1e-12)
    shuffled = rich.complete(torch.as_tensor(table[:, ::-1].copy()), RICH[::-1])
    np.testing.assert_array_equal(shuffled.numpy(), table)


def test_completion_refuses_what_it_cannot_complete():
    rich, table = rich_spec()
    with pytest.raises(
        ValueError, match=r"3 features were given; expected 4 \(rate_rh.*\) or the 2 of rheobase, fi_gain"
    ):
        rich.complete(torch.as_tensor(table[:, :3]))
    with pytest.raises(ValueError, match="the family has no feature 'sag_ratio'; it has rate_rheobase_plus_50pA"):
        rich.complete(torch.as_tensor(table[:, :1]), ("sag_ratio",))
    unknown = FeatureSpec(**{**rich.model_dump(), "training_features": ()})
    with pytest.raises(ValueError, match="training models are not known"):
        unknown.complete(torch.as_tensor(table[:, :2]))


def test_old_names_are_read_as_those_of_the_catalogue(spec):
    old = FeatureSpec.fit(TRIANGLE, ("i_thr", "s_thr"), UNITS)
    assert old == spec
    assert old.names == NAMES
    with pytest.raises(ValueError, match="repeat"):
        FeatureSpec.fit(TRIANGLE, ("i_thr", "rheobase"), ("nA", "nA"))


def test_the_hull_is_that_of_the_latent_features():
    rich, table = rich_spec(noise=1.0)
    assert rich.hull.names == ("rheobase", "fi_gain")
    np.testing.assert_array_equal(rich.hull.points, table[:, [1, 3]])
    np.testing.assert_array_equal(rich.hull.minimum, table[:, [1, 3]].min(axis=0))
    np.testing.assert_array_equal(rich.hull.maximum, table[:, [1, 3]].max(axis=0))
    boxed = FeatureSpec(**{**rich.model_dump(), "training_features": ()}).hull
    assert boxed.points.shape == (0, 2)


def test_no_features_take_all_models_for_one():
    spec = FeatureSpec.fit(np.zeros((3, 0)), (), ())
    assert spec.latent_features == ()
    assert spec.hull.gaps(np.zeros((4, 0))).shape == (4, 0)
    assert spec.scale(torch.zeros(4, 0)).shape == (4, 0)
    assert FeatureSpec.model_validate_json(spec.model_dump_json()) == spec
