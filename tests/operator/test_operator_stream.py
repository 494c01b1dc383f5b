"""Streams: pieces of current in, pieces of the answer out, saved and handed on."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "feedback"))
from small_feedback import GRID, NEURONS, NOISE, operator_of

from noble.operator import Operator
from noble.operator.scope import OutsideScopeWarning, Scope

CURRENT = NOISE.sample(GRID).astype(np.float32)


def test_the_pieces_are_what_predict_gives(tmp_path):
    operator = operator_of()
    stream = operator.stream(NEURONS)
    pieces = [stream.advance(CURRENT[start : start + 331]) for start in range(0, 1324, 331)]
    stream.save(tmp_path / "state.safetensors")
    other = stream.copy()
    resumed = operator.resume(tmp_path / "state.safetensors")
    last = [item.advance(CURRENT[1324:]) for item in (stream, other, resumed)]
    for piece in last[1:]:
        np.testing.assert_array_equal(piece.voltage_mv, last[0].voltage_mv)
        assert [row.tolist() for row in piece.spikes_ms] == [row.tolist() for row in last[0].spikes_ms]
    pieces.append(last[0])
    voltage = np.concatenate([piece.voltage_mv for piece in pieces], axis=1)
    whole = operator.predict(NEURONS, NOISE).voltage.values[:, 0]
    np.testing.assert_allclose(voltage, whole[:, : voltage.shape[1]], atol=1e-3)
    assert voltage.shape[1] * GRID.dt_ms > GRID.duration_ms - 1.1
    times = np.concatenate([piece.times_ms for piece in pieces])
    np.testing.assert_allclose(times, GRID.times_ms[: times.size])
    spikes = np.concatenate([piece.spikes_ms[0] for piece in pieces])
    expected = operator.spike_times({name: np.atleast_1d(value)[:1] for name, value in NEURONS.items()}, [NOISE], GRID)[
        0
    ]
    np.testing.assert_allclose(spikes[: expected.size], expected, atol=1e-4)


def test_the_voltage_now_is_that_of_a_current_which_stays(tmp_path):
    operator = operator_of()
    stream = operator.stream(NEURONS)
    with pytest.raises(ValueError, match="no current has come yet"):
        stream.voltage_now_mv()
    stream.advance(CURRENT[:500])
    now = stream.voltage_now_mv()
    piece = stream.copy().advance(np.full(40, CURRENT[499]))
    np.testing.assert_allclose(now, piece.voltage_mv[:, 499 - round(piece.start_ms / GRID.dt_ms)], atol=1e-4)
    assert now.shape == (2,)
    np.testing.assert_array_equal(stream.voltage_now_mv(), now)  # asking changes nothing


def test_a_voltage_clamp_that_is_slow_holds_the_neuron():
    """A closed loop: what is injected depends on the voltage of the last step."""
    operator = operator_of()
    stream = operator.stream({name: np.atleast_1d(value)[:1] for name, value in NEURONS.items()}, dt_ms=0.36)
    current = 0.0
    for _ in range(60):
        stream.advance(np.array([[current]]))
        current = float(np.clip(0.002 * (-70.0 - stream.voltage_now_mv()[0]), -1, 1))
    assert np.isfinite(current)


@pytest.mark.parametrize(
    ("current", "message"),
    [
        (np.zeros((3, 4)), "stream of 2 neurons"),
        (np.array([0.1, np.nan]), "neuron 0 is nan at sample 1"),
        (np.full(10, 150.0), "nA"),
        ("loud", "expected numbers in nA"),
    ],
)
def test_what_is_no_current_is_refused_and_changes_nothing(current, message):
    operator = operator_of()
    stream, other = operator.stream(NEURONS), operator.stream(NEURONS)
    for item in (stream, other):
        item.advance(CURRENT[:100])
    with pytest.raises(ValueError, match=message):
        stream.advance(current)
    np.testing.assert_array_equal(
        stream.advance(CURRENT[100:300]).voltage_mv, other.advance(CURRENT[100:300]).voltage_mv
    )


def test_a_state_of_another_operator_or_no_state_is_refused(tmp_path):
    operator, path = operator_of(), tmp_path / "state.safetensors"
    stream = operator.stream(NEURONS)
    stream.save(path)
    other = Operator.build(operator.config, operator.spec, operator.grid, seed=4)
    with pytest.raises(ValueError, match="is the state of another operator"):
        other.resume(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="holds no stream"):
        operator.resume(path)
    with pytest.raises(ValueError, match="holds no stream"):
        operator.resume(tmp_path / "absent")


def test_a_current_outside_the_learned_range_is_named():
    operator = operator_of()
    operator.scope = Scope(kinds=("Step",), lowest_na=-0.1, highest_na=0.3, duration_ms=515, step_ms=None, dt_ms=0.06)
    with pytest.warns(OutsideScopeWarning, match=r"0\.5 nA \(learned: -0\.1 to 0\.3 nA, 50% of that range beyond\)"):
        operator.stream(NEURONS).advance(np.full(20, 0.5))


def test_an_operator_that_needs_the_whole_window_takes_part_in_no_closed_loop():
    from noble.operator.config import preset

    operator = operator_of()
    fno = Operator.build(preset("fno-small"), operator.spec, GRID, seed=0)
    stream = fno.stream(NEURONS)
    stream.advance(CURRENT)
    with pytest.raises(ValueError, match="must see the whole window"):
        stream.voltage_now_mv()
