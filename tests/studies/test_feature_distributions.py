"""E-features of two families beside each other, by hand."""

import numpy as np
import pytest

from noble.studies import compare_features


def test_features_are_compared_by_what_is_known():
    reference = {
        "width": np.array([1.0, 2.0, 3.0]),
        "rest": np.array([-70.0, np.nan, -71.0]),
        "sag": np.full(3, np.nan),
    }
    found = {
        "width": np.array([2.0, 4.9, 5.1, np.nan]),  # inside, just plausible, too wide, missing
        "rest": np.array([-70.0, np.nan, -70.5, -70.0]),
        "sag": np.full(4, np.nan),
    }
    compared = compare_features(found, reference)
    width, sag = compared.features["width"], compared.features["sag"]
    assert width.median == 4.9
    assert width.reference_median == 2
    assert width.wasserstein == pytest.approx((1 + 2.9 + 2.1) / 3)  # sorted against sorted, as many of each
    nothing = {"median": None, "q05": None, "q95": None, "reference_median": None, "wasserstein": None}
    assert sag.to_dict() == {**nothing, "having_share": 0, "reference_having_share": 0}
    assert (width.having_share, width.reference_having_share) == (0.75, 1.0)
    assert compared.implausible_share == 0.5
    frame = compared.to_frame()
    assert list(frame.index) == ["width", "rest", "sag"]
    assert frame.loc["width", "median"] == 4.9
    assert np.isnan(frame.loc["sag", "median"])


def test_a_family_is_like_itself():
    values = {"width": np.array([1.0, 2.0, 3.0])}
    compared = compare_features(values, values)
    assert compared.features["width"].wasserstein == 0
    assert compared.implausible_share == 0


def test_one_reference_model_leaves_it_to_the_others_what_is_plausible():
    found = {"width": np.array([2.0, 2.5, 5.1])}
    one, all_models = {"width": np.array([2.2])}, {"width": np.array([1.0, 2.2, 3.0])}
    assert compare_features(found, one).implausible_share == pytest.approx(2 / 3)  # its range is the floor's
    compared = compare_features(found, one, plausible=all_models)
    assert compared.implausible_share == pytest.approx(1 / 3)
    assert compared.features["width"].reference_median == 2.2
    assert compared.features["width"].wasserstein == pytest.approx((0.2 + 0.3 + 2.9) / 3)


def test_a_family_without_a_reference_is_described_and_compared_with_nothing():
    compared = compare_features({"width": np.array([1.0, 2.0, 3.0, np.nan])}, None)
    assert compared.features["width"].to_dict() == {
        "median": 2.0,
        "q05": pytest.approx(1.1),
        "q95": pytest.approx(2.9),
        "reference_median": None,
        "wasserstein": None,
        "having_share": 0.75,
        "reference_having_share": None,
    }
    assert compared.implausible_share is None


def test_where_all_models_agree_a_small_difference_is_plausible_and_what_nearly_all_have_is_missed():
    plausible = {"Spikecount": np.full(50, 8.0), "AP1_width": np.append(np.full(49, 0.4), np.nan)}
    found = {"Spikecount": np.array([8.0, 9.0, 20.0, 8.0]), "AP1_width": np.array([0.4, 0.4, 0.4, np.nan])}
    assert compare_features(found, plausible).implausible_share == 0.5
