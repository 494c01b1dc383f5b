import numpy as np
import pytest

from noble.recordings import Recording, Sweep, mean_na
from noble.traces import TimeGrid, Trace

TRACE = Trace(TimeGrid(0.1, 100), np.full(100, -70.0), np.zeros(100))


def recording(*amplitudes_pa: float, errors_pa: float = 0.0, protocols: str = "") -> Recording:
    sweeps = tuple(
        Sweep(f"r{index}", pa / 1e3, errors_pa / 1e3, 0.0, 2.0, 8.0, protocols[index : index + 1], TRACE)
        for index, pa in enumerate(amplitudes_pa)
    )
    return Recording("cell.nwb", "0" * 64, sweeps, {"r99": "no step was found."})


def names(groups: dict[float, tuple[Sweep, ...]]) -> dict[float, list[str]]:
    return {amplitude: [sweep.name for sweep in sweeps] for amplitude, sweeps in groups.items()}


def test_sweeps_of_one_amplitude_ascending_each_in_the_order_of_the_file():
    groups = recording(100, -50, 100.0001, -50, 99.9999).by_amplitude()
    assert names(groups) == {-0.05: ["r1", "r3"], 0.1: ["r0", "r2", "r4"]}
    assert list(groups) == [-0.05, 0.1]


def test_clean_steps_of_1_pa_are_told_apart():
    assert list(recording(10, 11, 12, 10).by_amplitude()) == [0.01, 0.011, 0.012]


def test_noisy_amplitudes_belong_together_within_three_standard_errors():
    noisy = recording(50.9, 48.6, 51.8, 90.2, 91.1, errors_pa=1.0).by_amplitude()
    assert names(noisy) == {0.05: ["r0", "r1", "r2"], 0.091: ["r3", "r4"]}
    assert len(recording(50.9, 48.6, 52.1).by_amplitude()) == 3


def test_no_sweep_is_lost_where_two_groups_round_to_one_amplitude():
    groups = recording(10.501, 11.494).by_amplitude()
    assert names(groups) == {0.011: ["r0", "r1"]}


def test_a_clean_trial_decides_the_amplitude():
    clean = Sweep("clean", 0.05, 0.0, 0.0, 2.0, 8.0, "", TRACE)
    noisy = [Sweep(f"{k}", 0.0512, 0.001, 0.002, 2.0, 8.0, "", TRACE) for k in range(5)]
    assert mean_na([clean, *noisy], "amplitude_na") == 0.05
    assert mean_na([clean, *noisy], "holding_na") == 0.0
    assert mean_na(noisy, "amplitude_na") == 0.051


def test_sweeps_of_one_protocol():
    only = recording(10, 20, 30, protocols="LSL").of_protocol("L")
    assert [sweep.name for sweep in only.sweeps] == ["r0", "r2"]
    assert only.unusable == {"r99": "no step was found.", "r1": "its protocol is 'S'; 'L' was asked for."}
    with pytest.raises(ValueError, match=r"no usable sweep of protocol 'X'; its stimuli have L, S\."):
        recording(10, 20, 30, protocols="LSL").of_protocol("X")


def test_sweeps_of_several_protocols_by_name_or_pattern():
    several = recording(10, 20, 30, 40, protocols="LSLR")
    assert [sweep.name for sweep in several.of_protocol("L", "R").sweeps] == ["r0", "r2", "r3"]
    assert [sweep.name for sweep in several.of_protocol("[LS]").sweeps] == ["r0", "r1", "r2"]
    assert len(several.of_protocol("*").sweeps) == 4
    with pytest.raises(ValueError, match="no usable sweep of protocol 'X'"):
        several.of_protocol("L", "X")


def test_a_name_is_itself_before_it_is_a_pattern():
    sweeps = tuple(Sweep(f"r{k}", 0.1, 0.0, 0.0, 2.0, 8.0, name, TRACE) for k, name in enumerate(["a[1]", "a1"]))
    found = Recording("cell.nwb", "0" * 64, sweeps, {}).of_protocol("a[1]")
    assert [sweep.protocol for sweep in found.sweeps] == ["a[1]"]


def test_sweeps_by_the_length_of_their_step():
    lengths = [1000.0, 3.0, 1009.0, 500.0]
    sweeps = tuple(Sweep(f"r{k}", 0.1, 0.0, 0.0, 2.0, 2.0 + length, "", TRACE) for k, length in enumerate(lengths))
    several = Recording("cell.nwb", "0" * 64, sweeps, {})
    assert [sweep.name for sweep in several.of_step_ms(1000).sweeps] == ["r0", "r2"]
    assert several.of_step_ms(1000).unusable["r1"] == "its step lasts 3 ms; 1000 ms was asked for."
    assert [sweep.name for sweep in several.of_step_ms(600).sweeps] == ["r0", "r2"]  # as if they had ended then
    with pytest.raises(ValueError, match="no step of 2000 ms; the longest lasts 1009 ms"):
        several.of_step_ms(2000)
