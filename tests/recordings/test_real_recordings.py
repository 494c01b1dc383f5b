"""Real recordings in their own formats, as their README describes them; skipped where they are absent."""

from pathlib import Path

import numpy as np
import pytest

from noble.recordings import read_recording, read_sweeps


@pytest.fixture
def real(shared_data: Path) -> Path:
    folder = shared_data / "recordings"
    if not folder.is_dir():
        pytest.skip("the real recordings are not here")
    return folder


def levels(recording) -> dict[float, int]:
    return {amplitude: len(sweeps) for amplitude, sweeps in recording.by_amplitude().items()}


def test_igor_waves_of_two_versions_whose_current_bends_at_spikes(real):
    recording = read_recording(real / "l5pc-C060110A2")
    rest, iv, waveform = (levels(recording.of_protocol(name)) for name in ("IDrest", "IV", "APWaveform"))
    assert list(rest.values()) == [2] * 16
    assert list(rest) == pytest.approx(np.arange(312.5, 1260, 62.5) * 1e-3, abs=0.003)
    assert list(iv.values()) == [3] * 10
    assert list(iv) == pytest.approx(np.arange(-375, 188, 62.5) * 1e-3, abs=0.002)
    assert list(waveform.values()) == [3] * 8
    assert {round(sweep.holding_na, 2) for sweep in recording.of_protocol("IDrest").sweeps} == {-0.08}
    assert {round(sweep.step_ms) for sweep in recording.of_protocol("IDrest").sweeps} == {2000}
    ramps = [name for name in recording.unusable if "APThreshold" in name]
    assert len(ramps) == 3


@pytest.mark.parametrize(
    ("file", "expected_pa", "step_ms"),
    [
        ("pyabf/171116sh_0018.abf", range(-100, 301, 25), 500.0),
        ("pyabf/18711001.abf", range(0, 291, 10), 500.0),
        ("pyabf/File_axon_5.abf", range(-100, 301, 50), 500.0),
    ],
)
def test_the_step_that_varies_of_a_command(real, file, expected_pa, step_ms):
    recording = read_recording(real / file)
    assert list(levels(recording)) == pytest.approx(np.array(expected_pa) * 1e-3)
    assert set(levels(recording).values()) == {1}
    assert [sweep.step_ms for sweep in recording.sweeps] == pytest.approx([step_ms] * len(recording.sweeps))
    assert {sweep.current for sweep in read_sweeps(real / file).sweeps} == {"command"}


def test_channels_are_told_by_their_units(real):
    """Those of this file are called Im, in mV, and Vm, in pA; every sweep has a test pulse of -10 pA as long as the steps."""
    recording = read_recording(real / "gifk-drn-noise" / "DRN162_5HT" / "current_steps.abf")
    assert list(levels(recording)) == pytest.approx(np.arange(-20, 131, 10) * 1.0155e-3, abs=0.002)
    assert [sweep.step_ms for sweep in recording.sweeps] == pytest.approx([1000.0] * 16, abs=1.0)


def test_a_ramp_that_goes_on_from_sweep_to_sweep(real):
    sweeps = read_sweeps(real / "pyabf" / "171116sh_0016.abf").sweeps
    ends = [(sweep.trace.current_na[0], sweep.trace.current_na[-1]) for sweep in sweeps]
    assert ends == [pytest.approx((max(0, k - 1) * 0.01, k * 0.01)) for k in range(11)]
    with pytest.raises(ValueError, match="no current-clamp step"):
        read_recording(real / "pyabf" / "171116sh_0016.abf").with_steps()


def test_one_cell_from_two_formats(real):
    nwb = read_recording(real / "nwb-osb" / "FergusonEtAl2015_PYR2.nwb")
    abf = read_recording(real / "nwb-osb" / "PYR2.abf")
    assert levels(nwb) == levels(abf)
    for one, other in zip(nwb.sweeps, abf.sweeps, strict=True):
        np.testing.assert_allclose(one.trace.voltage_mv, other.trace.voltage_mv, atol=1e-3)


def test_noise_is_read_though_it_holds_no_step(real):
    read = read_sweeps(real / "gifk-drn-noise" / "DRN162_5HT" / "DRN162_5ht_test.abf")
    assert len(read.sweeps) == 10
    assert {sweep.trace.grid.count for sweep in read.sweeps} == {100_000}
    first = read.sweeps[0].trace
    assert -90 < np.median(first.voltage_mv) < -30
    assert np.corrcoef(first.current_na, read.sweeps[1].trace.current_na)[0, 1] > 0.95  # frozen noise


def test_a_folder_of_files_is_one_cell_whatever_its_protocols(real):
    read = read_sweeps(real / "gifk-drn-noise" / "DRN162_5HT")
    assert read.unread == {}
    assert {sweep.name.partition(":")[0] for sweep in read.sweeps} == {
        *("DRN162_5ht_aec.abf", "DRN162_5ht_test.abf", "DRN162_5ht_training.abf", "current_steps.abf")
    }
    steps = read_recording(real / "gifk-drn-noise" / "DRN162_5HT").of_protocol("current steps")
    assert [sweep.name for sweep in steps.sweeps] == [f"current_steps.abf: sweep {number}" for number in range(16)]


def test_voltage_clamp_is_refused(real):
    with pytest.raises(ValueError, match="it is a VoltageClampSeries"):
        read_recording(real / "nwb-osb" / "LantyerEtAl2018_171220_NC_156_ST100_C.nwb")


@pytest.mark.parametrize(
    ("folder", "count"), [("bluepyefe-tests/B6", 5), ("bluepyefe-tests/B8", 5), ("ibw-oddities", 6)]
)
def test_waves_in_pa_and_mv_or_with_the_channels_turned_round(real, folder, count):
    recording = read_recording(real / folder)
    assert len(recording.sweeps) == count
    assert recording.unusable == {}
    assert all(-100 < np.median(sweep.trace.voltage_mv[:1000]) < -40 for sweep in recording.sweeps)
