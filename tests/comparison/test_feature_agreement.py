"""z-scores and spreads of one feature, against their formulas."""

import json

import numpy as np
import pytest

from noble.comparison.agreement import FeatureAgreement, StepRates, summarise_features

NAN = np.nan


def test_z_scores_are_distances_in_deviations_of_the_trials():
    agreement = FeatureAgreement("voltage_base", np.array([-72.0, -70.0, -68.0]), np.array([-70.0, -67.0, -60.0]))
    assert agreement.recorded_sd == agreement.deviation == 2.0
    np.testing.assert_allclose(agreement.z_scores, [0, 1.5, 5])
    assert agreement.agreement.to_dict() == pytest.approx(
        {
            "z": 1.5,
            "abs_z": 1.5,
            "mean_abs_z": 6.5 / 3,
            "median_abs_z": 1.5,
            "spread_ratio": np.std([-70, -67, -60], ddof=1) / 2,
            "spread_over_deviation": np.std([-70, -67, -60], ddof=1) / 2,
        }
    )


@pytest.mark.parametrize(
    ("name", "trials", "floor"),
    [
        ("voltage_base", [-70.1, -70.0, -69.9], 1.0),  # mV, absolute
        ("AP1_width", [0.4, 0.4, 0.4], 0.04),  # a tenth of the mean
        ("Spikecount", [40.0, 40.0], 2.0),  # a twentieth, above one spike
        ("Spikecount", [4.0], 1.0),
    ],
)
def test_a_deviation_is_at_least_the_floor_of_targets(name, trials, floor):
    agreement = FeatureAgreement(name, np.array(trials), np.array(trials) + 3 * floor)
    assert agreement.deviation == pytest.approx(floor)
    assert agreement.z == pytest.approx(3)


def test_trials_that_do_not_differ_give_no_ratio():
    agreement = FeatureAgreement("Spikecount", np.array([10.0, 10.0]), np.array([9.0, 11.0]))
    assert agreement.spread_ratio is None
    assert agreement.spread_over_deviation == pytest.approx(np.sqrt(2))
    alone = FeatureAgreement("Spikecount", np.array([10.0]), np.array([9.0, 11.0]))
    assert alone.recorded_sd is None
    assert alone.spread_ratio is None


@pytest.mark.parametrize(
    ("recorded", "predicted", "has"),
    [
        ([0.4, NAN], [0.4, 0.5], (True, True)),  # half is enough
        ([0.4, NAN, NAN], [0.4, 0.5], (False, True)),  # one by chance is not
        ([0.4, 0.5], [NAN, NAN, 0.4], (True, False)),
        ([NAN], [NAN], (False, False)),
    ],
)
def test_a_side_has_what_at_least_half_of_its_traces_have(recorded, predicted, has):
    agreement = FeatureAgreement("AP1_width", np.array(recorded), np.array(predicted))
    assert (agreement.recording_has, agreement.family_has) == has
    assert (agreement.z is not None) == all(has)
    assert (agreement.spread_over_deviation is not None) == all(has)
    content = json.loads(json.dumps(agreement.to_dict(), allow_nan=False))
    assert content["recorded"]["having"] == np.isfinite(recorded).sum()
    assert content["family"]["traces"] == len(predicted)


def test_quartiles_are_of_the_traces_that_have_it():
    content = FeatureAgreement("AP1_width", np.array([1.0, 2, 3, 4, 5, NAN]), np.array([7.0])).to_dict()
    assert content["recorded"] == {
        **{"traces": 6, "having": 5, "mean": 3, "q25": 2, "median": 3, "q75": 4},
        "sd": pytest.approx(np.sqrt(2.5)),
    }
    assert content["family"]["median"] == 7
    assert content["unit"] == "ms"


def test_a_summary_takes_medians_over_the_steps_that_both_sides_have():
    def at(shift: float) -> FeatureAgreement:
        return FeatureAgreement("voltage_base", np.array([-72.0, -70.0, -68.0]), np.array([-71.0, -69.0]) + shift)

    missing = FeatureAgreement("voltage_base", np.array([-70.0]), np.array([NAN]))
    extra = FeatureAgreement("voltage_base", np.array([NAN]), np.array([-70.0]))
    steps = [(-0.1, at(2)), (0.1, at(-4)), (0.2, at(20)), (0.3, missing), (0.4, extra)]
    summary = summarise_features({"voltage_base": steps, "sag_amplitude": []})
    assert summary["voltage_base"].to_dict() == {
        "steps": 3,
        "missing_at_na": [0.3],
        "extra_at_na": [0.4],
        "abs_z": 2.0,  # of 1, 2 and 10
        "mean_abs_z": 2.0,
        "median_abs_z": 2.0,
        "spread_ratio": pytest.approx(np.sqrt(2) / 2),
        "spread_over_deviation": pytest.approx(np.sqrt(2) / 2),
    }
    assert summary["sag_amplitude"].steps == 0
    assert summary["sag_amplitude"].abs_z is None


def test_rates_of_trials_and_family():
    rates = StepRates.of(np.array([10.0, 14.0]), np.arange(101.0)).to_dict()
    assert rates["recorded"] == {"mean": 12, "sd": pytest.approx(np.sqrt(8)), "trials": [10, 14]}
    assert rates["family"] == pytest.approx({"median": 50, "q05": 5, "q95": 95})
    assert StepRates.of(np.array([10.0]), np.zeros(2)).recorded.sd is None
