import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from noble.cells import HallOfFame
from noble.family import family_features
from noble.operator import FeatureSpec
from noble.studies import compare_features

NAMES = ("rheobase", "fi_gain", "voltage_base", "AP1_width")
HALL = HallOfFame.load("stylised-pv")
TABLE = HALL.feature_table(NAMES)
TRAINING = np.array([not model.held_out for model in HALL.models])
SPEC = FeatureSpec.fit(TABLE[TRAINING], NAMES, ("nA", "Hz/nA", "mV", "ms"))


def family(name: str, count: int = 40) -> np.ndarray:
    drawn = family_features(SPEC, HALL, name, count=count, seed=1)
    assert drawn.names == NAMES
    return drawn.values


def test_the_hall_is_its_training_models():
    np.testing.assert_array_equal(family("hall"), TABLE[TRAINING])


def test_neurons_of_the_hull_lie_in_it_and_have_all_features():
    drawn = family("hull")
    assert drawn.shape == (40, 4)
    assert (Delaunay(TABLE[TRAINING, :2]).find_simplex(drawn[:, :2]) >= 0).all()
    # The features that nobody drew follow the latent ones as they do in the hall.
    assert np.ptp(drawn[:, 2]) > 0
    assert TABLE[:, 2].min() <= drawn[:, 2].mean() <= TABLE[:, 2].max()


def test_neurons_of_the_hull_vary_beyond_the_latent_features_as_the_models_do():
    """What is typical at their points is moved by how much single models differ from what is typical at theirs."""
    drawn = family("hull", 4000)

    def beyond(neurons: np.ndarray) -> np.ndarray:
        return neurons - SPEC.complete(torch.tensor(neurons[:, :2])).numpy()

    models = beyond(TABLE[TRAINING])
    found = beyond(drawn)
    np.testing.assert_allclose(found[:, :2], 0, atol=1e-9)
    apart = np.abs(found[:, None, 2:] - models[None, :, 2:]).max(axis=2)
    assert apart.min(axis=1).max() < 1e-9  # each is like one of the models, and every model is drawn
    assert len(np.unique(apart.argmin(axis=1))) == len(models)


def test_a_disc_lies_round_its_model_in_every_feature():
    [held_out, *_] = np.flatnonzero(~TRAINING)
    ranges = np.ptp(TABLE[TRAINING], axis=0)
    drawn = (family(f"disc:{held_out}:0.05", 400) - TABLE[held_out]) / ranges
    assert np.linalg.norm(drawn[:, :2], axis=1).max() <= 0.05 + 1e-9
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.01)
    near = (family(f"disc:{held_out}:1e-6") - TABLE[held_out]) / ranges
    np.testing.assert_allclose(near, 0, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["hulls", "disc", "disc:1", "disc:one:0.1", "disc:24:0.1", "disc:-1:0.1", "ring:1:0.1"]
)
def test_an_unknown_family_is_refused(name):
    with pytest.raises(ValueError, match=r"expected hall, hull or disc:MODEL:RADIUS, with a model from 0 to 23"):
        family(name)


def test_features_are_compared_by_what_is_known():
    reference = {
        "width": np.array([1.0, 2.0, 3.0]),
        "rest": np.array([-70.0, np.nan, -71.0]),
        "sag": np.full(3, np.nan),
    }
    found = {
        "width": np.array([2.0, 4.9, 5.1, np.nan]),  # inside, just plausible, too wide, missing
        "rest": np.array([-70.0, np.nan, -70.5, -70.0]),
        "sag": np.full(4, np.nan),
    }
    compared = compare_features(found, reference)
    width, sag = compared["features"]["width"], compared["features"]["sag"]
    assert width["median"] == 4.9
    assert width["reference_median"] == 2
    assert width["wasserstein"] == pytest.approx((1 + 2.9 + 2.1) / 3)  # sorted against sorted, as many of each
    nothing = {"median": None, "q05": None, "q95": None, "reference_median": None, "wasserstein": None}
    assert sag == {**nothing, "having_share": 0, "reference_having_share": 0}
    assert (width["having_share"], width["reference_having_share"]) == (0.75, 1.0)
    assert compared["implausible_share"] == 0.5


def test_a_family_is_like_itself():
    values = {"width": np.array([1.0, 2.0, 3.0])}
    compared = compare_features(values, values)
    assert compared["features"]["width"]["wasserstein"] == 0
    assert compared["implausible_share"] == 0


def test_one_reference_model_leaves_it_to_the_others_what_is_plausible():
    found = {"width": np.array([2.0, 2.5, 5.1])}
    one, all_models = {"width": np.array([2.2])}, {"width": np.array([1.0, 2.2, 3.0])}
    assert compare_features(found, one)["implausible_share"] == pytest.approx(2 / 3)  # its range is the floor's
    compared = compare_features(found, one, plausible=all_models)
    assert compared["implausible_share"] == pytest.approx(1 / 3)
    assert compared["features"]["width"]["reference_median"] == 2.2
    assert compared["features"]["width"]["wasserstein"] == pytest.approx((0.2 + 0.3 + 2.9) / 3)


def test_a_family_without_a_reference_is_described_and_compared_with_nothing():
    compared = compare_features({"width": np.array([1.0, 2.0, 3.0, np.nan])}, None)
    assert compared["features"]["width"] == {
        "median": 2.0,
        "q05": pytest.approx(1.1),
        "q95": pytest.approx(2.9),
        "reference_median": None,
        "wasserstein": None,
        "having_share": 0.75,
        "reference_having_share": None,
    }
    assert compared["implausible_share"] is None


def test_where_all_models_agree_a_small_difference_is_plausible_and_what_nearly_all_have_is_missed():
    plausible = {"Spikecount": np.full(50, 8.0), "AP1_width": np.append(np.full(49, 0.4), np.nan)}
    found = {"Spikecount": np.array([8.0, 9.0, 20.0, 8.0]), "AP1_width": np.array([0.4, 0.4, 0.4, np.nan])}
    assert compare_features(found, plausible)["implausible_share"] == 0.5
