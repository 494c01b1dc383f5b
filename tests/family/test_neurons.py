import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from noble.cells import HallOfFame
from noble.family import family_features
from noble.operator import FeatureSpec

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
