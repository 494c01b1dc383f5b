"""Axon binary files: channels told by their units, a folder of files as one cell."""

import numpy as np
import pytest

from axon_files import write_abf1
from noble.recordings import read_recording, read_sweeps
from nwb_files import answer_mv, step_na

pytest.importorskip("neo")

AMPLITUDES = (-0.05, 0.05, 0.1)


def sweeps_of(amplitudes):
    return [(answer_mv(amplitude), step_na(amplitude)) for amplitude in amplitudes]


def rounded(recording) -> list[float]:
    return [round(sweep.amplitude_na, 3) for sweep in recording.sweeps]


@pytest.mark.parametrize(
    ("units", "scales"), [(("mV", "pA"), (0.01, 0.01)), (("V", "nA"), (1e-5, 1e-5)), (("mV", "nA"), (0.01, 1e-5))]
)
@pytest.mark.parametrize("names", [("Vm", "Im"), ("Im", "Vm"), ("IN 0", "IN 1")])
def test_channels_are_told_by_their_units(tmp_path, units, scales, names):
    path = write_abf1(tmp_path / "cell.abf", sweeps_of(AMPLITUDES), dt_ms=0.1, units=units, scales=scales, names=names)
    recording = read_recording(path, junction_potential_mv=10.0)
    assert recording.unusable == {}
    assert rounded(recording) == list(AMPLITUDES)
    assert {sweep.protocol for sweep in recording.sweeps} == {"steps"}
    for sweep, amplitude in zip(recording.sweeps, AMPLITUDES, strict=True):
        np.testing.assert_allclose(sweep.trace.voltage_mv, answer_mv(amplitude) - 10.0, atol=0.006)
    assert {sweep.current for sweep in read_sweeps(path).sweeps} == {"recorded"}


def test_a_folder_of_files_is_one_cell(tmp_path):
    write_abf1(tmp_path / "a_000.abf", sweeps_of(AMPLITUDES), dt_ms=0.1)
    write_abf1(tmp_path / "a_001.abf", sweeps_of([0.2, 0.3]), dt_ms=0.1, protocol="more")
    (tmp_path / "a_002.abf").write_bytes(b"ABF2")
    (tmp_path / "table.csv").write_text("left out\n")
    recording = read_recording(tmp_path)
    assert rounded(recording) == [*AMPLITUDES, 0.2, 0.3]
    assert [sweep.name for sweep in recording.sweeps][-1] == "a_001.abf: sweep 1"
    assert list(recording.unusable) == ["a_002.abf"]
    assert "cannot be read as ABF" in recording.unusable["a_002.abf"]


def test_a_tail_of_zeros_is_cut_off_here_too(tmp_path):
    sweeps = sweeps_of(AMPLITUDES)
    sweeps[0][0][2000:] = 0.0
    sweeps[1][0][1000:] = 0.0
    recording = read_recording(write_abf1(tmp_path / "cell.abf", sweeps, dt_ms=0.1))
    assert [sweep.trace.grid.count for sweep in recording.sweeps] == [2000, 2200]
    assert recording.unusable == {
        "sweep 1": "its recording ends after 100 ms, before the response to its step is over."
    }


@pytest.mark.parametrize(
    ("units", "sentence"),
    [
        (("pA", "nA"), "has channels in pA, nA only, so it is voltage clamp"),
        (("mV", "V"), "has several channels of voltage"),
    ],
)
def test_files_without_a_voltage_and_a_current_are_refused(tmp_path, units, sentence):
    path = write_abf1(tmp_path / "cell.abf", sweeps_of([0.1]), dt_ms=0.1, units=units, scales=(1.0, 1.0))
    with pytest.raises(ValueError, match=sentence):
        read_sweeps(path)
