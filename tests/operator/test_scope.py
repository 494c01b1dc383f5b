"""What an operator has learned, and what it says of currents that it has not."""

import math
import warnings

import numpy as np
import pytest

from noble.data import GenerationConfig
from noble.operator import FeatureSpec, Operator, OutsideHullWarning, OutsideScopeWarning, OutsideTrainingWarning, Scope
from noble.operator.scope import Departure, merged
from noble.operator.spiking.config import SpikePhaseConfig
from noble.stimuli import OrnsteinUhlenbeck, Ramp, Sampled, Step, Stimulus
from noble.traces import TimeGrid

GRID = TimeGrid.spanning(515.0, dt_ms=0.5)
STEPS = Scope(kinds=("Step",), lowest_na=-0.1, highest_na=0.3, duration_ms=515.0, step_ms=400.0, dt_ms=0.06)


def generation(**mix: float) -> dict:
    amplitude = {"low_na": -0.1, "high_na": 0.3}
    return GenerationConfig.model_validate({"hall": "any", "amplitude": amplitude, "mix": mix}).model_dump(mode="json")


def departures(*stimuli: Stimulus, scope: Scope = STEPS, grid: TimeGrid = GRID) -> tuple[Departure, ...]:
    current = np.array([stimulus.sample(grid) for stimulus in stimuli], dtype=np.float32)
    return scope.departures(stimuli, current, grid.dt_ms)


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        ({}, (("Step",), -0.1, 0.3, 400.0)),
        ({"step": 0, "ramp": 2}, (("Ramp",), -0.15, 0.45, None)),  # 0 to 1.5 amplitudes
        ({"step": 0, "chirp": 1}, (("Chirp",), -0.15, 0.45, None)),  # 0.5 to 1.5
        ({"step": 0, "ornstein_uhlenbeck": 1}, (("OrnsteinUhlenbeck",), -0.3, 0.9, None)),  # -1 to 3
        ({"step": 1, "ornstein_uhlenbeck": 1}, (("OrnsteinUhlenbeck", "Step"), -0.3, 0.9, None)),
    ],
)
def test_a_scope_is_what_a_data_set_was_drawn_from(mix, expected):
    scope = Scope.of_generation(generation(**mix))
    kinds, lowest, highest, step_ms = expected
    assert (scope.kinds, scope.step_ms, scope.duration_ms, scope.dt_ms) == (kinds, step_ms, 515.0, 0.06)
    assert (scope.lowest_na, scope.highest_na) == pytest.approx((lowest, highest))


def test_drawn_currents_lie_within_the_scope():
    from noble.cells import HallOfFame
    from noble.data.plan import draw_plan

    config = generation(step=1, ramp=1, chirp=1, ornstein_uhlenbeck=1)
    counts = {"train": 200, "validation": 0, "test": 0, "unseen_models": 0}
    plan = draw_plan(GenerationConfig.model_validate({**config, "traces": counts}), HallOfFame.load("stylised-pv"))
    scope = Scope.of_generation(config)
    assert departures(*(plan.stimulus(index) for index in range(len(plan))), scope=scope) == ()


def test_the_scope_of_given_currents_is_what_they_are():
    grid = TimeGrid.spanning(515.0, dt_ms=0.06)
    steps = [Step(15, 415, 0.2), Step(15, 415, -0.1)]
    scope = Scope.of_stimuli(steps, grid, duration_ms=515.0)
    assert scope == Scope(kinds=("Step",), lowest_na=-0.1, highest_na=0.2, duration_ms=515, step_ms=400, dt_ms=0.06)
    scope = Scope.of_stimuli([*steps, Ramp(0, 500, 0.0, 0.4) + Step(0, 100, 0.1)], grid, duration_ms=515.0)
    assert (scope.kinds, scope.step_ms) == (("Ramp", "Step", "Sum"), None)
    assert scope.highest_na == pytest.approx(0.4, abs=1e-3)
    with pytest.raises(ValueError, match="is to learn from no current"):
        Scope.of_stimuli([], grid, duration_ms=515.0)


def test_a_configuration_that_lacks_something_is_refused():
    without = {key: value for key, value in generation().items() if key != "step_ms"}
    with pytest.raises(ValueError, match=r"drawn by is wrong: step_ms: Field required"):
        Scope.of_generation(without)
    with pytest.raises(ValueError, match=r"has no share of step, ramp, chirp, ornstein_uhlenbeck"):
        Scope.of_generation({**generation(), "mix": {"triangle": 1.0}})
    with pytest.raises(ValueError, match=r"lacks mix.ramp_first"):
        Scope.of_generation({**generation(), "mix": {"ramp": 1.0}})


def test_what_was_learned_is_no_departure():
    assert departures(Step(15, 415, 0.3), Step(15, 415, -0.1), Step(0, 400.06, 0.0)) == ()
    assert STEPS.departures([], np.empty((0, 10)), 0.5) == ()


def test_a_kind_that_was_not_learned_is_named():
    (found,) = departures(Ramp(15, 415, 0.0, 0.3), Step(15, 415, 0.2), Ramp(15, 415, 0.0, 0.1))
    assert (found.aspect, found.count, found.value, found.excess) == ("kind", 2, "Ramp", math.inf)
    assert found.text == "kind Ramp (learned: Step)"


def test_how_far_a_current_reaches_is_a_share_of_the_learned_range():
    high, low = departures(Step(15, 415, 0.5), Step(15, 415, 0.4), Step(15, 415, -0.2))
    assert (high.aspect, high.count, low.aspect, low.count) == ("highest", 2, "lowest", 1)
    assert high.value == pytest.approx(0.5)
    assert high.excess == pytest.approx((0.5 - 0.3) / 0.4)
    assert low.excess == pytest.approx((0.2 - 0.1) / 0.4)
    assert high.text == "0.5 nA (learned: -0.1 to 0.3 nA, 50% of that range beyond)"


def test_a_longer_window_and_steps_of_another_length_depart():
    (window,) = departures(Step(15, 415, 0.2), grid=TimeGrid.spanning(1030.0, dt_ms=0.5))
    assert (window.aspect, window.value, window.excess) == ("window", 1030.0, pytest.approx(1.0))
    (shorter,) = departures(Step(15, 115, 0.2), Step(15, 415, 0.2))
    assert (shorter.aspect, shorter.count, shorter.value, shorter.excess) == ("step", 1, 100.0, pytest.approx(0.75))
    assert departures(Step(15, 115, 0.2), scope=STEPS.model_copy(update={"step_ms": None})) == ()


def test_several_at_once_are_a_kind_of_their_own():
    two = Step(15, 415, 0.1) + Step(15, 415, 0.1)
    assert [found.value for found in departures(two)] == ["Sum"]
    assert departures(0.5 * Step(15, 415, 0.4)) == ()
    (longer,) = departures(0.5 * Step(15, 465, 0.4))
    assert (longer.aspect, longer.value) == ("step", 450.0)


def test_batches_are_merged_by_the_farthest():
    one, two = departures(Step(15, 415, 0.4)), departures(Step(15, 415, 0.5), Step(15, 415, 0.6))
    (found,) = merged([*one, *two])
    assert (found.count, found.value) == (3, pytest.approx(0.6))


def test_a_scope_of_two_trainings_holds_both():
    other = Scope(kinds=("Ramp",), lowest_na=-0.3, highest_na=0.1, duration_ms=1000.0, step_ms=None, dt_ms=0.1)
    expected = Scope(
        kinds=("Ramp", "Step"), lowest_na=-0.3, highest_na=0.3, duration_ms=1000.0, step_ms=None, dt_ms=0.1
    )
    assert STEPS.united(other) == expected
    assert STEPS.united(STEPS) == STEPS


def test_a_scope_survives_json_and_refuses_nonsense():
    assert Scope.model_validate_json(STEPS.model_dump_json()) == STEPS
    with pytest.raises(ValueError, match="expected lowest_na < highest_na"):
        Scope(kinds=("Step",), lowest_na=0.3, highest_na=0.3, duration_ms=515.0, step_ms=400.0, dt_ms=0.06)


@pytest.fixture
def operator() -> Operator:
    spec = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))
    config = SpikePhaseConfig(width=8, hidden=8, blocks=1, slow_width=8, shapes=2, shape_width=8)
    return Operator.build(config, spec, GRID, seed=1, scope=STEPS)


NEURON = {"rheobase": 0.15, "fi_gain": 150.0}


def test_predicting_warns_in_one_sentence_of_all_that_was_not_learned(operator):
    noise = Step(15, 415, 0.2) + OrnsteinUhlenbeck(15, 415, 0.3, 0.1, seed=3)
    with pytest.warns(OutsideScopeWarning) as record:
        operator.respond([NEURON] * 2, [noise, Step(15, 415, 0.2)], GRID)
    (warning,) = record
    text = str(warning.message)
    for part in ("kind OrnsteinUhlenbeck (learned: Step) in 1 of 2", "kind Sum", "beyond) in 1 of 2"):
        assert part in text
    assert "\n" not in text


def test_spike_times_and_respond_warn_once_for_all_batches(operator):
    ramps = [Ramp(15, 415, 0.0, 0.2)] * 5
    for ask in (
        lambda: operator.spike_times([NEURON] * 5, ramps, GRID, batch_size=2),
        lambda: operator.respond([NEURON] * 5, ramps, GRID),
    ):
        with pytest.warns(OutsideScopeWarning, match=r"kind Ramp \(learned: Step\) in 5 of 5\.$") as record:
            ask()
        assert len(record) == 1


def test_within_the_scope_or_without_one_nothing_is_said(operator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator.respond(NEURON, [Step(15, 415, 0.2)], GRID)
        operator.scope = None
        operator.respond(NEURON, [Ramp(15, 415, 0.0, 2.0)], GRID)


def test_both_warnings_are_of_one_category(operator):
    assert issubclass(OutsideHullWarning, OutsideTrainingWarning)
    assert issubclass(OutsideScopeWarning, OutsideTrainingWarning)
    from noble.evaluation import outside_hull_expected

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with outside_hull_expected():
            operator.respond({"rheobase": 0.5, "fi_gain": 900.0}, [Ramp(15, 415, 0.0, 2.0)], GRID)
        with pytest.raises(OutsideTrainingWarning):
            operator.respond(NEURON, [Ramp(15, 415, 0.0, 2.0)], GRID)


def test_a_scope_is_saved_with_the_operator(operator, tmp_path):
    operator.save(tmp_path / "bundle")
    assert Operator.load(tmp_path / "bundle").scope == STEPS
    operator.scope = None
    operator.save(tmp_path / "bundle")
    assert Operator.load(tmp_path / "bundle").scope is None


def test_samples_are_no_kind_of_their_own_to_who_has_learned_noise():
    ramps = Scope(kinds=("Ramp",), lowest_na=-0.1, highest_na=0.3, duration_ms=515, step_ms=None, dt_ms=0.1)
    noise = ramps.model_copy(update={"kinds": ("OrnsteinUhlenbeck", "Ramp")})
    recorded = Sampled(np.full(5000, 0.1), 0.1)
    current_na = recorded.sample(TimeGrid(0.1, 5000))[None]
    assert [item.aspect for item in ramps.departures([recorded], current_na, 0.1)] == ["kind"]
    assert noise.departures([recorded], current_na, 0.1) == ()


def test_a_core_that_goes_on_from_a_state_takes_currents_of_any_duration():
    from lone_neuron import lone_neuron

    longer = TimeGrid(0.1, 30_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lone_neuron().respond(None, [Step(15, 2900, 0.2)], longer)
