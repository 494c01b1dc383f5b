"""BluePyOpt's parameters JSON, in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noble.cells import (
    Cell,
    MorphologySource,
    Parameter,
    builtin_cell,
    read_bluepyopt_parameters,
    write_bluepyopt_parameters,
)

SOURCE = MorphologySource("stylised-pv")


def test_a_cell_survives_the_file(tmp_path: Path) -> None:
    cell = Cell(
        "mixed",
        SOURCE,
        parameters=(Parameter("gbar_NaV", "soma", 0.1, 1.0), Parameter("decay_CaDynamics", "axon", 20.0, 1000.0)),
        fixed={"Ra.all": 100.0, "g_pas.dend": 1e-5, "e_pas.apic": -70.0, "gamma_CaDynamics.axon": 0.05},
        celsius=35.0,
        e_na_mv=50.0,
        e_k_mv=-90.0,
        v_init_mv=-72.0,
    )
    write_bluepyopt_parameters(cell, tmp_path / "mixed.json")
    assert read_bluepyopt_parameters(tmp_path / "mixed.json", SOURCE) == cell


def test_the_built_in_cell_survives_the_file(tmp_path: Path) -> None:
    cell = builtin_cell("stylised-pv")
    write_bluepyopt_parameters(cell, tmp_path / "parameters.json")
    assert read_bluepyopt_parameters(tmp_path / "parameters.json", SOURCE, name=cell.name) == cell


def test_an_entry_is_written_as_bluepyopt_expects(tmp_path: Path) -> None:
    cell = Cell(
        "one", SOURCE, (Parameter("gbar_Im_v2", "dend", 1e-7, 0.01),), fixed={"g_pas.all": 1e-4, "cm.soma": 1.0}
    )
    write_bluepyopt_parameters(cell, tmp_path / "one.json")
    entries = {entry["param_name"]: entry for entry in json.loads((tmp_path / "one.json").read_text())}
    assert entries["gbar_Im_v2"] == {
        "param_name": "gbar_Im_v2",
        "type": "range",
        "mech": "Im_v2",
        "mech_param": "gbar",
        "sectionlist": "basal",
        "dist_type": "uniform",
        "bounds": [1e-7, 0.01],
    }
    assert (entries["g_pas"]["mech"], entries["g_pas"]["mech_param"], entries["g_pas"]["value"]) == ("pas", "g", 1e-4)
    assert (entries["cm"]["type"], entries["cm"]["sectionlist"]) == ("section", "somatic")
    assert entries["celsius"]["type"] == "global"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"param_name": "gbar_Ih", "sectionlist": "basal", "dist_type": "exp", "bounds": [0, 1]}, "only uniform"),
        ({"param_name": "gbar_Ih", "sectionlist": "glial", "bounds": [0, 1]}, "'glial'; expected one of somatic"),
        ({"param_name": "gbar_Ih", "sectionlist": "basal"}, "neither bounds nor a value"),
        ({"param_name": "gbar_Ix", "sectionlist": "basal", "bounds": [0, 1]}, "channel 'Ix'"),
        (
            {"param_name": "gbar_Ih", "sectionlist": "basal", "bounds": [0, 1, 2]},
            r"bad\.json: gbar_Ih on dend has bounds",
        ),
        (
            {"param_name": "gbar_Ih", "sectionlist": "basal", "bounds": None},
            r"bad\.json: gbar_Ih on dend has bounds None",
        ),
        (
            {"param_name": "gbar_Ih", "sectionlist": "basal", "bounds": [0, "x"]},
            r"bad\.json: a bound of gbar_Ih on dend",
        ),
        ({"param_name": "gbar_Ih", "sectionlist": "basal", "value": None}, r"bad\.json: gbar_Ih on dend is None"),
        ({"param_name": "celsius", "value": None}, r"bad\.json: celsius is None; expected a number"),
        ({"param_name": "celsius"}, r"bad\.json is not a BluePyOpt parameters JSON.*'value'"),
        ({"sectionlist": "basal", "value": 1}, r"bad\.json is not a BluePyOpt parameters JSON.*'param_name'"),
        ({"param_name": 3, "sectionlist": "basal", "bounds": [0, 1]}, r"bad\.json is not a BluePyOpt parameters JSON"),
        ({"param_name": "cm", "sectionlist": ["basal"], "value": 1}, r"bad\.json is not a BluePyOpt parameters JSON"),
        ("gbar_Ih", r"bad\.json is not a BluePyOpt parameters JSON"),
    ],
)
def test_what_cannot_be_represented_is_refused(entry: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(json.dumps([entry]))
    with pytest.raises(ValueError, match=message):
        read_bluepyopt_parameters(tmp_path / "bad.json", SOURCE)


@pytest.mark.parametrize("text", ["not JSON", "7", '{"celsius": 34}'])
def test_what_is_no_list_of_entries_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.json is not a BluePyOpt parameters JSON"):
        read_bluepyopt_parameters(tmp_path / "bad.json", SOURCE)


def test_what_holds_on_a_region_comes_after_what_is_free_everywhere(tmp_path: Path) -> None:
    """BluePyOpt sets the entries in their order, and the last one wins."""
    cell = Cell("one", SOURCE, (Parameter("g_pas", "all", 1e-7, 1e-2),), fixed={"g_pas.dend": 1e-5, "cm.all": 1.0})
    write_bluepyopt_parameters(cell, tmp_path / "parameters.json")
    entries = json.loads((tmp_path / "parameters.json").read_text())
    written = [(entry["param_name"], entry.get("sectionlist")) for entry in entries]
    assert written[4:] == [("cm", "all"), ("g_pas", "all"), ("g_pas", "basal")]
