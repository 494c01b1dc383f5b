"""`Neurons`: names travel with features, whatever form they come in; what has no names or no sense is refused."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from noble.features.neurons import Neurons

NAMES = ("rheobase", "fi_gain")
TABLE = np.array([[0.16, 600.0], [0.18, 500.0], [0.2, 550.0]])
EXPECTED = Neurons(NAMES, TABLE)


@pytest.mark.parametrize(
    "given",
    [
        EXPECTED,
        {"rheobase": TABLE[:, 0], "fi_gain": TABLE[:, 1].tolist()},
        MappingProxyType({"i_thr": TABLE[:, 0], "s_thr": TABLE[:, 1]}),
        pd.DataFrame(TABLE, columns=["rheobase_na", "fi_gain_hz_per_na"], index=["a", "b", "c"]),
        xr.DataArray(TABLE, dims=("neuron", "feature"), coords={"feature": list(NAMES)}),
        xr.DataArray(TABLE.T, dims=("feature", "neuron"), coords={"feature": ["i_thr", "s_thr"]}),
        xr.Dataset({"rheobase": ("neuron", TABLE[:, 0]), "fi_gain": ("neuron", TABLE[:, 1])}),
        xr.Dataset({"measured": (("neuron", "feature"), TABLE)}, coords={"feature": list(NAMES)}),
        [{"rheobase": low, "fi_gain": gain} for low, gain in TABLE],
        ({"fi_gain": gain, "i_thr": low} for low, gain in TABLE),
    ],
)
def test_every_labelled_form_gives_the_same_table(given: object):
    found = Neurons.of(tuple(given) if not hasattr(given, "__len__") else given)
    np.testing.assert_array_equal(found.table(NAMES), TABLE)
    assert len(found) == 3


def test_columns_are_taken_by_name_and_not_by_place():
    found = Neurons.of(pd.DataFrame(TABLE[:, ::-1], columns=["s_thr", "i_thr"]))
    assert found.names == ("fi_gain", "rheobase")
    np.testing.assert_array_equal(found.table(("i_thr", "fi_gain")), TABLE)


def test_numbers_stand_for_every_neuron():
    assert Neurons.of({"rheobase": 0.16, "fi_gain": 600}) == EXPECTED[:1]
    broadcast = Neurons.of({"rheobase": [0.1, 0.2], "fi_gain": 600})
    np.testing.assert_array_equal(broadcast.values, [[0.1, 600.0], [0.2, 600.0]])
    assert Neurons.of(pd.Series({"rheobase": 0.16, "fi_gain": 600.0})) == EXPECTED[:1]
    assert Neurons.of(xr.DataArray([0.16, 600.0], dims="feature", coords={"feature": list(NAMES)})) == EXPECTED[:1]


def test_neurons_are_a_sequence_of_mappings():
    assert EXPECTED[1] == {"rheobase": 0.18, "fi_gain": 500.0}
    assert [neuron["rheobase"] for neuron in EXPECTED] == [0.16, 0.18, 0.2]
    assert EXPECTED[1:] == Neurons(NAMES, TABLE[1:])
    assert EXPECTED[1:] != Neurons(("voltage_base", "fi_gain"), TABLE[1:])
    assert repr(EXPECTED) == "<Neurons: 3 by rheobase, fi_gain>"


def test_values_cannot_be_changed_from_outside():
    own = TABLE.copy()
    found = Neurons(NAMES, own)
    own[0, 0] = 9.0
    assert found.values[0, 0] == 0.16
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0] = 1.0


def test_there_and_back_through_pandas_and_xarray():
    assert Neurons.of(EXPECTED.to_frame()) == EXPECTED
    labelled = EXPECTED.to_xarray()
    assert Neurons.of(labelled) == EXPECTED
    assert labelled["rheobase"].attrs == {"units": "nA", "long_name": "Rheobase"}


def test_no_neurons_have_whatever_features_are_asked_for():
    assert Neurons.of([]).table(NAMES).shape == (0, 2)
    assert len(Neurons.of({"rheobase": []})) == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (TABLE, r"features came as an array without names; pass a mapping such as \{"),
        (TABLE.tolist(), "a sequence with list in it, without names"),
        ([0.16, 600.0], "a sequence with float in it, without names"),
        (0.16, "features came as float; pass a mapping"),
        ("rheobase=0.16", "features came as str"),
        (None, "features came as NoneType"),
        (xr.DataArray(TABLE, dims=("neuron", "feature")), "a coordinate of names"),
        (xr.DataArray(TABLE, dims=("neuron", "other")), "over neuron, other; expected a dimension 'feature'"),
        ({"rheobase": 0.16, "i_thr": 0.16}, "'rheobase' and 'i_thr' were given and mean the same, rheobase"),
        (pd.DataFrame(TABLE, columns=["rheobase", "rheobase"]), "feature rheobase was given twice"),
        ({"rheobas": 0.16}, "the feature 'rheobas' is unknown; .* such as rheobase"),
        ({"rheobase": np.nan}, "feature rheobase of neuron 0 is nan; expected a finite number in nA"),
        ({"rheobase": [0.1, np.inf]}, "feature rheobase of neuron 1 is inf"),
        ({"rheobase": 155.0, "fi_gain": 600.0}, "rheobase is 155 nA; .* in pA, divide by 1000"),
        ({"i_thr": 600.0, "s_thr": 0.16}, "feature i_thr is 600 nA"),
        ({"rheobase": "0.16"}, "feature rheobase is '0.16'; expected a number"),
        ({"rheobase": None}, "feature rheobase is None"),
        ({"rheobase": True}, "feature rheobase is True"),
        ({"rheobase": [[0.1, 0.2]]}, "expected a number, or one number per neuron"),
        ({"rheobase": [0.1, 0.2], "fi_gain": [500.0] * 3}, "rheobase has 2, fi_gain has 3"),
        ([{"rheobase": 0.1}, {"fi_gain": 500.0}], r"neuron 1 .* differ in fi_gain, rheobase"),
        ([{"rheobase": 0.1}, None], "a sequence with NoneType in it"),
    ],
)  # fmt: skip
def test_what_has_no_names_or_no_sense_is_refused(given: object, message: str):
    with pytest.raises(ValueError, match=message) as caught:
        Neurons.of(given)
    assert "\n" not in str(caught.value)


def test_an_operator_may_have_features_of_its_own():
    with pytest.raises(ValueError, match="'warmth' is unknown"):
        Neurons.of({"warmth": 1.0})
    assert Neurons.of({"warmth": 1.0}, also=("warmth",)).names == ("warmth",)


def test_a_feature_that_the_neurons_lack_is_named():
    with pytest.raises(ValueError, match="no feature voltage_base; they have rheobase, fi_gain"):
        EXPECTED.table(("rheobase", "voltage_base"))
    with pytest.raises(ValueError, match=r"shape \(2,\) were given for 2 features"):
        Neurons(NAMES, TABLE[0])
