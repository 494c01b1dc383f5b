import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noble.recordings import read_recording
from noble.spikes import spike_times_ms
from nwb_files import (
    OFFSET_MS,
    ONSET_MS,
    RATE_HZ,
    Written,
    answer_mv,
    good,
    step_na,
    times_ms,
    write_nwb,
)

pytest.importorskip("pynwb")


def test_a_sweep_in_mv_na_and_ms(tmp_path):
    sweep = Written(answer_mv(0.1, [20.0]), step_na(0.1, holding_na=-0.03), bias_na=0.01, voltage_offset_v=-0.005)
    recording = read_recording(write_nwb(tmp_path / "cell.nwb", [sweep]), junction_potential_mv=14.0)
    assert recording.source == "cell.nwb"
    assert recording.unusable == {}
    assert recording.junction_potential_mv == 14.0
    [read] = recording.sweeps
    assert (read.name, read.protocol) == ("response_000", "LongSquare")
    assert (read.onset_ms, read.offset_ms) == (pytest.approx(ONSET_MS), pytest.approx(OFFSET_MS))
    assert read.step_ms == pytest.approx(100.0)
    assert read.amplitude_na == pytest.approx(0.1, abs=1e-6)
    assert read.holding_na == pytest.approx(-0.02, abs=1e-6)  # the command's -30 pA and the bias of 10 pA
    assert read.trace.grid.dt_ms == pytest.approx(1e3 / RATE_HZ)
    np.testing.assert_allclose(read.trace.voltage_mv, sweep.voltage_mv - 14.0, atol=1e-9)
    np.testing.assert_allclose(read.trace.current_na, sweep.current_na, atol=1e-9)


def test_the_checksum_is_the_files(tmp_path):
    import hashlib

    path = write_nwb(tmp_path / "cell.nwb", [good(0.1)])
    assert read_recording(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("way", ["table", "sweep number", "name", "starting time"])
def test_a_response_finds_its_stimulus(tmp_path, way):
    amplitudes = (0.05, 0.1, -0.05)
    sweeps = [good(amplitude) for amplitude in amplitudes]
    letters = "abc"
    for index, sweep in enumerate(sweeps):
        if way != "name":
            sweep.response_name, sweep.stimulus_name = f"r{letters[index]}", f"s{letters[index]}"
        if way == "sweep number":
            sweep.sweep_number = 7 + index
        if way == "starting time":
            sweep.start_s = 1.5 * index
    path = write_nwb(tmp_path / "cell.nwb", sweeps, table=way == "table", reverse_stimuli=True)
    recording = read_recording(path)
    assert recording.unusable == {}
    assert [sweep.amplitude_na for sweep in recording.sweeps] == pytest.approx(amplitudes)
    for read, written in zip(recording.sweeps, sweeps, strict=True):
        np.testing.assert_allclose(read.trace.voltage_mv, written.voltage_mv, atol=1e-9)


def test_rows_of_the_table_may_be_windows_of_one_long_series(tmp_path):
    from datetime import UTC, datetime

    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    file = NWBFile("a test", "test", datetime(2020, 1, 1, tzinfo=UTC))
    electrode = file.create_icephys_electrode(name="soma", description="", device=file.create_device(name="amplifier"))
    count = times_ms().size
    voltage = np.concatenate([answer_mv(0.1), answer_mv(-0.05)]) * 1e-3
    current = np.concatenate([step_na(0.1), step_na(-0.05)]) * 1e-9
    response = CurrentClampSeries(name="all", data=voltage, rate=RATE_HZ, electrode=electrode)
    stimulus = CurrentClampStimulusSeries(name="command", data=current, rate=RATE_HZ, electrode=electrode)
    file.add_acquisition(response)
    file.add_stimulus(stimulus)
    for start in (0, count):
        file.add_intracellular_recording(
            electrode=electrode,
            response=response,
            stimulus=stimulus,
            response_start_index=start,
            response_index_count=count,
            stimulus_start_index=start,
            stimulus_index_count=count,
        )
    file.add_intracellular_recording(electrode=electrode, stimulus=stimulus)  # a stimulus without a response
    with NWBHDF5IO(path=str(tmp_path / "long.nwb"), mode="w") as io:
        io.write(file)
    recording = read_recording(tmp_path / "long.nwb")
    assert [sweep.name for sweep in recording.sweeps] == ["all[0]", f"all[{count}]"]
    assert [sweep.amplitude_na for sweep in recording.sweeps] == pytest.approx([0.1, -0.05])
    assert recording.sweeps[1].onset_ms == pytest.approx(ONSET_MS)


def bad(**changes: object) -> Written:
    return replace(good(0.1), **changes)  # type: ignore[arg-type]


UNUSABLE = {
    "no stimulus": (bad(current_na=None), "no single stimulus belongs to it"),
    "ramp": (bad(current_na=step_na(1.0) * (times_ms() - ONSET_MS) * 3e-3), "rectangular step"),
    "to the end": (bad(current_na=step_na(0.1, offset_ms=1e6)), "begins or ends with the sweep"),
    "rates": (bad(stimulus_rate_hz=20_000.0), "2200 samples at 0.1 ms and its stimulus 2200 at 0.05 ms"),
    "lengths": (bad(current_na=step_na(0.1)[:-10]), "2200 samples at 0.1 ms and its stimulus 2190 at 0.1 ms"),
    "voltage clamp": (bad(clamp="voltage"), "it is a VoltageClampSeries"),
    "not finite": (bad(voltage_mv=np.where(times_ms() == 100, np.nan, -70.0)), "its response is not finite at 100 ms"),
    "mV": (bad(voltage_mv=1e3 * answer_mv(0.1)), r"reaches \d+ mV; expected volts"),
    "pA": (bad(current_na=step_na(100.0)), "its stimulus reaches 100 nA; .* divide it by 1000"),
    "bias": (bad(bias_na=30.0), "its bias current reaches 30 nA"),
    "timestamps": (bad(timestamps_s=np.sort(np.random.default_rng(0).random(2200))), "timestamps are not uniform"),
}


@pytest.mark.parametrize("case", UNUSABLE)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_used_is_listed_with_a_reason(tmp_path, case):
    sweep, reason = UNUSABLE[case]
    recording = read_recording(write_nwb(tmp_path / "cell.nwb", [good(0.1), sweep, good(0.2)]))
    assert [kept.name for kept in recording.sweeps] == ["response_000", "response_002"]
    assert set(recording.unusable) == {"response_001"}
    assert re.search(reason, recording.unusable["response_001"])
    assert recording.unusable["response_001"].endswith(".")


def test_another_unit_in_the_file_is_seen_although_pynwb_hides_it(tmp_path):
    import h5py

    path = write_nwb(tmp_path / "cell.nwb", [good(0.1), good(0.2)])
    with h5py.File(path, "a") as file:
        file["acquisition/response_001/data"].attrs["unit"] = "mV"  # type: ignore[union-attr]
    assert "unit of its response is 'mV'; expected volts" in read_recording(path).unusable["response_001"]


def test_uniform_timestamps_are_as_good_as_a_rate(tmp_path):
    path = write_nwb(tmp_path / "cell.nwb", [good(0.1, timestamps_s=5 + times_ms() / 1e3)])
    [sweep] = read_recording(path).sweeps
    assert sweep.trace.grid.dt_ms == pytest.approx(0.1)


def test_two_stimuli_of_one_number_are_no_pair(tmp_path):
    twice = [good(0.1, sweep_number=3), good(0.2, sweep_number=3)]
    for index, sweep in enumerate(twice):
        sweep.response_name, sweep.stimulus_name = f"r{'ab'[index]}", f"s{'ab'[index]}"
    with pytest.raises(ValueError, match="no single stimulus belongs to it"):
        read_recording(write_nwb(tmp_path / "cell.nwb", twice))


def test_another_sweep_number_is_another_sweep_whatever_the_name(tmp_path):
    path = write_nwb(tmp_path / "cell.nwb", [good(0.1, sweep_number=5, stimulus_sweep_number=7), good(0.2)])
    assert set(read_recording(path).unusable) == {"response_000"}


def test_nothing_usable_is_an_error_with_all_reasons(tmp_path):
    zero = bad(current_na=step_na(0.0))
    sweeps = [zero, zero, UNUSABLE["voltage clamp"][0]]
    with pytest.raises(
        ValueError, match=r"cell\.nwb has no .* 2 sweep\(s\): no rectangular step.*; 1 sweep\(s\): .*VoltageClamp"
    ):
        read_recording(write_nwb(tmp_path / "cell.nwb", sweeps)).with_steps()
    with pytest.raises(ValueError, match="it holds no response"):
        read_recording(write_nwb(tmp_path / "empty.nwb", []))


def test_a_file_that_is_not_whole_or_not_nwb(tmp_path):
    import h5py

    whole = write_nwb(tmp_path / "whole.nwb", [good(0.1)]).read_bytes()
    (tmp_path / "half.nwb").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.nwb").write_text("time, voltage")
    with h5py.File(tmp_path / "other.nwb", "w") as other:
        other["x"] = 1
    for name in ("half.nwb", "text.nwb", "other.nwb"):
        with pytest.raises(
            ValueError, match=rf"{name} cannot be read as NWB \(.*\); expected a complete NWB 1 or 2 file\.$"
        ):
            read_recording(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="there is no recording"):
        read_recording(tmp_path / "none.nwb")


def test_a_junction_potential_in_volts_or_worse(tmp_path):
    path = write_nwb(tmp_path / "cell.nwb", [good(0.1)])
    for value in (float("nan"), 14_000.0):
        with pytest.raises(ValueError, match=r"the junction potential is \S+ mV; expected"):
            read_recording(path, junction_potential_mv=value)


def test_of_several_electrodes_one_must_be_named(tmp_path):
    sweeps = [good(0.1, electrode="left"), good(0.2, electrode="right"), good(0.3, electrode="right")]
    path = write_nwb(tmp_path / "cell.nwb", sweeps)
    with pytest.raises(ValueError, match="holds the electrodes left, right; name the one to read"):
        read_recording(path)
    with pytest.raises(ValueError, match="has no electrode 'up'; expected one of left, right"):
        read_recording(path, electrode="up")
    assert [sweep.amplitude_na for sweep in read_recording(path, electrode="right").sweeps] == pytest.approx([0.2, 0.3])


def test_reading_leaves_warnings_as_they_were(tmp_path):
    path = write_nwb(tmp_path / "cell.nwb", [good(0.1)])
    before = list(warnings.filters)
    read_recording(path)
    assert list(warnings.filters) == before


@pytest.mark.parametrize(
    ("file", "counts", "rest_mv"),
    [
        ("HL23PV.nwb", {0.15: 0, 0.18: 20, 0.22: 44, 0.28: 70, 0.35: 89}, -83.4),
        ("HL23VIP.nwb", {0.08: 0, 0.11: 12, 0.15: 21, 0.2: 31, 0.28: 48}, -81.3),
    ],
)
def test_the_simulated_recordings(shared_data: Path, file, counts, rest_mv):
    recording = read_recording(shared_data / file)
    assert recording.unusable == {}
    groups = recording.by_amplitude()
    assert list(groups) == sorted(groups)
    assert {len(sweeps) for sweeps in groups.values()} == {6}
    assert len(groups) == 11
    for sweep in recording.sweeps:
        assert (sweep.onset_ms, sweep.offset_ms) == (pytest.approx(200, abs=0.2), pytest.approx(1200, abs=0.2))
    for amplitude, count in counts.items():
        assert groups[amplitude][0].name.endswith(
            tuple(f"{k:03d}" for k in range(0, 66, 6))
        )  # the clean trial is first
        trace = groups[amplitude][0].trace
        assert spike_times_ms(trace.voltage_mv, dt_ms=trace.grid.dt_ms).size == count
        assert np.mean(trace.voltage_mv[:5000]) == pytest.approx(rest_mv, abs=0.3)


def test_a_sweep_without_the_step_that_the_others_have_is_one_of_amplitude_zero(tmp_path):
    recording = read_recording(write_nwb(tmp_path / "cell.nwb", [good(0.1), bad(current_na=step_na(0.0)), good(0.2)]))
    assert [sweep.amplitude_na for sweep in recording.sweeps] == pytest.approx([0.1, 0.0, 0.2])
    assert len({(sweep.onset_ms, sweep.offset_ms) for sweep in recording.sweeps}) == 1
    with pytest.raises(ValueError, match="no rectangular step was found"):
        read_recording(write_nwb(tmp_path / "silent.nwb", [bad(current_na=step_na(0.0))])).with_steps()
