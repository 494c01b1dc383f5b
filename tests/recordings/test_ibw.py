"""Igor binary waves: paired by name, told by unit."""

import os
import re

import numpy as np
import pytest

from igor_waves import write_wave
from noble.recordings import read_recording, read_sweeps
from nwb_files import answer_mv, step_na, times_ms

DT_S = 1e-4


def write_pair(folder, number, amplitude_na, *, voltage_channel=1, units=("V", "A")):
    voltage, current = answer_mv(amplitude_na), step_na(amplitude_na)
    scale = {"V": 1e-3, "mV": 1.0, "A": 1e-9, "pA": 1e3}
    for channel, values, unit in ((voltage_channel, voltage, units[0]), (1 - voltage_channel, current, units[1])):
        write_wave(folder / f"X_IDrest_ch{channel}_{number}.ibw", values * scale[unit], unit=unit, dt_s=DT_S)


@pytest.mark.parametrize("units", [("V", "A"), ("mV", "pA")])
@pytest.mark.parametrize("voltage_channel", [0, 1])
def test_a_folder_is_a_recording_whatever_the_channels_are(tmp_path, units, voltage_channel):
    for number, amplitude in ((9, 0.1), (10, -0.05), (11, 0.2)):
        write_pair(tmp_path, number, amplitude, voltage_channel=voltage_channel, units=units)
    (tmp_path / "notes.txt").write_text("no wave")
    recording = read_recording(tmp_path)
    assert [sweep.name for sweep in recording.sweeps] == ["X_IDrest_9", "X_IDrest_10", "X_IDrest_11"]
    assert [sweep.amplitude_na for sweep in recording.sweeps] == pytest.approx([0.1, -0.05, 0.2], abs=1e-5)
    assert {sweep.protocol for sweep in recording.sweeps} == {"IDrest"}
    np.testing.assert_allclose(recording.sweeps[0].trace.voltage_mv, answer_mv(0.1), atol=1e-4)
    assert recording.sweeps[0].trace.grid.dt_ms == pytest.approx(0.1)


def test_one_file_brings_its_partner(tmp_path):
    write_pair(tmp_path, 1, 0.1)
    write_pair(tmp_path, 2, 0.2)
    read = read_sweeps(tmp_path / "X_IDrest_ch0_2.ibw")
    assert [(sweep.name, sweep.number, sweep.current) for sweep in read.sweeps] == [("X_IDrest_2", 2, "recorded")]


def test_the_clock_of_the_file_is_kept(tmp_path):
    for channel, values, unit in ((0, answer_mv(0.1) * 1e-3, "V"), (1, step_na(0.1) * 1e-9, "A")):
        write_wave(tmp_path / f"late_ch{channel}_1.ibw", values, unit=unit, dt_s=DT_S, start_s=0.02)
    assert read_sweeps(tmp_path).sweeps[0].start_ms == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("alone", r"it consists of X_IDrest_ch0_5.ibw in A; expected one wave in V and one in A\."),
        ("cut", r"X_IDrest_ch0_5.ibw cannot be read as an Igor binary wave \(.*\); expected a complete file\."),
        ("text", r"cannot be read as an Igor binary wave"),
        ("unit", r"X_IDrest_ch0_5.ibw in an unknown unit"),
    ],
)
def test_what_cannot_be_used_is_listed_with_a_reason(tmp_path, harm, reason):
    write_pair(tmp_path, 4, 0.1)
    write_pair(tmp_path, 5, 0.2)
    file = tmp_path / "X_IDrest_ch0_5.ibw"
    if harm == "alone":
        (tmp_path / "X_IDrest_ch1_5.ibw").unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:300])
    elif harm == "text":
        file.write_text("not a wave at all, but long enough to be taken for one" * 20)
    else:
        write_wave(file, np.zeros(times_ms().size), unit="K", dt_s=DT_S)
    read = read_sweeps(tmp_path)
    assert [sweep.name for sweep in read.sweeps] == ["X_IDrest_4"]
    assert set(read.unread) == {"X_IDrest_5"}
    assert re.search(reason, read.unread["X_IDrest_5"])


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no file of a known format; expected NWB 1 or 2 \(\.nwb\), Axon"):
        read_sweeps(tmp_path)
    os.mkfifo(tmp_path / "pipe.ibw")
    for name in ("nothing", "pipe.ibw"):
        with pytest.raises(FileNotFoundError, match="there is no recording"):
            read_sweeps(tmp_path / name)
