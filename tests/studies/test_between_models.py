"""An operator whose answers are known mistakes, next to a simulator without them; scores that can be computed by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from checked_hall import checked_hall, targets
from noble.cells import CellModel
from noble.evolve import Interpolation
from noble.evolve.assay import Score
from noble.features.neurons import Neurons
from noble.operator import FeatureSpec
from noble.protocols import StepProtocol
from noble.stimuli import Stimulus
from noble.studies.discs import disc_answers, summarise_discs
from noble.studies.halfway import POPULATIONS, compare_halfway, operator_scores, training_models
from noble.traces import TimeGrid, TraceBatch

HALL = checked_hall()  # seven models; the last, with a threshold of 0.16 nA, is held out
NAMES = ("rheobase", "fi_gain")
SPEC = FeatureSpec.fit(HALL.feature_table(NAMES)[list(HALL.train)], NAMES, ("nA", "Hz/nA"))
PROTOCOL = StepProtocol(step_ms=40.0, window_ms=80.0)


def resting(rest_mv: np.ndarray, stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
    """Neurons that no current moves."""
    currents = np.stack([stimulus.sample(grid) for stimulus in stimuli])
    return TraceBatch(grid, np.tile(np.asarray(rest_mv)[:, None], (1, grid.count)), currents)


class Operator:
    """Rests a mV above -80 for each pA that the threshold is above 160 pA, and so is right at 160 pA alone."""

    spec = SPEC
    feature_names = NAMES
    holding_na = 0.0

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def respond(
        self, neurons: Neurons, stimuli: Sequence[Stimulus], grid: TimeGrid, *, batch_size: int = 128
    ) -> TraceBatch:
        assert len(neurons) == len(stimuli)
        features = neurons.table(NAMES)
        self.asked.append(features)
        return resting(-80 + 1000 * (features[:, 0] - 0.16), stimuli, grid)


class Simulator:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def respond(self, neurons: Sequence[CellModel], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        self.asked += [neuron.name or "" for neuron in neurons]
        return resting(np.full(len(neurons), -80.0), stimuli, grid)


def discs(operator: Operator, simulator: Simulator, **options: Any) -> Any:
    settings = {"amplitudes_na": (-0.05, 0.1), "points": 40, "radius": 0.2, "seed": 1, "protocol": PROTOCOL}
    return disc_answers(operator, HALL, simulator, **{**settings, **options})


def test_points_round_a_held_out_model_are_off_by_what_the_operator_makes_of_their_distance():
    operator, simulator, seen = Operator(), Simulator(), []
    [disc] = discs(operator, simulator, progress=lambda *done: seen.append(done))
    assert (disc.model, seen) == (6, [(0, 1), (1, 1)])
    assert simulator.asked == ["made/6"] * 2
    drawn, again, own = operator.asked
    np.testing.assert_array_equal(drawn, again)  # the same neurons at every amplitude
    np.testing.assert_allclose(own, [[0.16, 310.0]] * 2)
    away = np.linalg.norm((drawn - [0.16, 310.0]) / [0.1, 200.0], axis=1)  # ranges of the training models
    assert 0.15 < away.max() <= 0.2
    expected = 1000 * np.abs(drawn[:, 0] - 0.16)
    np.testing.assert_allclose(disc.points.rmse_mv, np.tile(expected, 2))
    np.testing.assert_allclose(disc.centre.rmse_mv, 0, atol=1e-9)
    assert len(disc.predicted) == len(disc.simulated) == 2
    assert [len(batch) for batch in disc.predicted] == [40, 40]
    found = summarise_discs([disc], radius=0.2, amplitudes_na=(-0.05, 0.1))
    json.dumps(found.to_dict(), allow_nan=False)
    assert (found.points_each, found.radius, found.amplitudes_na) == (40, 0.2, (-0.05, 0.1))
    assert found.points.rmse_mv == pytest.approx(expected.mean())
    assert found.points.all_features["voltage_base"].mean_absolute_error == pytest.approx(expected.mean())
    assert (found.points.traces, found.centre.traces, found.models[0].model) == (80, 2, 6)


def test_discs_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="holds out 1 models, and 0 points"):
        discs(Operator(), Simulator(), points=0)
    with pytest.raises(ValueError, match="0 amplitudes were asked for"):
        discs(Operator(), Simulator(), amplitudes_na=())
    with pytest.raises(ValueError, match="holds out 0 models"):
        disc_answers(Operator(), training_models(HALL), Simulator(), amplitudes_na=(0.1,))


def z_of(threshold_na: float, silent: bool = False) -> list[float]:
    """|z| over all targets: the resting voltage at five steps (-80 +- 1 mV), 2 and 20 spikes +- 1 at the last two."""
    off_mv = min(1000 * abs(threshold_na - 0.16), 20.0)
    return [off_mv] * 3 if silent else [off_mv] * 5 + [2.0, 20.0]


def test_an_operators_answers_are_scored_as_models_are():
    thresholds = (0.16, 0.163, 0.155, 0.2, 0.158, 0.1601, 0.16, 0.161, 0.162)  # more than are answered at once
    operator, seen = Operator(), []
    neurons = Neurons(NAMES, np.array([[threshold, 300.0] for threshold in thresholds]))
    scores = operator_scores(operator, HALL.cell, targets(), neurons, progress=lambda *done: seen.append(done))
    assert [score.mean for score in scores] == pytest.approx([np.mean(z_of(value)) for value in thresholds], abs=1e-3)
    assert [score.z["Spikecount@0.4"] for score in scores] == [20.0] * 9
    assert seen == [(0, 9), (8, 9), (9, 9)]
    assert [len(rows) for rows in operator.asked] == [8 * 5, 1 * 5]


def test_an_operator_is_not_scored_by_steps_under_another_holding_current():
    held = replace(targets(), steps=tuple(replace(step, holding_na=0.02) for step in targets().steps))
    with pytest.raises(
        ValueError, match=r"Step_-0\.05 of made was recorded under a holding current of 0\.02 nA, but the"
    ):
        operator_scores(Operator(), HALL.cell, held, Neurons(NAMES, np.array([[0.16, 300.0]])))


def scored(z: float) -> Score:
    """A simulated model with this |z| at the silent steps, and far worse ones where it fires."""
    silent = {f"voltage_base@{amplitude}": z for amplitude in ("-0.05", "0.05", "0.1")}
    firing = {f"{name}@{amplitude}": 9.0 for name in ("voltage_base", "Spikecount") for amplitude in ("0.3", "0.4")}
    return Score({**silent, **firing})


PAIRS = ((0, 1), (4, 5), (2, 5))
PARAMETERS = Interpolation(
    PAIRS, tuple(map(scored, (1.0, 12.0, 20.0))), tuple(map(scored, (1.0, 2.0, 3.0, 4.0, 5.0, 12.0))), "arithmetic"
)


def test_the_same_pairs_are_judged_halfway_in_features_and_in_parameters():
    operator = Operator()
    found = compare_halfway(operator, HALL, targets(), PARAMETERS, range_na=(-0.06, 0.2))
    assert (found.steps_na, found.left_out_na) == ((-0.05, 0.05, 0.1), (0.3, 0.4))
    assert (found.pairs, found.mean) == (PAIRS, "arithmetic")
    assert tuple(found.populations) == tuple(POPULATIONS)
    rows = found.populations
    thresholds = HALL.feature_table(NAMES)[:, 0]
    members = [np.mean(z_of(thresholds[index], silent=True)) for index in HALL.train]
    halfway = [np.mean(z_of((thresholds[one] + thresholds[other]) / 2, silent=True)) for one, other in PAIRS]
    assert rows["members_predicted"].mean_abs_z == pytest.approx(members, abs=1e-3)
    assert rows["halfway_features"].mean_abs_z == pytest.approx(halfway, abs=1e-3)  # 10, 15 and 35 pA, the last clipped
    assert halfway == pytest.approx([10.0, 15.0, 20.0])
    assert rows["halfway_features"].within_worst_percent == pytest.approx(100 / 3)
    assert rows["halfway_parameters"].to_dict() == {
        "neurons": 3,
        "median_mean_abs_z": 12.0,
        "worst_mean_abs_z": 20.0,
        "within_worst_percent": pytest.approx(200 / 3),
        "mean_abs_z": [1.0, 12.0, 20.0],
        "features": {"voltage_base": 12.0},
    }
    assert rows["members_simulated"].within_worst_percent == 100
    json.dumps(found.to_dict(), allow_nan=False)
    assert list(found.to_frame().loc["halfway_parameters"]) == [3, 12.0, 20.0, pytest.approx(200 / 3)]


def test_without_a_range_every_step_counts():
    found = compare_halfway(Operator(), HALL, targets(), PARAMETERS)
    assert (len(found.steps_na), found.left_out_na) == (5, ())
    simulated = found.populations["members_simulated"]
    assert simulated.mean_abs_z[0] == pytest.approx((3 * 1.0 + 4 * 9.0) / 7)
    # The median of six members at 1, 2, 3, 4, 5 and 12 where they are silent, 9 where they fire.
    assert simulated.features == {"voltage_base": pytest.approx((3 * 3.5 + 2 * 9.0) / 5), "Spikecount": 9.0}


def test_pairs_keep_the_halls_numbers_where_a_model_in_between_is_held_out():
    models = tuple(replace(model, held_out=index == 1) for index, model in enumerate(HALL.models))
    hall = replace(HALL, models=models)
    assert training_models(hall).models == (models[0], *models[2:])
    found = compare_halfway(Operator(), hall, targets(), PARAMETERS, range_na=(-0.06, 0.2))
    assert found.pairs == ((0, 2), (5, 6), (3, 6))


def test_other_models_and_steps_that_nobody_was_trained_on_are_refused():
    everyone = replace(HALL, models=tuple(replace(model, held_out=False) for model in HALL.models))
    with pytest.raises(ValueError, match="6 models were interpolated but hall made has 7 training models"):
        compare_halfway(Operator(), everyone, targets(), PARAMETERS)
    with pytest.raises(ValueError, match="no step of made lies within 1 to 2 nA"):
        compare_halfway(Operator(), HALL, targets(), PARAMETERS, range_na=(1.0, 2.0))
