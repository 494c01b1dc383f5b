"""What is in a recording, and which sweeps to doubt."""

import re
from pathlib import Path

import numpy as np
import pytest

from noble.recordings import read_recording, survey
from noble.recordings.raw import RawSweep
from noble.recordings.recording import Recording
from noble.traces import TimeGrid, Trace

GRID = TimeGrid.spanning(1000.0, dt_ms=0.1)
TIMES = GRID.times_ms
STEP = np.where((TIMES >= 300) & (TIMES < 600), 0.1, 0.0)


def spiking(*peaks_ms: float) -> np.ndarray:
    return 90.0 * sum((np.exp(-(((TIMES - peak) / 0.5) ** 2)) for peak in peaks_ms), np.zeros(TIMES.size))


def surveyed(voltage_mv: np.ndarray, current_na: np.ndarray = STEP, bias_na: float = 0.0, limit_mv: float = np.inf):
    voltage_mv = np.minimum(voltage_mv + np.random.default_rng(0).normal(0.0, 0.05, voltage_mv.size), limit_mv)
    raw = RawSweep("one", 0, "some", Trace(GRID, voltage_mv, current_na), bias_na=bias_na)
    found = survey(Recording("cell", "0" * 64, (), {}, raw=(raw,)))
    return found.sweeps[0]


def test_a_sound_sweep_is_good():
    found = surveyed(spiking(350.0, 500.0) - 70.0, bias_na=-0.02)
    assert (found.verdict, found.reason, found.kind, found.spikes) == ("good", "", "steps", 2)
    numbers = (found.amplitude_na, found.onset_ms, found.offset_ms, found.holding_na, found.rest_mv)
    assert numbers == pytest.approx((0.1, 300.0, 600.0, -0.02, -70.0), abs=0.01)
    assert (found.current, found.rate_khz, found.duration_ms) == ("recorded", 10.0, pytest.approx(1000.0, abs=0.2))


@pytest.mark.parametrize(
    ("voltage_mv", "reason"),
    [
        (spiking(350.0) - 12.0, "rests at -12 mV, where -100 to -40 mV is expected"),
        (spiking(350.0) - 130.0, "rests at -130 mV"),
        (spiking(100.0, 350.0) - 70.0, "fires 1 spike before its stimulus"),
        (spiking(350.0) - 70.0 + 20.0 * (TIMES > 700), "ends [+]20 mV from where it began"),
        (spiking(350.0) - 70.0 + 8.0 * np.sin(TIMES / 20.0), "scatters by"),
    ],
)
def test_doubts_are_told_with_their_numbers(voltage_mv: np.ndarray, reason: str):
    assert surveyed(voltage_mv).verdict == "questionable"
    assert re.search(reason, surveyed(voltage_mv).reason)


def test_an_amplifier_at_its_limit_is_seen():
    found = surveyed(3 * spiking(350.0, 400.0) - 70.0, limit_mv=10.0)
    assert (found.verdict, found.reason) == ("questionable", "its voltage is cut off at 10 mV")


def test_without_a_stimulus_all_of_it_is_rest():
    found = surveyed(np.full(TIMES.size, -65.0), np.zeros(TIMES.size))
    assert (found.kind, found.rest_mv, found.verdict) == ("none", pytest.approx(-65.0, abs=0.01), "good")
    assert np.isnan(found.onset_ms)
    assert found.to_dict()["onset_ms"] is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "l5pc-C060110A2",
            {
                "APThreshold": ("ramps", 1, 3),
                "IV": ("steps", 10, 3),
                "APWaveform": ("steps", 8, 3),
                "sAHP": ("steps", 6, 1),
                "IDrest": ("steps", 16, 2),
                "IDhyperpol": ("steps", 3, 1),
                "IDthresh": ("steps", 9, 2),
                "SpikeRec": ("pulses", 1, 6),
            },
        ),
        ("gifk-drn-noise/DRN162_5HT/current_steps.abf", {"current steps": ("steps", 16, 1)}),
        ("gifk-drn-noise/DRN162_5HT/DRN162_5ht_test.abf", {"pozz": ("noise", 1, 10)}),
        ("gifk-drn-noise/DRN158_GABA/DRN158_gaba_test.abf", {"pozz": ("noise", 1, 10)}),
        ("gifk-drn-noise/DRN162_5HT/DRN162_5ht_training.abf", {"pozz": ("noise", 1, 1)}),
        ("pyabf/18711001.abf", {"FICurve_Hyperpolarizing_KL": ("steps", 30, 1)}),
        ("bluepyefe-tests/B8", {"IDRest": ("steps", 5, 1)}),
        ("ibw-oddities", {"IDrest": ("steps", 6, 1)}),
    ],
)
def test_real_recordings_hold_what_their_readme_says(shared_data: Path, name: str, expected: dict):
    path = shared_data / "recordings" / name
    if not path.exists():
        pytest.skip("the real recordings are not here")
    found = {
        stimulus.stimulus: (stimulus.kind, len(stimulus.levels), stimulus.levels[0].repetitions)
        for stimulus in survey(read_recording(path)).stimuli
    }
    assert found == expected


def test_noise_is_as_it_was_recorded_and_steps_are_cleaned(shared_data: Path):
    folder = shared_data / "recordings"
    if not folder.exists():
        pytest.skip("the real recordings are not here")
    noise = survey(read_recording(folder / "gifk-drn-noise/DRN162_5HT/DRN162_5ht_test.abf"))
    assert {sweep.current for sweep in noise.sweeps} == {"recorded"}
    steps = survey(read_recording(folder / "l5pc-C060110A2"))
    assert {sweep.current for sweep in steps.sweeps if sweep.stimulus == "IDrest" and sweep.spikes} == {"cleaned"}
    assert {sweep.current for sweep in steps.sweeps if sweep.stimulus == "IV"} == {"recorded"}
    command = survey(read_recording(folder / "pyabf/18711001.abf"))
    assert {sweep.current for sweep in command.sweeps} == {"command"}
