"""Who a family is compared with, by an operator and a simulator whose resting voltage is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from noble.features.neurons import Neurons
from noble.operator import FeatureSpec
from noble.protocols import StepProtocol
from noble.stimuli import Stimulus
from noble.studies import EnsembleStudy, ensemble_study
from noble.traces import TimeGrid, TraceBatch
from rising_family import HALL

NAMES = ("rheobase", "fi_gain")
TABLE = HALL.feature_table(NAMES)
PROTOCOL = StepProtocol(onset_ms=10.0, step_ms=20.0, window_ms=40.0, dt_ms=0.1)


def resting(rest_mv: np.ndarray, stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
    current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
    return TraceBatch(grid, np.tile(rest_mv[:, None], (1, grid.count)), current)


class Operator:
    """Rests at -80 mV and one for each 0.1 nA of the threshold."""

    feature_names = NAMES
    spec = FeatureSpec.fit(TABLE[list(HALL.train)], NAMES, ("nA", "Hz/nA"))

    def respond(self, neurons: Neurons, stimuli: Any, grid: Any, *, batch_size: int = 128) -> TraceBatch:
        return resting(-80 + 10 * neurons.table(["rheobase"])[:, 0], stimuli, grid)


class Simulator:
    """Rests a millivolt higher."""

    def __init__(self) -> None:
        self.models: list[int] = []

    def respond(self, neurons: Any, stimuli: Any, grid: Any) -> TraceBatch:
        models = [int(neuron.name.rpartition("/")[2]) for neuron in neurons]
        self.models += models
        return resting(-79 + 10 * TABLE[models, 0], stimuli, grid)


def study(**options: Any) -> EnsembleStudy:
    return ensemble_study(Operator(), HALL, protocol=PROTOCOL, **options)  # type: ignore[arg-type]


def rest(found: EnsembleStudy) -> Any:
    return found.comparison.features["voltage_base"]


def test_the_hall_is_compared_with_nobody():
    found = study()
    assert (found.reference, found.plausible, found.comparison.implausible_share) == (None, None, None)
    assert rest(found).median == pytest.approx(np.median(-80 + 10 * TABLE[list(HALL.train), 0]), abs=1e-5)
    assert found.answers.voltage_mv.shape == (len(HALL.train), PROTOCOL.grid.count)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(written)[-2:] == ["features", "implausible_share"]
    assert "answers" not in written


def test_the_hull_is_compared_with_the_training_models_and_a_disc_with_its_centre():
    hull = study(models="hull", count=30)
    assert (hull.neurons, hull.reference) == (30, "operator on the training models")
    assert rest(hull).reference_median == pytest.approx(np.median(-80 + 10 * TABLE[list(HALL.train), 0]), abs=1e-5)
    disc = study(models="disc:3:0.05", count=5)
    assert disc.reference == "operator on the disc's centre"
    assert rest(disc).reference_median == pytest.approx(-80 + 10 * TABLE[3, 0], abs=1e-5)
    assert disc.plausible == "operator, training models"


def test_simulations_are_of_the_training_models_and_of_the_discs_model():
    simulator, held_out = Simulator(), HALL.held_out[0]
    found = study(models=f"disc:{held_out}:1e-6", count=4, simulator=simulator)
    assert simulator.models == [*HALL.train, held_out]
    assert found.simulated is not None
    assert len(found.simulated) == 1
    assert rest(found).reference_median == pytest.approx(-79 + 10 * TABLE[held_out, 0], abs=1e-5)
    assert rest(found).wasserstein == pytest.approx(1.0, abs=1e-4)
    assert (found.reference, found.plausible) == ("simulation", "simulations, training models")
