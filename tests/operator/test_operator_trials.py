"""Trials that an operator draws: by name, reproducible, one apart from the other."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "feedback"))
from small_feedback import GRID, NEURONS, NOISE, operator_of

from noble.operator import Operator
from noble.operator.config import preset
from noble.operator.scope import OutsideScopeWarning, Scope
from noble.stimuli import Step

CURRENTS = [NOISE, Step(10.0, 140.0, 0.3)]


def test_trials_are_a_dimension_and_the_same_whatever_else_is_asked():
    operator = operator_of()
    found = operator.predict(NEURONS, CURRENTS, trials=5, seed=2)
    assert found["voltage"].dims == ("neuron", "stimulus", "trial", "time")
    assert found["voltage"].shape == (2, 2, 5, GRID.count)
    assert found["current"].dims == ("stimulus", "time")
    assert found["trial"].values.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found["current"].values[0], NOISE.sample(GRID), rtol=1e-6)
    fewer = operator.predict(NEURONS, NOISE, trials=2, seed=2)
    np.testing.assert_allclose(fewer["voltage"].values[:, 0], found["voltage"].values[:, 0, :2], atol=1e-3)
    again = operator.predict(NEURONS, CURRENTS, trials=5, seed=2)
    np.testing.assert_array_equal(again["voltage"].values, found["voltage"].values)
    other = operator.predict(NEURONS, CURRENTS, trials=5, seed=3)
    several = np.concatenate([item["voltage"].values.reshape(20, -1) for item in (found, other)])
    apart = np.abs(several[:, None] - several[None]).max(axis=2)
    assert apart[~np.eye(40, dtype=bool)].min() > 1.0  # no two of all these are alike


def test_trains_of_trials_are_those_of_the_voltage():
    operator = operator_of()
    trains = operator.spike_trials(NEURONS, [NOISE] * 2, GRID, trials=4, seed=2)
    assert [len(of_pair) for of_pair in trains] == [4, 4]
    batched = operator.spike_trials(NEURONS, [NOISE] * 2, GRID, trials=4, seed=2, batch_size=3)
    stream = operator.stream(NEURONS, seed=2)
    piece = stream.advance(NOISE.sample(GRID))
    for neuron in range(2):
        for one, other in zip(trains[neuron], batched[neuron], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
        first = trains[neuron][0]
        streamed = piece.spikes_ms[neuron]
        np.testing.assert_allclose(streamed, first[first < piece.spikes_until_ms], atol=1e-4)
        voltage = operator.predict(NEURONS, NOISE, trials=1, seed=2)["voltage"].values[neuron, 0, 0]
        settled = piece.voltage_mv[neuron]
        np.testing.assert_allclose(settled, voltage[: settled.size], atol=2e-3)
    assert operator.spike_trials([], [], GRID, trials=3) == []


def test_a_stream_that_draws_is_saved_and_goes_on(tmp_path):
    operator, current = operator_of(), NOISE.sample(GRID).astype(np.float32)
    stream, plain = operator.stream(NEURONS, seed=5), operator.stream(NEURONS)
    whole = operator.stream(NEURONS, seed=5).advance(current)
    pieces = [stream.advance(current[:1000])]
    stream.save(tmp_path / "state.safetensors")
    pieces.append(operator.resume(tmp_path / "state.safetensors").advance(current[1000:]))
    assert len(pieces[0].spikes_ms[0]) > 1
    for neuron in range(2):
        told = np.concatenate([piece.spikes_ms[neuron] for piece in pieces])
        np.testing.assert_allclose(told, whole.spikes_ms[neuron], atol=1e-4)
    last = stream.advance(current[1000:])
    np.testing.assert_array_equal(last.voltage_mv, pieces[1].voltage_mv)
    assert not np.allclose(plain.advance(current).voltage_mv, whole.voltage_mv)


def test_many_short_and_few_long_trials_go_through_in_one_batch():
    operator = operator_of()
    one = {name: np.atleast_1d(value)[:1] for name, value in NEURONS.items()}
    for duration_ms, trials in ((500.0, 100), (10_000.0, 10)):
        grid = type(GRID).spanning(duration_ms, dt_ms=0.5)
        [trains] = operator.spike_trials(one, [Step(10.0, duration_ms - 10.0, 0.3)], grid, trials=trials)
        assert len(trains) == trials
        assert min(len(train) for train in trains) > 0.01 * duration_ms


def test_a_current_that_was_not_learned_counts_once():
    operator = operator_of()
    operator.scope = Scope(kinds=("Step",), lowest_na=-0.1, highest_na=1.3, duration_ms=515, step_ms=None, dt_ms=0.06)
    one = {name: np.atleast_1d(value)[:1] for name, value in NEURONS.items()}
    for ask in (
        lambda: operator.predict(one, CURRENTS, trials=3),
        lambda: operator.spike_trials(NEURONS, CURRENTS, GRID, trials=3, batch_size=2),
    ):
        with pytest.warns(OutsideScopeWarning, match=r"kind OrnsteinUhlenbeck \(learned: Step\) in 1 of 2\."):
            ask()


def test_an_operator_that_knows_no_chance_refuses_trials():
    operator = operator_of()
    for name in ("spike-phase", "fno-small"):
        other = Operator.build(preset(name), operator.spec, GRID, seed=0)
        for ask in (
            lambda other=other: other.predict(NEURONS, NOISE, trials=2),
            lambda other=other: other.spike_trials(NEURONS, [NOISE] * 2, GRID, trials=2),
            lambda other=other: other.stream(NEURONS, seed=0),
        ):
            with pytest.raises(ValueError, match="so it draws no trials; ask it without trials and seed"):
                ask()
    with pytest.raises(ValueError, match="trials is 0; expected a whole number from 1"):
        operator.predict(NEURONS, NOISE, trials=0)
