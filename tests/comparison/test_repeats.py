"""Sweeps of one frozen current are found by their current alone."""

import numpy as np
import pytest

import recorded_neuron as neuron
from noble.comparison.repeats import repeats_of


def test_answers_to_one_current_belong_together():
    found = repeats_of(neuron.of_repeats(5))
    assert len(found.sweeps) == 5
    assert found.duration_ms == pytest.approx(3000)
    for train, sweep in zip(found.spikes_ms, found.sweeps, strict=True):
        np.testing.assert_allclose(train, sweep.peaks * 0.1)
    np.testing.assert_allclose(found.current_na, neuron.noise_na(100, 3000.0), atol=1e-9)


def test_measuring_a_current_makes_it_no_other():
    current = neuron.noise_na(3, 2000.0)
    generator = np.random.default_rng(0)
    sweeps = [neuron.sweep(k, current + generator.normal(0, 0.002, current.size), seed=k) for k in range(3)]
    assert len(repeats_of(neuron.recording(sweeps)).sweeps) == 3


def test_of_several_currents_that_under_which_most_spikes_are_fired():
    quiet = [neuron.sweep(k, 0.3 * neuron.noise_na(1, 2000.0), seed=k) for k in range(3)]
    busy = [neuron.sweep(3 + k, neuron.noise_na(2, 2000.0), seed=k) for k in range(2)]
    found = repeats_of(neuron.recording([*quiet, *busy]))
    assert [sweep.name for sweep in found.sweeps] == ["sweep 3", "sweep 4"]


def test_steps_of_neighbouring_levels_are_no_repeats():
    with pytest.raises(ValueError, match=r"none of the 4 sweeps of cell\.csv repeats the current of another"):
        repeats_of(neuron.of_steps((0.10, 0.11, 0.12, 0.13)))


def test_a_part_is_counted_from_its_start():
    recorded = neuron.of_repeats(4)
    whole, part = repeats_of(recorded), repeats_of(recorded, sweeps=(0, 2, 3), start_ms=1000, stop_ms=2500)
    assert len(part.sweeps) == 3
    assert part.duration_ms == 1500
    expected = whole.spikes_ms[2]
    expected = expected[(expected >= 1000) & (expected < 2500)] - 1000
    np.testing.assert_allclose(part.spikes_ms[1], expected)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sweeps": (0, 9)}, "has no sweep 9; expected one of 0 to 2"),
        ({"sweeps": (1,)}, "none of the 1 sweeps"),
        ({"start_ms": 3000.0}, "is no part of sweeps of 3000 ms"),
        ({"start_ms": 20.0, "stop_ms": 10.0}, "from 20 to 10 ms is no part"),
    ],
)
def test_what_is_no_part_of_it_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        repeats_of(neuron.of_repeats(3), **given)
