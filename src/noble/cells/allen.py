"""The Allen Institute's fit JSON: active-soma ("perisomatic") and all-active parameter sets, in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from noble.cells.cell import Cell, CellModel, MorphologySource
from noble.cells.channels import split_quantity
from noble.files import number, read_json, write_json

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
    fit = read_json(path, expected="an Allen fit JSON")
    try:
        fixed, conditions = _values(fit, path.name), _conditions(fit, path.name)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path.name} is not an Allen fit JSON; expected the keys conditions, passive and genome, with celsius, v_init "
            f"and erev in conditions ({type(error).__name__}: {error})."
        ) from error
    return Cell(name=path.stem, morphology=morphology, fixed=fixed, **conditions).model({})


def _values(fit: Any, file: str) -> dict[str, float]:
    """What the fit sets, by our names."""
    passive = fit["passive"][0]
    raw = {f"{name}.all": passive[key] for key, name in (("ra", "Ra"), ("e_pas", "e_pas")) if key in passive}
    raw |= {f"cm.{item['section']}": item["cm"] for item in passive.get("cm", [])}
    raw |= {f"{gene['name']}.{gene['section']}": gene["value"] for gene in fit["genome"]}
    return {name: number(value, what=f"{file}: {name}", text=True) for name, value in raw.items()}


def _conditions(fit: Any, file: str) -> dict[str, Any]:
    """Temperature, initial and reversal potentials, as arguments of `Cell`."""
    conditions = fit["conditions"][0]
    reversal = {
        tuple(number(item[key], what=f"{file}: {key} of {item.get('section')}", text=True) for key in ("ena", "ek"))
        for item in conditions["erev"]
    }
    if len(reversal) != 1:
        found = (
            f"different reversal potentials by section, {sorted(reversal)}" if reversal else "no reversal potentials"
        )
        raise ValueError(f"{file} has {found}; expected one pair.")
    e_na_mv, e_k_mv = reversal.pop()
    celsius, v_init_mv = (number(conditions[key], what=f"{file}: {key}", text=True) for key in ("celsius", "v_init"))
    return {"celsius": celsius, "v_init_mv": v_init_mv, "e_na_mv": e_na_mv, "e_k_mv": e_k_mv}


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
