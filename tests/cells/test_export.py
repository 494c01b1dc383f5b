"""A hall exported for BluePyOpt, opened with BluePyOpt."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checked_hall import checked_hall
from noble.cells import MorphologySource, read_bluepyopt_parameters
from noble.cells.export import export_bluepyopt

REGION_OF = {"somatic": "soma", "axonal": "axon", "basal": "dend"}


def bluepyopt_parameters(file: Path) -> list[Any]:
    """BluePyOpt's own objects for each entry, named as its layer 5 example names them: param_name.sectionlist."""
    ephys = pytest.importorskip("bluepyopt.ephys")
    kinds = {"section": ephys.parameters.NrnSectionParameter, "range": ephys.parameters.NrnRangeParameter}
    made = []
    for entry in json.loads(file.read_text()):
        options = {"value": entry["value"], "frozen": True} if "value" in entry else {"bounds": entry["bounds"]}
        name = entry["param_name"]
        if entry["type"] == "global":
            made.append(ephys.parameters.NrnGlobalParameter(name, param_name=name, **options))
            continue
        where = entry["sectionlist"]
        assert entry["dist_type"] == "uniform"
        location = ephys.locations.NrnSeclistLocation(where, seclist_name=where)
        made.append(kinds[entry["type"]](f"{name}.{where}", param_name=name, locations=[location], **options))
    return made


class Section(list):
    """A section of one segment, on which BluePyOpt sets attributes."""

    def __init__(self) -> None:
        super().__init__([SimpleNamespace()])


def test_bluepyopt_paints_every_model_as_the_hall_says(tmp_path: Path) -> None:
    ephys = pytest.importorskip("bluepyopt.ephys")
    hall = checked_hall()
    parameters, models = export_bluepyopt(hall, tmp_path / "new")
    entries = json.loads(models.read_text())
    assert len(entries) == len(hall)
    for index, entry in enumerate(entries):
        cell = ephys.models.CellModel("exported", params=bluepyopt_parameters(parameters))
        free = {name for name, parameter in cell.params.items() if not parameter.frozen}
        assert set(entry["parameters"]) == free
        with pytest.raises(Exception, match="needs to be set"):
            cell.check_nonfrozen_params(list(free))
        cell.freeze(entry["parameters"])  # refuses names and values that do not fit
        cell.check_nonfrozen_params(list(free))
        sections = {where: Section() for where in REGION_OF}
        icell = SimpleNamespace(
            **{where: [section] for where, section in sections.items()}, all=list(sections.values())
        )
        sim = SimpleNamespace(neuron=SimpleNamespace(h=SimpleNamespace()))
        for parameter in cell.params.values():
            parameter.instantiate(sim=sim, icell=icell, params=cell.params)
        for where, region in REGION_OF.items():
            painted = {**vars(sections[where]), **vars(sections[where][0])}
            reversals = {"ena": hall.cell.e_na_mv, "ek": hall.cell.e_k_mv}
            assert painted == hall.cell_model(index).region_values(region) | reversals
        assert (sim.neuron.h.celsius, sim.neuron.h.v_init) == (hall.cell.celsius, hall.cell.v_init_mv)


def test_the_models_keep_their_order_and_what_is_known_of_them(tmp_path: Path) -> None:
    hall = checked_hall()
    _, models = export_bluepyopt(hall, tmp_path)
    entries = json.loads(models.read_text())
    assert [entry["score"] for entry in entries] == [model.score for model in hall.models]
    assert [entry["seed"] for entry in entries] == [1, 2, 1, 2, 1, 2, 1]
    assert [entry["held_out"] for entry in entries] == [False] * 6 + [True]
    assert entries[2]["parameters"]["gbar_NaV.somatic"] == hall.models[2].values["gbar_NaV.soma"]
    assert entries[2]["parameters"]["e_pas.all"] == hall.models[2].values["e_pas.all"]


def test_the_files_are_named_and_the_parameters_come_back(tmp_path: Path) -> None:
    hall = checked_hall()
    parameters, models = export_bluepyopt(hall, tmp_path)
    assert {parameters.name, models.name} == {"parameters.json", "hall_of_fame.json"}
    read = read_bluepyopt_parameters(parameters, MorphologySource("stylised-pv"))
    assert read.parameters == hall.cell.parameters
