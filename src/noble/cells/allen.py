"""The Allen Institute's fit JSON: active-soma ("perisomatic") and all-active parameter sets, in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from noble.cells.cell import Cell, CellModel, MorphologySource
from noble.cells.channels import split_quantity
from noble.files import write_json

_REGIONS: Final = ("soma", "axon", "dend", "apic")


def read_allen_fit(path: Path | str, morphology: MorphologySource) -> CellModel:
    """A fitted model on a morphology, with nothing free.

    Args:
        path: the fit JSON. Conductances are in S/cm2, cm in uF/cm2, Ra in Ohm cm, potentials in mV, as in the package.
        morphology: its reconstruction; Allen models use the stub axon.

    Raises:
        ValueError: for a file that is no fit JSON, or names an unknown channel or parameter.
    """
    path = Path(path)
    try:
        fit = json.loads(path.read_text(encoding="utf-8"))
        conditions, passive, genome = fit["conditions"][0], fit["passive"][0], fit["genome"]
    except (json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"{path.name} is not an Allen fit JSON; expected the keys conditions, passive and genome ({error})."
        ) from error
    fixed: dict[str, float] = {}
    if "ra" in passive:
        fixed["Ra.all"] = float(passive["ra"])
    if "e_pas" in passive:
        fixed["e_pas.all"] = float(passive["e_pas"])
    for item in passive.get("cm", []):
        fixed[f"cm.{item['section']}"] = float(item["cm"])
    for gene in genome:
        fixed[f"{gene['name']}.{gene['section']}"] = float(gene["value"])
    reversal = {(float(item["ena"]), float(item["ek"])) for item in conditions["erev"]}
    if len(reversal) != 1:
        raise ValueError(
            f"{path.name} has different reversal potentials by section, {sorted(reversal)}; expected one pair."
        )
    e_na_mv, e_k_mv = reversal.pop()
    cell = Cell(
        name=path.stem,
        morphology=morphology,
        fixed=fixed,
        celsius=float(conditions["celsius"]),
        e_na_mv=e_na_mv,
        e_k_mv=e_k_mv,
        v_init_mv=float(conditions["v_init"]),
    )
    return cell.model({})


def write_allen_fit(model: CellModel, path: Path | str) -> None:
    """Write a model as an all-active fit JSON, one gene per quantity and region."""
    cell = model.cell
    values = {region: model.region_values(region) for region in _REGIONS}
    genome: list[dict[str, Any]] = []
    for region, quantities in values.items():
        for quantity, value in quantities.items():
            mechanism = split_quantity(quantity)[0] or ""
            genome.append({"section": region, "name": quantity, "value": value, "mechanism": mechanism})
    fit = {
        "passive": [{"ra": values["soma"].get("Ra", 100.0)}],
        "conditions": [
            {
                "celsius": cell.celsius,
                "erev": [{"section": region, "ena": cell.e_na_mv, "ek": cell.e_k_mv} for region in _REGIONS],
                "v_init": cell.v_init_mv,
            }
        ],
        "genome": genome,
    }
    write_json(path, fit)
