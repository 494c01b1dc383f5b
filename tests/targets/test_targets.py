import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noble.features import EFEATURES, FEATURE_NAMES
from noble.features.windows import measure_step
from noble.recordings import Recording, Sweep
from noble.targets.efeatures import (
    FIRING_FEATURES,
    NEGATIVE_FEATURES,
    SILENT_FEATURES,
    TARGET_FEATURES,
    floor_of,
)
from noble.targets.targets import StepTargets, Target, Targets, measure_targets
from noble.traces import TimeGrid, Trace, TraceBatch
from nwb_files import OFFSET_MS, ONSET_MS, RATE_HZ, REST_MV, TAU_MS, answer_mv, step_na, times_ms

GOLDEN = Path(__file__).parent / "golden_targets.json"
GRID = TimeGrid(1e3 / RATE_HZ, times_ms().size)


def sweep(name: str, amplitude_na: float, spikes_ms=(), *, shift_mv: float = 0.0, onset_ms: float = ONSET_MS) -> Sweep:
    trace = Trace(GRID, answer_mv(amplitude_na, spikes_ms) + shift_mv, step_na(amplitude_na))
    return Sweep(name, amplitude_na, 0.0, 0.0, onset_ms, OFFSET_MS, "LongSquare", trace)


def recording(*sweeps: Sweep) -> Recording:
    return Recording("cell.nwb", "0" * 64, sweeps, {}, junction_potential_mv=14.0)


def firing(amplitude_na: float, *trials: tuple[float, ...]) -> list[Sweep]:
    return [sweep(f"{amplitude_na:g}-{index}", amplitude_na, spikes) for index, spikes in enumerate(trials)]


@pytest.fixture(scope="module")
def measured() -> Targets:
    """A hyperpolarising, a silent and a firing step of three trials each."""
    trials = [
        *(sweep(f"n{k}", -0.1, shift_mv=shift) for k, shift in enumerate((-2.0, 0.0, 2.0))),
        *(sweep(f"s{k}", 0.05) for k in range(3)),
        *firing(0.2, (10, 30, 50, 70), (14, 30, 50, 70), (18, 30, 50, 70, 90)),
    ]
    return measure_targets(recording(*trials))


def test_the_sixteen_and_three_more_all_with_units_and_floors():
    assert set(TARGET_FEATURES) == {*FEATURE_NAMES, "ISI_CV", "adaptation_index2", "voltage_deflection_vb_ssse"}
    assert set(TARGET_FEATURES) <= set(EFEATURES)


def test_floors_are_those_of_the_documentation():
    table = (
        (Path(__file__).parents[2] / "docs" / "targets.md").read_text().split("## Floors")[1].split("## The file")[0]
    )
    documented = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            names, absolute, relative = (cell.strip() for cell in line.strip("|").split("|"))
            numbers = float((absolute or "0").split()[0]), float((relative or "0").split()[0]) / 100
            documented |= {name.strip(" `"): numbers for name in names.split(",")}
    assert documented == {name: tuple(floor_of(name)) for name in TARGET_FEATURES}
    assert floor_of("an efel feature without a record") == (1e-3, 0.1)


def test_each_kind_of_step_has_its_features(measured):
    negative, silent, fires = measured.steps
    assert (set(negative.features), negative.left_out) == (set(NEGATIVE_FEATURES), {})
    assert (set(silent.features), silent.left_out) == (set(SILENT_FEATURES), {})
    assert (set(fires.features) | set(fires.left_out)) == set(FIRING_FEATURES)
    # The statistics of intervals leave out the first one, and one trial alone has five spikes.
    assert fires.left_out == {}
    assert [step.fires for step in measured.steps] == [False, False, True]
    assert measured.firing == (fires,)
    assert measured.silent == (negative, silent)


def test_means_are_those_of_the_made_up_neuron(measured):
    negative, silent, fires = (step.features for step in measured.steps)
    assert negative["voltage_base"].mean == pytest.approx(REST_MV)
    assert negative["steady_state_voltage_stimend"].mean == pytest.approx(REST_MV - 10, abs=0.01)
    assert negative["voltage_deflection_vb_ssse"].mean == pytest.approx(-10, abs=0.01)
    assert negative["decay_time_constant_after_stim"].mean == pytest.approx(TAU_MS, rel=0.01)
    assert negative["sag_amplitude"].mean == pytest.approx(0, abs=0.01)
    assert silent["steady_state_voltage_stimend"].mean == pytest.approx(REST_MV + 5, abs=0.01)
    assert silent["Spikecount"].mean == 0
    assert fires["Spikecount"].mean == pytest.approx(13 / 3)
    assert fires["time_to_first_spike"].mean == pytest.approx(14, abs=0.15)
    assert fires["inv_first_ISI"].mean == pytest.approx(np.mean([1000 / 20, 1000 / 16, 1000 / 12]), rel=0.01)
    assert fires["depol_block"].mean == 0


def test_deviations_are_those_of_the_sample_and_no_smaller_than_the_floor(measured):
    negative, silent, fires = (step.features for step in measured.steps)
    assert negative["voltage_base"].std == pytest.approx(2.0)  # of -2, 0, 2
    assert fires["time_to_first_spike"].std == pytest.approx(4.0, abs=0.1)  # of 10, 14, 18
    assert silent["voltage_base"].std == 1.0
    assert silent["Spikecount"].std == 1.0
    assert negative["sag_amplitude"].std == 0.3
    assert fires["AP1_width"].std == pytest.approx(0.1 * fires["AP1_width"].mean)
    for step in measured.steps:
        for name, target in step.features.items():
            absolute, relative = floor_of(name)
            assert target.std >= max(absolute, relative * abs(target.mean)) * (1 - 1e-8) > 0
            assert target.trials == 3


def test_what_was_done_is_recorded(measured):
    assert (measured.name, measured.source, measured.recording_sha256) == ("cell", "cell.nwb", "0" * 64)
    assert measured.junction_potential_mv == 14.0
    assert measured.step_ms == measured.settings["recorded_step_ms"] == 100.0
    assert (measured.settings["before_ms"], measured.settings["after_ms"]) == (50.0, pytest.approx(59.9))
    assert measured.settings["floors"]["AP1_peak"] == [2.0, 0.05]
    assert measured.settings["efel"]["interpolation_step"] == "dt of the trace"
    assert [step.spike_counts for step in measured.steps] == [(0, 0, 0), (0, 0, 0), (4, 4, 5)]
    assert measured.steps[2].typical_count == 4


def test_a_shorter_step_counts_only_what_falls_into_it():
    trials = firing(0.2, (10, 30, 50, 80), (10, 30, 50, 62))
    negative = [sweep(f"n{k}", -0.1) for k in range(2)]
    short = measure_targets(recording(*trials, *negative), step_ms=60)
    assert short.step_ms == 60
    assert short.step(0.2).spike_counts == (3, 3)
    assert short.step(0.2).features["Spikecount"].mean == 3
    assert measure_targets(recording(*trials)).step(0.2).features["Spikecount"].mean == 4
    # The time after the step is that of the whole step.
    features = short.step(-0.1).features
    assert features["decay_time_constant_after_stim"].mean == pytest.approx(TAU_MS, rel=0.01)
    assert features["steady_state_voltage"].mean == pytest.approx(REST_MV - 10 * TAU_MS / 60, abs=0.1)
    assert features["steady_state_voltage_stimend"].mean == pytest.approx(
        REST_MV - 10 + 10 * np.exp(-57 / TAU_MS), abs=0.01
    )


def test_spikes_outside_the_step_do_not_count():
    trials = firing(0.05, (-55, 105), (-55, 105))  # long before, and after the step
    assert measure_targets(recording(*trials)).step(0.05).features["Spikecount"].mean == 0


def test_a_step_fires_where_the_median_trial_does():
    one_of_three = measure_targets(recording(*firing(0.1, (), (), (20, 40)))).step(0.1)
    assert (one_of_three.fires, one_of_three.spike_counts) == (False, (0, 0, 2))
    assert set(one_of_three.features) == set(SILENT_FEATURES)
    two_of_three = measure_targets(recording(*firing(0.1, (), (20, 40), (20,)))).step(0.1)
    assert two_of_three.fires
    assert two_of_three.features["AP1_peak"].trials == 2
    assert two_of_three.features["Spikecount"].trials == 3
    assert two_of_three.left_out["inv_first_ISI"] == "1 of 3 trials have it"
    assert two_of_three.left_out["ISI_CV"] == "0 of 3 trials have it"


def test_trials_are_aligned_at_their_own_onsets():
    late = Trace(GRID, np.roll(answer_mv(0.2, [10, 30]), 50), np.roll(step_na(0.2), 50))
    trials = [sweep("a", 0.2, [10, 30]), Sweep("b", 0.2, 0.0, 0.0, ONSET_MS + 5, OFFSET_MS + 5, "", late)]
    found = measure_targets(recording(*trials)).step(0.2).features["time_to_first_spike"]
    assert found.mean == pytest.approx(10, abs=0.15)
    assert found.std == 1.0


def test_features_by_name_are_measured_where_they_make_sense():
    trials = [*firing(0.2, (10, 30), (10, 30)), sweep("n0", -0.1), sweep("n1", -0.1)]
    only = measure_targets(recording(*trials), names=["AP1_peak", "voltage_base", "minimum_voltage"])
    assert list(only.step(0.2).features) == ["AP1_peak", "voltage_base", "minimum_voltage"]
    assert list(only.step(-0.1).features) == ["voltage_base", "minimum_voltage"]
    lowest = only.step(-0.1).features["minimum_voltage"]
    assert lowest.mean == pytest.approx(REST_MV - 10, abs=0.01)
    assert lowest.std == pytest.approx(8, abs=0.01)  # a tenth: a feature without a floor of its own
    assert only.settings["floors"]["minimum_voltage"] == [0.001, 0.1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"names": ["AP1_peek"]}, "'AP1_peek' is unknown to eFEL"),
        ({"names": ["AP1_peak", "ISI_CV"]}, "'ISI_CV' was asked for but at no step .* do 2 trials have it"),
        ({"step_ms": 200}, "step_ms is 200 but the steps of cell.nwb last 100 ms; expected at most that"),
        ({"step_ms": 0}, "step_ms is 0"),
        ({"step_ms": float("nan")}, "step_ms is nan"),
        ({"min_trials": 3}, r"cell\.nwb: 0\.2 nA has 2 of the 3 trials that a step needs"),
        ({"min_trials": 0}, "min_trials is 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        measure_targets(recording(*firing(0.2, (10, 30), (10, 30))), **options)


def test_sweeps_of_several_protocols_are_refused():
    trials = firing(0.2, (10,), (10,))
    longer = replace(trials[1], offset_ms=OFFSET_MS + 20)
    with pytest.raises(
        ValueError, match=r"the length of the step is 100 ms in 0\.2-0 and 120 ms in 0\.2-1; .*--protocol"
    ):
        measure_targets(recording(trials[0], longer))
    coarse = replace(trials[1], trace=replace(trials[1].trace, grid=TimeGrid(0.2, GRID.count)))
    with pytest.raises(ValueError, match=r"the sampling interval is 0\.1 ms in 0\.2-0 and 0\.2 ms in 0\.2-1"):
        measure_targets(recording(trials[0], coarse))


def test_a_model_is_measured_in_the_same_windows():
    """With 15 ms before the step and another sampling interval, features are those of the recording."""
    times = np.arange(0, 175, 0.06)
    voltage = np.interp(times + ONSET_MS - 15, times_ms(), answer_mv(0.2, [10, 30, 50, 80, 110]))
    batch = TraceBatch(TimeGrid(0.06, times.size), voltage[None], np.zeros((1, times.size)))
    names = ("Spikecount", "AP1_peak", "time_to_first_spike", "decay_time_constant_after_stim")
    found = measure_step(batch, onset_ms=15, offset_ms=115, step_ms=60, names=names)
    wanted = measure_targets(recording(*firing(0.2, *[(10, 30, 50, 80)] * 2)), step_ms=60).step(0.2).features
    assert tuple(found) == names
    assert found["Spikecount"][0] == wanted["Spikecount"].mean == 3
    assert found["AP1_peak"][0] == pytest.approx(wanted["AP1_peak"].mean, abs=1)
    assert found["time_to_first_spike"][0] == pytest.approx(wanted["time_to_first_spike"].mean, abs=0.1)


def test_a_step_to_the_last_sample_can_be_measured():
    end = round(OFFSET_MS * RATE_HZ / 1e3) + 1
    batch = TraceBatch(TimeGrid(GRID.dt_ms, end), answer_mv(0.1, [10, 40, 70])[None, :end], np.zeros((1, end)))
    found = measure_step(
        batch, onset_ms=ONSET_MS, offset_ms=OFFSET_MS, step_ms=100, names=("Spikecount", "depol_block")
    )
    assert (found["Spikecount"][0], found["depol_block"][0]) == (3, 0)


# --- the file


def by_hand() -> Targets:
    """Targets whose file is kept as golden."""
    steps = (
        StepTargets(-0.11, -0.02, (0, 0), {"voltage_base": Target(-83.5, 1.0, 2)}, {}),
        StepTargets(
            0.18,
            -0.02,
            (19, 20),
            {"Spikecount": Target(19.5, 1.0, 2), "depol_block": Target(0.0, 0.1, 2)},
            {"ISI_CV": "1 of 2 trials have it"},
        ),
    )
    settings = {
        "before_ms": 50.0,
        "after_ms": 100.0,
        "recorded_step_ms": 1000.0,
        "min_trials": 2,
        "efel": {"spike_threshold_mv": -30.0},
        "floors": {"Spikecount": [1.0, 0.05], "depol_block": [0.1, 0.0], "voltage_base": [1.0, 0.0]},
    }
    return Targets("cell", "cell.nwb", "ab" * 32, 400.0, 14.0, steps, settings)


def test_the_file_is_the_golden_one(tmp_path):
    by_hand().save(tmp_path / "targets.json")
    assert (tmp_path / "targets.json").read_text() == GOLDEN.read_text()


def test_the_golden_file_is_read():
    read = Targets.load(GOLDEN)
    assert read == by_hand()
    assert read.digest == by_hand().digest


def test_the_layout_is_bluepyefes():
    content = json.loads(GOLDEN.read_text())
    assert set(content["efeatures"]) == set(content["protocols"]) == {"Step_-0.11", "Step_0.18"}
    count, block = content["efeatures"]["Step_0.18"]["soma.v"]
    assert count == {"feature": "Spikecount", "efeature_name": "Spikecount", "val": [19.5, 1.0], "n": 2}
    # eFEL's own depol_block is 1 where there is none.
    assert (block["feature"], block["efeature_name"]) == ("depol_block_bool", "depol_block")
    assert content["protocols"]["Step_0.18"] == {
        "step": {"delay": 50.0, "amp": 0.18, "duration": 400.0, "totduration": 550.0},
        "holding": {"delay": 0.0, "amp": -0.02, "duration": 550.0, "totduration": 550.0},
    }


def test_measured_targets_survive_the_file(measured, tmp_path):
    measured.save(tmp_path / "targets.json")
    read = Targets.load(tmp_path / "targets.json")
    assert read == measured
    assert read.digest == measured.digest


def test_the_digest_changes_with_everything_in_the_file():
    original = by_hand()
    changed = [
        replace(original, step_ms=1000.0),
        replace(original, junction_potential_mv=0.0),
        replace(original, steps=original.steps[:1]),
        replace(original, settings={**original.settings, "min_trials": 3}),
    ]
    assert len({original.digest, *(other.digest for other in changed)}) == 5


def test_a_step_is_found_by_its_amplitude():
    assert by_hand().step(0.1802).amplitude_na == 0.18
    with pytest.raises(ValueError, match=r"no step of 0\.2 nA among the targets; expected one of -0\.11, 0\.18 nA"):
        by_hand().step(0.2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(schema_version=2), r"expected targets \(noble-targets version 1\); got"),
        (lambda c: c.pop("schema"), "expected targets"),
        (lambda c: c["efeatures"].pop("Step_0.18"), "lack a part"),
        (lambda c: c["efeatures"]["Step_0.18"]["soma.v"][0].update(val=[1.0]), "lack a part"),
        (lambda c: c.pop("step_ms"), "lack a part"),
        (lambda c: c.update(steps=[]), "lack a part"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, change, reason):
    content = json.loads(GOLDEN.read_text())
    change(content)
    (tmp_path / "targets.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=reason):
        Targets.load(tmp_path / "targets.json")


def test_a_file_that_is_no_targets_or_not_there(tmp_path):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "half.json").write_text('{"schema": ')
    with pytest.raises(ValueError, match=r"list\.json: expected targets"):
        Targets.load(tmp_path / "list.json")
    with pytest.raises(ValueError, match=r"half\.json is not a file of targets: it is not valid JSON"):
        Targets.load(tmp_path / "half.json")
    with pytest.raises(FileNotFoundError, match="there is no file of targets"):
        Targets.load(tmp_path / "none.json")


def test_the_simulated_recording(shared_data: Path):
    pytest.importorskip("pynwb")
    from noble.recordings import read_recording

    targets = measure_targets(read_recording(shared_data / "HL23PV.nwb"))
    assert [step.amplitude_na for step in targets.silent if step.amplitude_na > 0] == [0.08, 0.11, 0.13, 0.15]
    assert [step.amplitude_na for step in targets.firing] == [0.18, 0.22, 0.28, 0.35]
    assert [step.spike_counts[0] for step in targets.firing] == [20, 44, 70, 89]
    assert all(step.left_out == {} for step in targets.steps)
    assert targets.step(-0.07).features["voltage_base"].mean == pytest.approx(-83.4, abs=0.5)


def test_a_step_has_its_holding_current_and_the_cell_that_of_the_median_step():
    original = by_hand()

    def held(*currents_na):
        steps = [replace(step, holding_na=na) for step, na in zip(original.steps, currents_na, strict=True)]
        return replace(original, steps=tuple(steps))

    assert held(-0.02, -0.05).holding_na == -0.035
    assert [step.held_na for step in held(-0.02, -0.05).steps] == [-0.02, -0.05]
    assert held(0.004, 0.002).holding_na == 0.0  # a bias of the amplifier
    assert [step.held_na for step in held(0.004, 0.05).steps] == [0.0, 0.05]
