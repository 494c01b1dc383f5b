"""BluePyOpt's parameters JSON, as its examples and evaluators read and write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from noble.cells.cell import Cell, MorphologySource, Parameter
from noble.cells.channels import split_quantity
from noble.files import write_json

_SECTION_LISTS: Final = {"soma": "somatic", "axon": "axonal", "dend": "basal", "apic": "apical", "all": "all"}
_REGIONS: Final = {section_list: region for region, section_list in _SECTION_LISTS.items()}
_GLOBALS: Final = {"celsius": "celsius", "v_init": "v_init_mv", "ena": "e_na_mv", "ek": "e_k_mv"}


def write_bluepyopt_parameters(cell: Cell, path: Path | str) -> None:
    """Write a cell's free parameters with their bounds, its fixed ones and its conditions."""
    content: list[dict[str, Any]] = [
        {"param_name": "celsius", "type": "global", "value": cell.celsius},
        {"param_name": "v_init", "type": "global", "value": cell.v_init_mv},
        {"param_name": "ena", "type": "section", "dist_type": "uniform", "sectionlist": "all", "value": cell.e_na_mv},
        {"param_name": "ek", "type": "section", "dist_type": "uniform", "sectionlist": "all", "value": cell.e_k_mv},
    ]
    for name, value in cell.fixed.items():
        quantity, _, region = name.rpartition(".")
        content.append({**_entry(quantity, region), "value": value})
    for parameter in cell.parameters:
        content.append({**_entry(parameter.quantity, parameter.region), "bounds": [parameter.low, parameter.high]})
    write_json(path, content)


def _entry(quantity: str, region: str) -> dict[str, Any]:
    channel, parameter = split_quantity(quantity)
    entry: dict[str, Any] = {"param_name": quantity, "sectionlist": _SECTION_LISTS[region], "dist_type": "uniform"}
    if channel is not None:
        return {**entry, "type": "range", "mech": channel, "mech_param": parameter}
    if quantity in ("g_pas", "e_pas"):
        return {**entry, "type": "range", "mech": "pas", "mech_param": quantity[0]}
    return {**entry, "type": "section"}


def read_bluepyopt_parameters(path: Path | str, morphology: MorphologySource, *, name: str | None = None) -> Cell:
    """A cell from a parameters JSON: entries with bounds are free, those with a value are fixed.

    Raises:
        ValueError: for a distribution along the dendrite (only uniform ones are supported), an unknown section list,
            channel or parameter, or an entry with neither bounds nor value.
    """
    path = Path(path)
    fixed: dict[str, float] = {}
    parameters: list[Parameter] = []
    conditions: dict[str, float] = {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        quantity = entry["param_name"]
        if quantity in _GLOBALS:
            conditions[_GLOBALS[quantity]] = float(entry["value"])
            continue
        if entry.get("dist_type", "uniform") != "uniform":
            raise ValueError(
                f"{path.name}: {quantity} varies along the cell ({entry['dist_type']}); only uniform is supported."
            )
        if entry.get("sectionlist") not in _REGIONS:
            raise ValueError(
                f"{path.name}: {quantity} is on {entry.get('sectionlist')!r}; expected one of {', '.join(_REGIONS)}."
            )
        region = _REGIONS[entry["sectionlist"]]
        if "bounds" in entry:
            parameters.append(Parameter(quantity, region, *(float(bound) for bound in entry["bounds"])))
        elif "value" in entry:
            fixed[f"{quantity}.{region}"] = float(entry["value"])
        else:
            raise ValueError(f"{path.name}: {quantity} on {region} has neither bounds nor a value.")
    return Cell(name=name or path.stem, morphology=morphology, parameters=tuple(parameters), fixed=fixed, **conditions)
