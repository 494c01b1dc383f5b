"""Recorded currents that spikes bend, and steps among test pulses and prepulses."""

import numpy as np
import pytest

from noble.recordings import fit_step
from noble.recordings.command import clean_command
from noble.recordings.detection import spike_peaks
from noble.recordings.epochs import epochs, varying_epoch
from noble.recordings.formats.abf import _levels
from noble.recordings.raw import RawSweep
from noble.recordings.read import steps_of
from noble.recordings.recording import Sweep
from noble.traces import TimeGrid, Trace

DT_MS = 0.1
TIMES = np.arange(10_000) * DT_MS
ONSET, OFFSET = 300.0, 800.0


def spiking(*peaks_ms: float, rest_mv: float = -70.0) -> np.ndarray:
    """Spikes of 90 mV, a millisecond wide."""
    return rest_mv + 90 * sum((np.exp(-(((TIMES - peak) / 0.5) ** 2)) for peak in peaks_ms), np.zeros(TIMES.size))


def rectangle(start_ms: float, stop_ms: float, height_na: float) -> np.ndarray:
    return np.where((start_ms <= TIMES) & (stop_ms > TIMES), height_na, 0.0)


def cleaned(current_na: np.ndarray, voltage_mv: np.ndarray) -> np.ndarray:
    return clean_command(current_na, spike_peaks(voltage_mv, dt_ms=DT_MS), dt_ms=DT_MS)


def bent(clean_na: np.ndarray, *peaks_ms: float) -> np.ndarray:
    """What an amplifier records: at each spike the current jumps by 1 nA up and then down."""
    for peak in peaks_ms:
        clean_na = clean_na + np.exp(-(((TIMES - peak) / 0.3) ** 2)) - 0.8 * np.exp(-(((TIMES - peak - 1) / 0.5) ** 2))
    return clean_na


@pytest.mark.parametrize("rest_mv", [-70.0, -12.0])
@pytest.mark.parametrize("peaks_ms", [(400.0, 500.0, 600.0), (301.5, 420.0), (500.0, 798.5), (799.5,)])
def test_spikes_leave_no_trace_in_the_command(rest_mv, peaks_ms):
    noise = np.random.default_rng(0).normal(0, 0.003, TIMES.size)
    clean = rectangle(ONSET, OFFSET, 0.4) - 0.08 + noise
    found = cleaned(bent(clean, *peaks_ms), spiking(*peaks_ms, rest_mv=rest_mv))
    away = (np.abs(TIMES - ONSET) > 2) & (np.abs(TIMES - OFFSET) > 2)
    assert np.abs(found - clean)[away].max() < 0.02
    step = fit_step(found, dt_ms=DT_MS)
    assert step.amplitude_na == pytest.approx(0.4, abs=1e-3)
    assert (step.onset * DT_MS, step.offset * DT_MS) == pytest.approx((ONSET, OFFSET), abs=1.0)


def test_noise_and_ramps_stay_as_they_are():
    noise = np.cumsum(np.random.default_rng(1).normal(0, 0.002, TIMES.size))
    np.testing.assert_array_equal(cleaned(noise, spiking()), noise)
    ramp = np.linspace(0, 0.3, TIMES.size)
    assert np.abs(cleaned(ramp, spiking(500.0)) - ramp).max() < 2e-3  # the ramp rises by 1.5 pA in 5 ms


@pytest.mark.parametrize("prepulse_na", [-0.1, 0.5])
def test_what_varies_is_the_step_and_not_the_prepulse(prepulse_na):
    prepulse = rectangle(50.0, 250.0, prepulse_na)
    currents = [prepulse + rectangle(ONSET, OFFSET, 0.02 * level) for level in range(-3, 4)]
    found = varying_epoch(currents, dt_ms=DT_MS)
    assert found is not None
    assert np.array(found[:2]) * DT_MS == pytest.approx([ONSET, OFFSET], abs=1.0)


def test_of_two_that_vary_the_first_counts():
    currents = [
        rectangle(100, 300, 0.1 * k) + rectangle(400, 600, -0.1) + rectangle(600, 900, 0.1 * k) for k in range(4)
    ]
    found = varying_epoch(currents, dt_ms=DT_MS)
    assert found is not None
    assert np.array(found[:2]) * DT_MS == pytest.approx([100.0, 300.0], abs=1.0)


def test_all_epochs_of_a_protocol_whatever_spikes_left_of_them():
    """A test pulse, a prepulse, and a step on it; one sweep in six has a residue of a spike's current."""
    shared = rectangle(20.0, 60.0, -0.02) + rectangle(100.0, 700.0, 0.1)
    currents = [shared + rectangle(300.0, 500.0, 0.05 * k) + rectangle(400.0 + k, 402.0 + k, 0.3) for k in range(6)]
    found = epochs(currents, dt_ms=DT_MS)
    edges = [(20.0, 60.0), (100.0, 300.0), (300.0, 500.0), (500.0, 700.0)]
    assert len(found) == len(edges)
    for epoch, expected in zip(found, edges, strict=True):
        assert np.array(epoch[:2]) * DT_MS == pytest.approx(expected, abs=1.0)


def test_ramps_and_noise_are_no_epochs():
    ramp = np.clip(TIMES - 200.0, 0.0, 500.0) * 1e-3 * (TIMES < 800)
    assert [round(epoch.first * DT_MS) for epoch in epochs([ramp, 2 * ramp], dt_ms=DT_MS)] == []
    generator = np.random.default_rng(3)
    noise = [np.repeat(generator.normal(0, 0.1, 100), 100) for _ in range(3)]
    assert epochs(noise, dt_ms=DT_MS) == []
    assert epochs([np.zeros(5)], dt_ms=DT_MS) == []


@pytest.mark.parametrize(
    ("epoch", "expected_na"), [(1, [-0.1] * 4), (2, [0.0, 0.05, 0.1, 0.15]), (None, [0.0, 0.05, 0.1, 0.15])]
)
def test_the_user_chooses_the_epoch(epoch, expected_na):
    sweeps = [raw(k, rectangle(100, 200, -0.1) + rectangle(ONSET, OFFSET, 0.05 * k) - 0.02) for k in range(4)]
    found, unusable = steps_of(sweeps, epoch=epoch)
    assert unusable == {}
    assert [sweep.amplitude_na for sweep in found] == pytest.approx(expected_na, abs=1e-4)


def test_an_epoch_that_is_not_there_is_said():
    found, unusable = steps_of([raw(k, rectangle(ONSET, OFFSET, 0.05 * (k + 1))) for k in range(2)], epoch=3)
    assert found == ()
    assert set(unusable.values()) == {"its stimulus has 1 epochs; epoch 3 was asked for."}


def test_where_nothing_varies_there_is_none():
    generator = np.random.default_rng(2)
    currents = [rectangle(ONSET, OFFSET, 0.1) + generator.normal(0, 0.005, TIMES.size) for _ in range(5)]
    assert varying_epoch(currents, dt_ms=DT_MS) is None


def raw(number: int, current_na: np.ndarray) -> RawSweep:
    return RawSweep(f"sweep {number}", number, "steps", Trace(TimeGrid(DT_MS, TIMES.size), spiking(), current_na))


def test_test_pulses_are_none_of_the_steps():
    """A test pulse as long as the steps, larger than the smallest of them, and a holding current."""
    levels = [-0.02, -0.01, 0.0, 0.01, 0.05]
    pulse = rectangle(20.0, 280.0, -0.01) - 0.05
    found, unusable = steps_of([raw(k, pulse + rectangle(ONSET, OFFSET, level)) for k, level in enumerate(levels)])
    assert unusable == {}
    assert [sweep.amplitude_na for sweep in found] == pytest.approx(levels, abs=1e-6)
    assert [sweep.holding_na for sweep in found] == pytest.approx([-0.05] * 5)
    assert all(isinstance(sweep, Sweep) and sweep.step_ms == pytest.approx(500.0) for sweep in found)


def test_ramps_are_no_steps():
    ramps = [rectangle(ONSET, OFFSET, 1.0) * np.linspace(0.09, 0.1, TIMES.size) * k for k in range(1, 5)]
    rising = [rectangle(ONSET, OFFSET, 1.0) * (TIMES - ONSET) / 500.0 * 0.1 * k for k in range(1, 5)]
    assert len(steps_of([raw(k, current) for k, current in enumerate(ramps)])[0]) == 4  # 5 % over the step: a level
    found, unusable = steps_of([raw(k, current) for k, current in enumerate(rising)])
    assert found == ()
    assert all("rectangular step" in reason for reason in unusable.values())


def output(**changes) -> dict:
    return {"fDACHoldingLevel": -10.0, "nInterEpisodeLevel": 0} | changes


def epoch(kind: int, level: float, length: int, **changes) -> dict:
    return {
        "nEpochType": kind,
        "fEpochInitLevel": level,
        "fEpochLevelInc": 0.0,
        "lEpochInitDuration": length,
        "lEpochDurationInc": 0,
        "lEpochPulsePeriod": 0,
        "lEpochPulseWidth": 0,
    } | changes


def test_a_command_is_its_epochs_from_a_64th_of_the_sweep_on(tmp_path):
    epochs = [
        epoch(1, -10.0, 10),
        epoch(1, 20.0, 20, fEpochLevelInc=5.0, lEpochDurationInc=2),
        epoch(2, 40.0, 4),
        epoch(3, 100.0, 10, lEpochPulsePeriod=5, lEpochPulseWidth=2),
    ]
    first, second = _levels(output(), epochs, 128, 2, tmp_path)
    expected = np.full(128, -10.0)
    expected[12:32] = 20.0
    expected[32:36] = [25.0, 30.0, 35.0, 40.0]
    expected[36:46] = [100.0, 100.0, 40.0, 40.0, 40.0] * 2
    np.testing.assert_allclose(first, expected)
    assert (second[12:34] == 25.0).all()
    assert second[34:38].tolist() == [28.75, 32.5, 36.25, 40.0]


def test_a_command_may_stay_where_it_ended(tmp_path):
    """A staircase of ramps: each sweep begins at the level of the one before."""
    ramp = epoch(2, 0.0, 60, fEpochLevelInc=10.0)
    sweeps = _levels(output(fDACHoldingLevel=0.0, nInterEpisodeLevel=1), [ramp], 64, 3, tmp_path)
    assert [(values[0], values[-1]) for values in sweeps] == [(0.0, 0.0), (0.0, 10.0), (10.0, 20.0)]
    with pytest.raises(ValueError, match="an epoch of type 4"):
        _levels(output(), [epoch(4, 1.0, 10)], 64, 1, tmp_path)
