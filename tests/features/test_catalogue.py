"""The catalogue of features: names and aliases, units, floors, and which values a neuron can have."""

from __future__ import annotations

import math

import efel
import numpy as np
import pytest

from noble.cells import HallOfFame, shipped_halls
from noble.features import FEATURE_NAMES
from noble.features.catalogue import (
    CATALOGUE,
    EFEATURES,
    HALL_FEATURES,
    canonical,
    check_plausible,
    feature,
    unit_of,
)

UNITS = {"1", "Hz", "Hz/nA", "MOhm", "mV", "ms", "nA"}


def test_every_name_and_alias_means_one_feature():
    names = [*CATALOGUE, *(alias for item in CATALOGUE.values() for alias in item.aliases)]
    assert len(names) == len(set(names))
    assert all(item.name == name for name, item in CATALOGUE.items())


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("i_thr", "rheobase"),
        ("rheobase_na", "rheobase"),
        ("current threshold", "rheobase"),
        ("s_thr", "fi_gain"),
        ("fi_gain_hz_per_na", "fi_gain"),
        ("time_constant", "rise_time_63"),
        ("rate_50pA", "rate_rheobase_plus_50pA"),
        ("latency_5pA", "latency_rheobase_plus_5pA"),
        ("first_ISI_200pA", "first_ISI_rheobase_plus_200pA"),
        ("voltage_base", "voltage_base"),
    ],
)
def test_old_names_are_aliases(given: str, name: str):
    assert canonical(given) == name == feature(given).name


def test_a_name_that_is_not_in_the_catalogue_stays_and_is_refused_by_feature():
    assert canonical("my_feature") == "my_feature"
    assert unit_of("my_feature") == ""
    with pytest.raises(ValueError, match=r"'rheobas' is unknown; expected .* such as rheobase"):
        feature("rheobas")
    with pytest.raises(ValueError, match="such as voltage_base"):
        feature("Voltage_base")


def test_every_record_is_complete():
    for item in CATALOGUE.values():
        assert item.unit in UNITS, item.name
        assert item.label, item.name
        assert item.definition.endswith("."), item.name
        assert item.protocol, item.name
        assert item.floor.absolute > 0 or item.floor.relative > 0, item.name
        assert item.plausible[0] < item.plausible[1], item.name


def test_efel_knows_every_feature_of_a_trace():
    known = set(efel.get_feature_names())
    assert {CATALOGUE[name].efel for name in EFEATURES} <= known
    assert set(FEATURE_NAMES) <= set(EFEATURES)
    assert [name for name, item in CATALOGUE.items() if item.efel] == list(EFEATURES)


def test_the_points_of_the_fi_curve_say_where_they_are_taken():
    points = {name: item.curve for name, item in CATALOGUE.items() if item.curve}
    assert len(points) == 3 * 7
    for name, point in points.items():
        assert name == f"{point.quantity}_rheobase_plus_{point.above_pa}pA"
    assert CATALOGUE["rheobase"].curve is None


def test_a_hall_knows_34_features_of_the_catalogue():
    assert len(HALL_FEATURES) == len(set(HALL_FEATURES)) == 34
    assert HALL_FEATURES[:2] == ("rheobase", "fi_gain")
    assert set(HALL_FEATURES) <= set(CATALOGUE)


@pytest.mark.parametrize("name", shipped_halls())
def test_models_of_the_shipped_halls_are_plausible(name: str):
    for model in HallOfFame.load(name).models:
        for key, value in model.features.items():
            check_plausible(key, value)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        (
            "rheobase",
            155.0,
            r"feature rheobase is 155 nA; expected -5 to 5 nA\. If the number is in pA, divide by 1000",
        ),
        ("i_thr", 600.0, "feature i_thr is 600 nA"),
        ("voltage_base", -84_000.0, "mV.*If the number is in uV, divide by 1000"),
        ("input_resistance", 2e8, "MOhm.*Ohm, divide by 1e6"),
        ("rate_rheobase_plus_50pA", -1.0, "expected 0 to 5000 Hz"),
        ("fi_gain", math.inf, "feature fi_gain is inf Hz/nA"),
        ("depol_block", 3.0, "feature depol_block is 3; expected 0 to 1"),
    ],
)
def test_a_value_that_no_neuron_has_is_refused(name: str, value: float, hint: str):
    with pytest.raises(ValueError, match=hint):
        check_plausible(name, np.array([np.nan, value]))
    check_plausible(name, np.nan)


def test_nothing_is_refused_of_a_feature_outside_the_catalogue():
    check_plausible("my_feature", 1e30)
