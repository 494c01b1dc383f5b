"""What a recording gives to learn from: on one sampling interval, above the holding current, in parts that do not overlap."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import recorded_neuron as neuron
from noble.traces import TimeGrid, Trace
from noble.twin.material import Material, material_of


@pytest.fixture(scope="module")
def material() -> Material:
    return material_of(neuron.of_noise())


def test_spikes_and_time_are_those_of_the_recording(material):
    (raw,) = neuron.of_noise().raw
    assert material.duration_ms == pytest.approx(8000)
    assert material.spikes == raw.peaks.size > 30
    np.testing.assert_allclose(material.sweeps[0].spikes_ms, raw.peaks * 0.1)
    np.testing.assert_allclose(material.sweeps[0].current_na, raw.trace.current_na, atol=1e-6)


@pytest.mark.parametrize(("share", "pieces"), [(0.15, 3), (0.5, 1), (0.3, 8)])
def test_the_parts_fill_the_time_and_do_not_overlap(material, share, pieces):
    learned, held = material.split(share, pieces)
    assert len(held) == pieces
    assert sum(item.duration_ms for item in held) == pytest.approx(share * 8000)
    edges = sorted((item.start_ms, item.stop_ms) for item in (*learned, *held))
    assert edges[0][0] == 0
    assert edges[-1][1] == pytest.approx(8000)
    for (_, stop), (start, _) in pairwise(edges):
        assert start == pytest.approx(stop)


def test_parts_end_where_sweeps_end():
    material = material_of(neuron.of_steps((0.1, 0.2, 0.3, 0.4, 0.5)))
    learned, held = material.split(0.2, 2)
    for item in (*learned, *held):
        assert 0 <= item.start_ms < item.stop_ms <= 600 + 1e-9
    assert sum(item.duration_ms for item in (*learned, *held)) == pytest.approx(3000)


def test_a_holding_current_is_taken_off():
    held = material_of(neuron.of_steps((0.1, 0.2, 0.3, 0.4, 0.5), holding_na=-0.08))
    free = material_of(neuron.of_steps((0.1, 0.2, 0.3, 0.4, 0.5)))
    assert held.holding_na == pytest.approx(-0.08, abs=1e-3)
    assert free.holding_na == 0
    for one, other in zip(held.sweeps, free.sweeps, strict=True):
        np.testing.assert_allclose(one.current_na, other.current_na, atol=1e-3)


def test_sweeps_of_several_sampling_intervals_come_to_one():
    recorded = neuron.of_noise()
    (raw,) = recorded.raw
    trace = raw.trace
    finer = Trace(TimeGrid(0.05, 2 * trace.grid.count), np.repeat(trace.voltage_mv, 2), np.repeat(trace.current_na, 2))
    both = replace(recorded, raw=(raw, replace(raw, name="finer", trace=finer)))
    material = material_of(both)
    assert material.dt_ms == 0.1
    one, other = material.sweeps
    np.testing.assert_allclose(other.current_na, one.current_na, atol=1e-6)  # its charge is kept
    assert np.abs(other.voltage_mv - one.voltage_mv).mean() < 0.2
    np.testing.assert_allclose(other.spikes_ms, one.spikes_ms, atol=0.1)


def test_it_may_end_early_and_be_some_sweeps_only():
    recorded = neuron.of_repeats(4)
    material = material_of(recorded, sweeps=(0, 2), stop_ms=2000)
    assert [sweep.name for sweep in material.sweeps] == ["sweep 0", "sweep 2"]
    assert material.duration_ms == pytest.approx(4000)
    assert all((sweep.spikes_ms < 2000).all() for sweep in material.sweeps)


def test_what_is_too_little_is_refused_with_what_is_enough():
    with pytest.raises(ValueError, match=r"holds 1 s with \d+ spikes .* a minute of fluctuating current"):
        material_of(neuron.of_noise(1000))
    with pytest.raises(ValueError, match=r"with 0 spikes"):
        material_of(neuron.of_steps((-0.1, -0.05, -0.08, -0.07)))
    with pytest.raises(ValueError, match=r"has no sweep 7; expected one of 0 to 3"):
        material_of(neuron.of_repeats(4), sweeps=(1, 7))
