"""NWB 2 as programs write it: extensions, pauses, tails that were not recorded, units and names of all sorts."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from noble.recordings import read_recording, read_sweeps
from nwb_files import ONSET_MS, RATE_HZ, answer_mv, good, step_na, times_ms, write_nwb

pytest.importorskip("pynwb")

AMPLITUDES = (-0.05, 0.05, 0.1, 0.2)


def written(folder: Path, **options) -> Path:
    return write_nwb(folder / "cell.nwb", [good(amplitude, **options) for amplitude in AMPLITUDES])


def edited(path: Path):
    import h5py

    return h5py.File(path, "a")


def amplitudes(recording) -> list[float]:
    return [round(sweep.amplitude_na, 4) for sweep in recording.sweeps]


# Extensions


def embed(file, *, parent: str = "CurrentClampSeries") -> None:
    """An extension of a type that newer schemas dropped, and one of the type of a series, both embedded."""
    content = {
        "datasets": [{"neurodata_type_def": "OddIndex", "neurodata_type_inc": "Index", "doc": ""}],
        "groups": [
            {"neurodata_type_def": "OddClamp", "neurodata_type_inc": "OddBase", "doc": ""},
            {"neurodata_type_def": "OddBase", "neurodata_type_inc": parent, "doc": ""},
        ],
    }
    file["specifications/ndx-odd/0.1.0/odd.extensions"] = json.dumps(content)
    file["specifications/ndx-odd/0.1.0/namespace"] = json.dumps({"namespaces": []})


@pytest.mark.parametrize("instance", [None, "general/lab_meta", "acquisition/images", "processing/odd"])
def test_whatever_an_extension_holds_decides_nothing(tmp_path, instance):
    path = written(tmp_path)
    with edited(path) as file:
        embed(file)
        if instance is not None:
            file.create_group(instance).attrs.update({"namespace": "ndx-odd", "neurodata_type": "Unheard"})
    recording = read_recording(path)
    assert amplitudes(recording) == list(AMPLITUDES)
    expected = {"images": "it is a Unheard; expected a CurrentClampSeries with its stimulus."}
    assert recording.unusable == (expected if instance == "acquisition/images" else {})


@pytest.mark.parametrize(("parent", "counts"), [("CurrentClampSeries", True), ("VoltageClampSeries", False)])
def test_a_series_of_an_extension_counts_as_what_it_is_built_on(tmp_path, parent, counts):
    path = written(tmp_path)
    with edited(path) as file:
        embed(file, parent=parent)
        for group in file["acquisition"].values():
            group.attrs.update({"namespace": "ndx-odd", "neurodata_type": "OddClamp"})
    if counts:
        assert amplitudes(read_recording(path)) == list(AMPLITUDES)
    else:
        assert set(read_sweeps(path).unread.values()) == {
            "it is a VoltageClampSeries; expected a CurrentClampSeries with its stimulus."
        }


def test_specifications_that_are_no_json_or_build_on_themselves_are_no_matter(tmp_path):
    path = written(tmp_path)
    with edited(path) as file:
        embed(file, parent="OddClamp")
        file["specifications/ndx-odd/0.1.0/broken"] = "{"
        file["acquisition/response_000"].attrs["neurodata_type"] = "OddClamp"
    recording = read_recording(path)
    assert list(recording.unusable) == ["response_000"]


# One series an electrode


def one_series(
    path: Path, *, timestamps_s: np.ndarray, voltage_mv: np.ndarray | None = None, stimulus_timestamps_s=None
) -> Path:
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    file = NWBFile("a test", "test", datetime(2020, 1, 1, tzinfo=UTC))
    electrode = file.create_icephys_electrode(name="soma", description="", device=file.create_device(name="amplifier"))
    count = times_ms().size
    voltage_mv = (
        np.concatenate([answer_mv(amplitude) for amplitude in AMPLITUDES]) if voltage_mv is None else voltage_mv
    )
    current_na = np.concatenate([step_na(amplitude) for amplitude in AMPLITUDES])
    response = CurrentClampSeries(name="all", data=voltage_mv / 1e3, timestamps=timestamps_s, electrode=electrode)
    stimulus = CurrentClampStimulusSeries(
        name="command",
        data=current_na / 1e9,
        timestamps=timestamps_s if stimulus_timestamps_s is None else stimulus_timestamps_s,
        electrode=electrode,
    )
    file.add_acquisition(response)
    file.add_stimulus(stimulus)
    for index in range(len(AMPLITUDES)):
        file.add_intracellular_recording(
            electrode=electrode,
            response=response,
            stimulus=stimulus,
            response_start_index=index * count,
            response_index_count=count,
            stimulus_start_index=index * count,
            stimulus_index_count=count,
        )
    with NWBHDF5IO(path=str(path), mode="w") as io:
        io.write(file)
    return path


def paused_s() -> np.ndarray:
    """Clocks of successive sweeps that pause for some seconds in between."""
    return np.concatenate([1e3 + 7.3 * index + times_ms() / 1e3 for index in range(len(AMPLITUDES))])


def test_sweeps_are_ranges_of_one_series_that_pauses(tmp_path):
    read = read_sweeps(one_series(tmp_path / "cell.nwb", timestamps_s=paused_s()))
    assert [sweep.start_ms for sweep in read.sweeps] == pytest.approx([1e6, 1007.3e3, 1014.6e3, 1021.9e3])
    assert {sweep.trace.grid for sweep in read.sweeps} == {read.sweeps[0].trace.grid}  # rounding is no other clock
    assert amplitudes(read_recording(tmp_path / "cell.nwb")) == list(AMPLITUDES)


@pytest.mark.parametrize("series", ["response", "stimulus"])
def test_a_pause_within_a_range_is_refused(tmp_path, series):
    clock, broken = paused_s(), paused_s()
    broken[times_ms().size + 500 : 2 * times_ms().size] += 0.25
    clocks = (broken, clock) if series == "response" else (clock, broken)
    path = one_series(tmp_path / "cell.nwb", timestamps_s=clocks[0], stimulus_timestamps_s=clocks[1])
    recording = read_recording(path)
    assert amplitudes(recording) == [-0.05, 0.1, 0.2]
    [reason] = recording.unusable.values()
    assert re.search(r"timestamps are not uniform: they pause after sample 499, for 2501 intervals", reason)


def test_values_beside_a_range_do_not_count(tmp_path):
    voltage_mv = np.concatenate([answer_mv(amplitude) for amplitude in AMPLITUDES])
    voltage_mv[times_ms().size : 2 * times_ms().size] = np.nan
    recording = read_recording(one_series(tmp_path / "cell.nwb", timestamps_s=paused_s(), voltage_mv=voltage_mv))
    assert amplitudes(recording) == [-0.05, 0.1, 0.2]
    assert list(recording.unusable.values()) == ["its response holds nothing but zeros, or nothing but NaN."]


def test_timestamps_that_are_rounded_are_uniform(tmp_path):
    path = one_series(tmp_path / "cell.nwb", timestamps_s=np.round(paused_s(), 6))
    assert amplitudes(read_recording(path)) == list(AMPLITUDES)


def test_a_range_beyond_the_end_is_refused(tmp_path):
    path = one_series(tmp_path / "cell.nwb", timestamps_s=paused_s())
    with edited(path) as file:
        column = file["general/intracellular_ephys/intracellular_recordings/responses/response"]
        rows = column[:]
        rows["count"][-1] += 10
        column[:] = rows
    recording = read_recording(path)
    assert amplitudes(recording) == [-0.05, 0.05, 0.1]
    assert re.search("from sample 6600 for 2210 samples, of 8800", recording.unusable["all[6600]"])


# What was not recorded


def stop(path: Path, ends_ms: dict[int, float], filler: float, *, stimulus: float | None = None) -> None:
    """Fill the ends of some responses, and perhaps of their stimuli."""
    with edited(path) as file:
        for index, end_ms in ends_ms.items():
            first = round(end_ms * RATE_HZ / 1e3)
            file[f"acquisition/response_{index:03d}/data"][first:] = filler
            if stimulus is not None:
                file[f"stimulus/presentation/stimulus_{index:03d}/data"][first:] = stimulus


FILLERS = [(np.nan, np.nan), (np.nan, None), (0.0, None), (0.0, 0.0), (np.nan, 0.0)]


@pytest.mark.parametrize(("filler", "stimulus"), FILLERS)
def test_a_tail_after_the_step_is_cut_off(tmp_path, filler, stimulus):
    path = written(tmp_path)
    stop(path, {0: 200.0, 1: 190.0, 2: 180.0, 3: 171.0}, filler, stimulus=stimulus)
    recording = read_recording(path, junction_potential_mv=10.0)
    assert recording.unusable == {}
    assert amplitudes(recording) == list(AMPLITUDES)
    assert [sweep.trace.grid.duration_ms for sweep in recording.sweeps] == pytest.approx([200, 190, 180, 171])
    assert all(sweep.trace.voltage_mv[:500] == pytest.approx(-80.0) for sweep in recording.sweeps)
    assert {(sweep.onset_ms, sweep.offset_ms) for sweep in recording.sweeps} == {(60.0, 160.0)}


@pytest.mark.parametrize(("filler", "stimulus"), FILLERS)
@pytest.mark.parametrize("end_ms", [30.0, 60.5, 100.0, 160.5, 165.0])
def test_a_sweep_that_stops_before_its_step_is_over_is_listed(tmp_path, filler, stimulus, end_ms):
    path = written(tmp_path)
    stop(path, {1: end_ms, 3: 200.0}, filler, stimulus=stimulus)
    recording = read_recording(path)
    assert amplitudes(recording) == [-0.05, 0.1, 0.2]
    assert recording.unusable == {
        "response_001": f"its recording ends after {end_ms:g} ms, before the response to its step is over."
    }


def test_most_sweeps_may_be_incomplete(tmp_path):
    path = written(tmp_path)
    stop(path, {1: 100.0, 2: 110.0, 3: 120.0}, 0.0)
    recording = read_recording(path)
    assert amplitudes(recording) == [-0.05]
    assert all("its recording ends after" in reason for reason in recording.unusable.values())


@pytest.mark.parametrize(("end_ms", "complete"), [(100.0, False), (165.0, False), (171.0, True)])
def test_a_sweep_alone_may_be_incomplete_too(tmp_path, end_ms, complete):
    path = write_nwb(tmp_path / "cell.nwb", [good(0.1)])
    stop(path, {0: end_ms}, 0.0)
    if complete:
        assert amplitudes(read_recording(path)) == [0.1]
    else:
        with pytest.raises(ValueError, match=f"its recording ends after {end_ms:g} ms"):
            read_recording(path).with_steps()


def test_what_is_no_step_is_not_called_incomplete(tmp_path):
    ramp = good(0.1)
    ramp.current_na = np.clip(times_ms() - ONSET_MS, 0, None) * 1e-3
    path = write_nwb(tmp_path / "cell.nwb", [ramp])
    stop(path, {0: 150.0}, 0.0)
    with pytest.raises(
        ValueError, match=r"no rectangular step was found in its stimulus; its recording ends after 150 ms"
    ):
        read_recording(path).with_steps()


@pytest.mark.parametrize(
    ("series", "voltage_name"), [("response", "acquisition"), ("stimulus", "stimulus/presentation")]
)
def test_nan_within_is_refused_with_its_time(tmp_path, series, voltage_name):
    path = written(tmp_path, start_s=2.0)
    with edited(path) as file:
        file[f"{voltage_name}/{series}_001/data"][1000:1010] = np.nan
    recording = read_recording(path)
    assert list(recording.unusable) == ["response_001"]
    assert f"its {series} is not finite at 2100 ms" in recording.unusable["response_001"]


def test_zeros_that_stand_for_another_voltage_are_cut_off_too(tmp_path):
    path = written(tmp_path, voltage_offset_v=-0.02)
    stop(path, {0: 200.0, 1: 170.0}, 0.0)
    assert [sweep.trace.grid.duration_ms for sweep in read_recording(path).sweeps] == pytest.approx(
        [200, 170, 220, 220]
    )


def test_a_few_zeros_at_the_end_are_recorded(tmp_path):
    path = written(tmp_path)
    stop(path, {0: 216.0}, 0.0)
    assert read_recording(path).sweeps[0].trace.grid.duration_ms == pytest.approx(220)


# Units, factors, names


@pytest.mark.parametrize(
    "units", [("V", "A"), ("Volts", "Amps"), ("volt", "ampere"), ("VOLTS", "AMPERES"), ("Volt", "amp"), ("", "")]
)
def test_volts_and_amperes_by_any_name(tmp_path, units):
    path = written(tmp_path)
    with edited(path) as file:
        for folder, unit in zip(("acquisition", "stimulus/presentation"), units, strict=True):
            for group in file[folder].values():
                group["data"].attrs["unit"] = unit
    assert amplitudes(read_recording(path)) == list(AMPLITUDES)


def test_one_reason_is_one_clause_whatever_numbers_it_names(tmp_path):
    path = written(tmp_path)
    with edited(path) as file:
        for group in file["acquisition"].values():
            group["data"].attrs["unit"] = "mV"
    with pytest.raises(
        ValueError, match=r"; 4 sweep\(s\): the unit of its response is 'mV'; expected volts, as NWB demands\.$"
    ):
        read_recording(path)
    path = write_nwb(tmp_path / "gain.nwb", [good(amplitude, conversion=1e-8) for amplitude in AMPLITUDES])
    with edited(path) as file:
        for group in file["acquisition"].values():
            group["data"].attrs["conversion"] = 1.0  # the factor went into gain, which NWB does not apply
    with pytest.raises(
        ValueError, match=r"read; 4 sweep\(s\): its voltage reaches 7.+ mV; expected volts times .*file\.$"
    ):
        read_recording(path)


def test_pa_instead_of_amperes_is_refused(tmp_path):
    path = written(tmp_path)
    with edited(path) as file:
        for group in file["stimulus/presentation"].values():
            group["data"].attrs.update({"unit": "pA", "conversion": 0.1})
    with pytest.raises(ValueError, match=r"4 sweep\(s\): the unit of its stimulus is 'pA'; expected amperes"):
        read_recording(path)


NAMES = {
    "channel last": ("data_{:05d}_AD0", "data_{:05d}_DA0"),
    "other channels": ("data_{:05d}_AD0", "data_{:05d}_DA3"),
    "padded otherwise": ("sweep{}", "stimulus_{:04d}"),
    "letters": ("r_{a}", "s_{a}"),
    "letter within": ("cell2_{a}_V_0", "cell2_{a}_I_1"),
    "alike": ("Sweep_{}", "Sweep_{}"),
}


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("clocks", ["unlike", "alike", "rounded"])
def test_names_tell_the_sweep_whatever_else_they_hold(tmp_path, names, clocks):
    sweeps = [good(amplitude) for amplitude in AMPLITUDES]
    for index, sweep in enumerate(sweeps):
        number = {0: 3, 1: 10, 2: 4, 3: 11}[index]
        sweep.response_name, sweep.stimulus_name = (form.format(number, a="wxyz"[index]) for form in NAMES[names])
        sweep.start_s = 12.3 + 7.7 * index
        if clocks == "unlike":
            sweep.stimulus_start_s = 7.7 * ((index + 1) % 4)
        elif clocks == "rounded":
            sweep.stimulus_start_s = float(np.float32(sweep.start_s))
    recording = read_recording(write_nwb(tmp_path / "cell.nwb", sweeps, reverse_stimuli=True))
    assert recording.unusable == {}
    # pynwb keeps the order of names
    assert sorted(amplitudes(recording)) == sorted(AMPLITUDES)
    for sweep in recording.sweeps:
        assert sweep.trace.voltage_mv[1599] - -70 == pytest.approx(100 * sweep.amplitude_na, rel=1e-3)


def test_names_that_tell_nothing_leave_the_clock_rounded_or_not(tmp_path):
    sweeps = [good(amplitude) for amplitude in AMPLITUDES]
    for index, sweep in enumerate(sweeps):
        sweep.response_name, sweep.stimulus_name = f"r{'abcd'[index]}", f"s{'wxyz'[index]}"
        sweep.start_s = 12.3 + 7.7 * index
        sweep.stimulus_start_s = float(np.float32(sweep.start_s))
    assert amplitudes(read_recording(write_nwb(tmp_path / "cell.nwb", sweeps))) == list(AMPLITUDES)


def test_the_stimulus_of_another_sweep_is_none(tmp_path):
    sweep = good(0.1, response_name="data_00003_AD0", stimulus_name="data_00004_DA0", start_s=1.0)
    sweep.stimulus_start_s = 9.0
    with pytest.raises(ValueError, match="no single stimulus belongs to it"):
        read_recording(write_nwb(tmp_path / "cell.nwb", [sweep]))


def test_a_stimulus_without_type_and_electrode_is_taken_by_its_unit(tmp_path):
    path = written(tmp_path)
    with edited(path) as file:
        for group in file["stimulus/presentation"].values():
            group.attrs["neurodata_type"] = "TimeSeries"
            del group["electrode"]
    assert amplitudes(read_recording(path)) == list(AMPLITUDES)


@pytest.mark.parametrize("link", ["hard", "dangling", "none"])
def test_an_electrode_by_any_link(tmp_path, link):
    import h5py

    path = written(tmp_path)
    with edited(path) as file:
        for folder in ("acquisition", "stimulus/presentation"):
            for group in file[folder].values():
                del group["electrode"]
                if link == "hard":
                    group["electrode"] = file["general/intracellular_ephys/soma"]
                elif link == "dangling":
                    group["electrode"] = h5py.SoftLink("/general/intracellular_ephys/lost")
    assert amplitudes(read_recording(path)) == list(AMPLITUDES)
    if link == "hard":
        assert amplitudes(read_recording(path, electrode="soma")) == list(AMPLITUDES)
    else:
        with pytest.raises(ValueError, match="has no electrode 'soma'; expected one of none"):
            read_recording(path, electrode="soma")


# Files that were read before


def test_voltage_clamp_and_zero_current_come_first(tmp_path):
    sweeps = [good(0.1, clamp="voltage", response_name="a"), *(good(amplitude) for amplitude in AMPLITUDES)]
    sweeps[0].current_na = None
    path = write_nwb(tmp_path / "cell.nwb", sweeps)
    with edited(path) as file:
        file.copy("acquisition/response_001", "acquisition/a_zero")
        file["acquisition/a_zero"].attrs["neurodata_type"] = "IZeroClampSeries"
        file.copy("acquisition/response_001", "acquisition/a_alone")
    recording = read_recording(path)
    assert amplitudes(recording) == list(AMPLITUDES)
    reasons = {name: reason.split(";")[0].split(" by ")[0] for name, reason in recording.unusable.items()}
    assert reasons == {
        "a": "it is a VoltageClampSeries",
        "a_zero": "it is a IZeroClampSeries",
        "a_alone": "no single stimulus belongs to it",
    }


def test_a_current_monitor_is_a_second_electrode(tmp_path):
    monitors = [good(0.0, electrode="monitor", response_name=f"m{index}") for index in range(4)]
    path = write_nwb(tmp_path / "cell.nwb", [*(good(amplitude) for amplitude in AMPLITUDES), *monitors])
    with pytest.raises(ValueError, match="holds the electrodes monitor, soma; name the one to read"):
        read_recording(path)
    assert amplitudes(read_recording(path, electrode="soma")) == list(AMPLITUDES)


def test_sweeps_that_are_stored_short_before_their_step_are_listed(tmp_path):
    short = good(0.1)
    short.voltage_mv, short.current_na = short.voltage_mv[:400], step_na(0.1)[:400]
    path = write_nwb(tmp_path / "cell.nwb", [*(good(amplitude) for amplitude in AMPLITUDES), short])
    recording = read_recording(path)
    assert amplitudes(recording) == list(AMPLITUDES)
    assert list(recording.unusable) == ["response_004"]


def test_two_rates_and_two_lengths(tmp_path):
    longer = good(0.05)
    longer.voltage_mv = np.append(longer.voltage_mv, np.full(50, -70.0))
    longer.current_na = np.append(step_na(0.05), np.zeros(50))
    path = write_nwb(tmp_path / "cell.nwb", [good(0.1), longer, good(0.2, rate_hz=2 * RATE_HZ)])
    recording = read_recording(path)
    assert amplitudes(recording) == [0.1, 0.05, 0.2]
    assert [sweep.onset_ms for sweep in recording.sweeps] == pytest.approx([ONSET_MS, ONSET_MS, ONSET_MS / 2])


def test_a_link_to_another_file_that_is_no_file_is_not_waited_for(tmp_path):
    import os

    import h5py

    path = written(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with edited(path) as file:
        del file["acquisition/response_000/data"]
        file["acquisition/response_000/data"] = h5py.ExternalLink("pipe", "/x")
    assert list(read_recording(path).unusable) == ["response_000"]


# The cases that others made


@pytest.fixture
def cases(shared_data: Path) -> Path:
    folder = shared_data.parent / "cases" / "nwb"
    if not folder.is_dir():
        pytest.skip("the cases are not here")
    return folder


REFERENCE = {-0.05: 2, 0.05: 2, 0.15: 2, 0.2: 2}
FOUR = {0.15: 2, 0.2: 2}
CASES: dict[str, tuple[dict[float, int], int]] = {  # trials of each step, and how many sweeps are listed as not usable
    "reference": (REFERENCE, 0),
    "embedded_extension_with_removed_type": (REFERENCE, 0),
    "one_series_with_pauses": ({0.05: 2, 0.15: 2}, 0),
    "nan_tail_after_the_step": (REFERENCE, 0),
    "zero_tail_within_the_step": (dict.fromkeys(REFERENCE, 1), 4),
    "units_Volts_Amps": (REFERENCE, 0),
    "units_V_A": (REFERENCE, 0),
    "names_only_clocks_equal": (REFERENCE, 0),
    "names_only_clocks_rounded": (REFERENCE, 0),
    "voltage_clamp_and_izero_first": (REFERENCE, 5),
    "aborted_before_the_step": (REFERENCE, 2),
    "artefact_at_the_edges": (FOUR, 0),
    "sweeps_of_two_lengths": (REFERENCE, 0),
    "two_sampling_rates": (REFERENCE, 0),
    "one_trial_an_amplitude": (dict.fromkeys(REFERENCE, 1), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cases_that_can_be_read(cases, name):
    recording = read_recording(cases / f"{name}.nwb")
    counts, unusable = CASES[name]
    assert Counter(amplitudes(recording)) == counts
    assert len(recording.unusable) == unusable
    for sweep in recording.sweeps:
        assert sweep.step_ms == pytest.approx(300, abs=0.2)
        assert np.mean(sweep.trace.voltage_mv[:900]) == pytest.approx(-70, abs=0.1)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("stimulus_five_samples_short", r"8 sweep\(s\): its response has 5500 samples .* its stimulus 5495"),
        ("units_mV_pA", r"8 sweep\(s\): the unit of its response is 'mV'"),
        ("units_volts_but_data_in_mV", r"8 sweep\(s\): its voltage reaches \d+ mV"),
        ("factor_in_gain_not_conversion", r"8 sweep\(s\): its voltage reaches \S+ mV"),
        ("current_monitor_as_second_electrode", "holds the electrodes .* name the one to read"),
    ],
)
def test_the_cases_that_are_refused(cases, name, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_recording(cases / f"{name}.nwb")
