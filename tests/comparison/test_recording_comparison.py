"""A fake family beside a made-up recording: who is compared, in which windows, and what comes out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from noble.comparison.comparable import comparable_sweeps
from noble.comparison.recording import compare_recording
from noble.features import FEATURE_NAMES
from noble.targets.targets import measure_targets
from recorded_family import FIRING_NA, FakeOperator, recording, resting_at, sweep, three_trials

FAMILY = resting_at(-68.0, -67.0, -66.0)


@pytest.fixture(scope="module")
def compared():
    return compare_recording(FakeOperator(), FAMILY, three_trials(), dt_ms=0.06)


def test_the_family_answers_the_recorded_steps_in_the_window_of_targets():
    operator = FakeOperator()
    progress = []
    compared = compare_recording(
        operator, FAMILY, three_trials(), dt_ms=0.06, progress=lambda done, total: progress.append((done, total))
    )
    assert [step.amplitude_na for step, _ in operator.asked] == [-0.1, 0.05, FIRING_NA]
    for step, grid in operator.asked:
        assert (step.start_ms, step.stop_ms) == pytest.approx((50, 150))  # at most 50 ms before
        assert grid.dt_ms == 0.06
        assert grid.duration_ms == pytest.approx(50 + 100 + 80, abs=0.12)  # at most 100 ms after; there are 80
    assert progress == [(0, 3), (1, 3), (2, 3), (3, 3)]
    for step in compared.steps:
        assert {(trial.onset_ms, trial.offset_ms) for trial in step.trials} == {(50, 150)}
        assert [trial.trace.grid.duration_ms for trial in step.trials] == pytest.approx([230.1] * 3)
        assert step.family.single_mv.shape == (3, step.family.grid.count)
        np.testing.assert_allclose(step.family.quantiles_mv[1], step.family.single_mv[1], atol=1e-4)


def test_z_scores_and_spread_of_a_shifted_family(compared):
    """Trials rest at -71, -70 and -69 mV, and so have the floor's deviation of 1 mV; the family rests 3 mV higher."""
    assert len(compared.steps) == 3
    for step in compared.steps:
        base = step.features["voltage_base"]
        np.testing.assert_allclose(base.z_scores, [2, 3, 4], atol=1e-4)
        assert base.agreement.to_dict() == pytest.approx(
            {"z": 3, "abs_z": 3, "mean_abs_z": 3, "median_abs_z": 3, "spread_ratio": 1, "spread_over_deviation": 1},
            abs=1e-4,
        )
        assert set(step.features) == set(FEATURE_NAMES)
    # Equal answers on grids of 0.1 and 0.06 ms have the same timing and shape.
    firing = compared.steps[2].features
    for name in ("time_to_first_spike", "AP1_width", "mean_frequency", "inv_first_ISI", "Spikecount", "depol_block"):
        assert abs(firing[name].z) < 0.2, name
    assert compared.steps[0].features["AP1_width"].z is None
    assert not compared.steps[0].features["AP1_width"].recording_has


def test_means_and_deviations_are_those_of_targets(compared):
    measured = measure_targets(three_trials())
    shared = 0
    for step, target_step in zip(compared.steps, measured.steps, strict=True):
        assert step.typical == set(FEATURE_NAMES) & (set(target_step.features) | set(target_step.left_out))
        for name in step.typical & set(target_step.features):
            target, feature = target_step.features[name], step.features[name]
            assert feature.recorded.mean() == pytest.approx(target.mean), name
            assert feature.deviation == pytest.approx(target.std), name
            shared += 1
    assert shared > 15


def test_a_trial_without_noise_is_shown_but_not_counted_among_noisy_ones():
    resting = (-60.0, -71.0, -70.0, -69.0)
    sweeps = [sweep(str(rest), -0.1, rest_mv=rest) for rest in resting]
    noisy = [replace(one, amplitude_error_na=1e-4) for one in sweeps[1:]]
    [step] = compare_recording(FakeOperator(), FAMILY, recording(sweeps[0], *noisy), dt_ms=0.06).steps
    assert [trial.clean for trial in step.trials] == [True, False, False, False]
    np.testing.assert_allclose(step.features["voltage_base"].recorded, resting[1:], atol=1e-3)
    assert step.recorded_rates_hz.shape == (3,)
    facts = step.to_dict()
    assert (facts["trials"], facts["clean_trials_left_out"]) == (3, 1)
    # A single noisy trial has no deviation, so there everything counts.
    [step] = compare_recording(FakeOperator(), FAMILY, recording(*sweeps[:3], noisy[2]), dt_ms=0.06).steps
    assert step.recorded_rates_hz.shape == (4,)


def test_firing_rates(compared):
    for step in compared.steps:
        expected = 1e3 / 25 if step.amplitude_na == FIRING_NA else 0  # a spike every 25 ms
        np.testing.assert_allclose(step.recorded_rates_hz, [expected] * 3, atol=0.05)
        np.testing.assert_allclose(step.predicted_rates_hz, [expected] * 3, atol=0.05)
        assert step.fires == (expected > 0)


def test_a_silent_family_lacks_the_features_of_spikes():
    compared = compare_recording(FakeOperator(silent=True), FAMILY, three_trials(), dt_ms=0.06)
    summary = compared.summary()
    assert summary["AP1_width"].missing_at_na == (FIRING_NA,)
    assert summary["AP1_width"].abs_z is None
    count = compared.steps[2].features["Spikecount"]
    assert count.z == pytest.approx(-4)  # spikes, with a floor of one
    assert summary["Spikecount"].steps == 2  # not where the current is negative
    assert summary["Spikecount"].abs_z == pytest.approx(2)  # between 0 and 4


def test_numbers_as_json(compared):
    content = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert content["neurons"] == 3
    assert content["recording"]["sweeps"] == 9
    assert content["protocol"]["step_ms"] == 100
    assert [step["trials"] for step in content["steps"]] == [3, 3, 3]
    assert content["steps"][0]["features"]["sag_amplitude"]["counted"]
    assert not content["steps"][2]["features"]["steady_state_voltage"]["counted"]
    assert list(content["summary"]) == list(FEATURE_NAMES)


def test_trials_of_one_step_may_differ_in_sampling_and_onset():
    mixed = recording(
        sweep("coarse", FIRING_NA),
        sweep("fine", FIRING_NA, dt_ms=0.05, before_ms=90.0, after_ms=150.0),
    )
    [step] = compare_recording(FakeOperator(), resting_at(-70.0), mixed, dt_ms=0.06).steps
    assert [trial.trace.grid.dt_ms for trial in step.trials] == [0.1, 0.05]
    assert [trial.onset_ms for trial in step.trials] == pytest.approx([50, 50])
    np.testing.assert_array_equal(step.features["Spikecount"].recorded, [4, 4])
    np.testing.assert_allclose(step.features["time_to_first_spike"].recorded, [10, 10], atol=0.2)
    np.testing.assert_allclose(step.features["AP1_width"].recorded[0], step.features["AP1_width"].recorded[1], rtol=0.1)


def test_one_bad_sweep_is_listed_and_does_not_stop_the_others():
    kept = sweep("good", 0.05), sweep("also good", 0.05)
    bad = (
        sweep("held", 0.05, holding_na=-0.02),
        sweep("short", 0.05, step_ms=40.0),
        sweep("cut off", 0.05, after_ms=2.0),
        sweep("early", 0.05, before_ms=1.0),
    )
    left = comparable_sweeps(recording(*kept, *bad, unusable={"ramp": "its stimulus is not one rectangular step."}))
    assert left.sweeps == kept
    assert left.unusable == {
        "ramp": "its stimulus is not one rectangular step.",
        "held": "it was recorded under a holding current of -0.02 nA; an operator rests without.",
        "short": "its step lasts 40 ms; expected 100 ms, as most steps do. Choose another by --step-ms or --protocol.",
        "cut off": "only 2 ms lie before or after its step; expected at least 5 ms on both sides.",
        "early": "only 1 ms lie before or after its step; expected at least 5 ms on both sides.",
    }


def test_the_commonest_length_is_that_of_usable_sweeps_and_the_longer_of_two():
    held = [sweep(f"held {index}", 0.05, step_ms=40.0, holding_na=0.1) for index in range(5)]
    left = comparable_sweeps(recording(*held, sweep("short", 0.05, step_ms=40.0), sweep("long", 0.05)))
    assert [one.name for one in left.sweeps] == ["long"]
    assert len(left.unusable) == 6


def test_an_operator_of_held_models_answers_recordings_that_are_held_alike():
    sweeps = [sweep("free", 0.05), sweep("held", 0.05, holding_na=0.1), sweep("nearly", 0.05, holding_na=0.097)]
    found = comparable_sweeps(recording(*sweeps), holding_na=0.1)
    assert [item.name for item in found.sweeps] == ["held", "nearly"]
    assert found.unusable == {
        "free": "it was recorded under a holding current of 0 nA; an operator rests under 0.1 nA."
    }


def test_a_bias_of_the_amplifier_is_no_holding_current():
    assert len(comparable_sweeps(recording(sweep("biased", 0.05, holding_na=0.003))).sweeps) == 1


def test_nothing_comparable_is_refused_with_a_reason():
    held = recording(sweep("one", 0.05, holding_na=0.1), sweep("two", 0.05, holding_na=0.1))
    with pytest.raises(
        ValueError, match=r"answer alike; one, one of 2: it was recorded under a holding current of 0.1 nA"
    ):
        compare_recording(FakeOperator(), FAMILY, held, dt_ms=0.06)
