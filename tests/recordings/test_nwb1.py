"""NWB 1, as the Allen Cell Types Database hands it out and as MIES wrote it."""

from collections import Counter

import numpy as np
import pytest

from noble.recordings import read_recording, read_sweeps
from nwb1_files import AMPLITUDES, write_nwb1
from nwb_files import answer_mv

h5py = pytest.importorskip("h5py")


def check(recording, *, protocol: str = "Long Square") -> None:
    assert recording.unusable == {}
    assert [round(sweep.amplitude_na, 6) for sweep in recording.sweeps] == list(AMPLITUDES)
    assert {sweep.protocol for sweep in recording.sweeps} == {protocol}
    for sweep, amplitude in zip(recording.sweeps, AMPLITUDES, strict=True):
        np.testing.assert_allclose(sweep.trace.voltage_mv, answer_mv(amplitude), atol=1e-9)


def test_sweeps_of_the_allen_institute(tmp_path):
    path = write_nwb1(tmp_path / "cell.nwb", generated_by=["pipeline", "IVSCC", "version", "1.1"])
    check(read_recording(path))
    sweeps = read_sweeps(path, junction_potential_mv=14.0).sweeps
    assert [(sweep.name, sweep.number, sweep.start_ms) for sweep in sweeps] == [
        (f"Sweep_{number}", number, 1e5 * number) for number in (20, 21, 22)
    ]
    assert sweeps[0].trace.voltage_mv[0] == pytest.approx(-84.0)
    assert [sweep.bias_na for sweep in sweeps] == pytest.approx([0.01, 0, 0])


@pytest.mark.parametrize(
    ("generated_by", "scale", "conversion"),
    [
        (["pipeline", "IVSCC", "version", "1.0"], 1.0, 1e-3),  # volts beside a wrong factor
        (["pipeline", "IVSCC", "version", "0.9"], 1.0, 1e-12),
        (None, 1.0, 1e-3),  # before versions were written
        (["pipeline", "IVSCC", "version", "1.1"], 1e3, 1e-3),
        (["pipeline", "IVSCC", "version", "2.0"], 1e3, 1e-3),
        ([["Program", "Igor Pro"], ["version", "1.0"]], 1e3, 1e-3),  # another institute's
    ],
)
def test_factors_are_used_but_for_old_files_of_the_allen_institute(tmp_path, generated_by, scale, conversion):
    path = write_nwb1(tmp_path / "cell.nwb", generated_by=generated_by, scale=scale, conversion=conversion)
    check(read_recording(path))


@pytest.mark.parametrize("epochs", [True, False])
@pytest.mark.parametrize("ancestry", [True, False])
@pytest.mark.parametrize("units", [("Volts", "Amps"), ("V", "A"), ("volts", "amperes")])
def test_with_and_without_epochs_and_types(tmp_path, epochs, ancestry, units):
    check(read_recording(write_nwb1(tmp_path / "cell.nwb", epochs=epochs, ancestry=ancestry, units=units)))


@pytest.mark.parametrize("epochs", [True, False])
def test_sweeps_of_mies(tmp_path, epochs):
    names = ("data_{:05d}_AD0", "data_{:05d}_DA0")
    path = write_nwb1(tmp_path / "cell.nwb", names=names, aibs=False, scale=1e3, conversion=1e-3, epochs=epochs)
    recording = read_recording(path, electrode="Electrode 1")
    check(recording, protocol="LongSquare_DA_0")
    assert [sweep.name for sweep in recording.sweeps] == [f"data_000{number}_AD0" for number in (20, 21, 22)]


def test_epochs_decide_which_belong_together(tmp_path):
    path = write_nwb1(tmp_path / "cell.nwb", names=("r_{}", "s_{}"))
    with h5py.File(path, "a") as file:  # the names would say otherwise
        for old, new in (("s_20", "t_21"), ("s_21", "t_20")):
            file[f"stimulus/presentation/{new}"] = file[f"stimulus/presentation/{old}"]
            del file[f"stimulus/presentation/{old}"]
    check(read_recording(path))


def test_a_sweep_ends_where_its_epoch_does(tmp_path):
    path = write_nwb1(tmp_path / "cell.nwb")
    with h5py.File(path, "a") as file:
        for number, count in ((20, 1700), (21, 1000)):
            file[f"epochs/Experiment_{number}/stimulus/count"][()] = count
            file[f"acquisition/timeseries/Sweep_{number}/data"][300 + count :] = -0.03  # unsound
    recording = read_recording(path)
    assert [sweep.trace.grid.count for sweep in recording.sweeps] == [2000, 2200]
    assert recording.unusable == {
        "Sweep_21": "its recording ends after 130 ms, before the response to its step is over."
    }


def test_voltage_clamp_is_listed(tmp_path):
    path = write_nwb1(tmp_path / "cell.nwb", ancestry=False)
    with h5py.File(path, "a") as file:
        file["acquisition/timeseries/Sweep_20/data"].attrs["unit"] = "A"
        file["acquisition/timeseries/Sweep_21"].attrs["ancestry"] = ["TimeSeries", "VoltageClampSeries"]
        del file["stimulus/presentation/Sweep_22"]
    reasons = read_sweeps(path).unread
    assert Counter(reason.split(";")[0].split(" by ")[0] for reason in reasons.values()) == {
        "it is a VoltageClampSeries": 2,
        "no single stimulus belongs to it": 1,
    }


@pytest.mark.parametrize("version", ["NWB-3.0", "text", "", "0.8"])
def test_another_version_is_refused(tmp_path, version):
    path = write_nwb1(tmp_path / "cell.nwb")
    with h5py.File(path, "a") as file:
        del file["nwb_version"]
        file["nwb_version"] = version
    with pytest.raises(
        ValueError, match=r"cell\.nwb cannot be read as NWB \(it says (version '.*'|no version of NWB)\);"
    ):
        read_recording(path)


def test_the_case_that_others_made(shared_data):
    path = shared_data.parent / "cases" / "nwb" / "nwb_version_1.nwb"
    if not path.is_file():
        pytest.skip("the cases are not here")
    recording = read_recording(path)
    assert [round(sweep.amplitude_na, 4) for sweep in recording.sweeps] == [0.05, 0.2]
    assert [round(sweep.step_ms, 1) for sweep in recording.sweeps] == [300.0, 300.0]
