"""BluePyOpt's parameters JSON, as its examples and evaluators read and write it, and halls of fame in its names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from noble.cells.cell import Cell, MorphologySource, Parameter, canonical_name
from noble.cells.channels import split_quantity
from noble.files import number, numbers_by_name, read_json, shortened, write_json

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
    # BluePyOpt sets entries in their order; what holds on a region must come after what is free everywhere.
    free_everywhere = {item.quantity for item in cell.parameters if item.region == "all"}
    last = [name for name in cell.fixed if name.rpartition(".")[0] in free_everywhere]
    content += [_fixed(cell, name) for name in cell.fixed if name not in last]
    for parameter in cell.parameters:
        content.append({**_entry(parameter.quantity, parameter.region), "bounds": [parameter.low, parameter.high]})
    content += [_fixed(cell, name) for name in last]
    write_json(path, content)


def _fixed(cell: Cell, name: str) -> dict[str, Any]:
    quantity, _, region = name.rpartition(".")
    return {**_entry(quantity, region), "value": cell.fixed[name]}


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
        ValueError: for a file that is no such JSON, a distribution along the dendrite (only uniform ones are supported), an
            unknown section list, channel or parameter, or an entry with neither bounds nor value.
    """
    path = Path(path)
    content = read_json(path, expected="a BluePyOpt parameters JSON")
    fixed: dict[str, float] = {}
    parameters: list[Parameter] = []
    conditions: dict[str, float] = {}
    try:
        for entry in content:
            if entry["param_name"] in _GLOBALS:
                what = f"{path.name}: {entry['param_name']}"
                conditions[_GLOBALS[entry["param_name"]]] = number(entry["value"], what=what, text=True)
            elif "bounds" in entry:
                parameters.append(_free(entry, path.name))
            else:
                quantity, region = _place(entry, path.name)
                if "value" not in entry:
                    raise ValueError(f"{path.name}: {quantity} on {region} has neither bounds nor a value.")
                fixed[f"{quantity}.{region}"] = number(
                    entry["value"], what=f"{path.name}: {quantity} on {region}", text=True
                )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path.name} is not a BluePyOpt parameters JSON; expected a list of objects with param_name, sectionlist and "
            f"bounds or value ({type(error).__name__}: {error})."
        ) from error
    return Cell(name=name or path.stem, morphology=morphology, parameters=tuple(parameters), fixed=fixed, **conditions)


@dataclass(frozen=True)
class HallEntry:
    """A model of a hall of fame in BluePyOpt's names.

    Attributes:
        values: by our parameter names.
        score, seed: as `export_bluepyopt` writes them; None where the file does not say.
    """

    values: dict[str, float]
    score: float | None
    seed: int | None


def read_bluepyopt_hall(path: Path | str) -> dict[str, HallEntry]:
    """The models of a hall of fame: a JSON list of them, or an object of them by name.

    A model is an object with `parameters` (as `export_bluepyopt` writes it, with its score and seed) or `params` (as BluePyEModel
    does, whose score is another quantity and is left alone), or the object of values itself, as `param_dict` gives it.

    Returns:
        By the name of each; `model 0`, `model 1`, ... for a list.

    Raises:
        ValueError: for a file that is no such JSON, or names an unknown section list.
    """
    path = Path(path)
    content = read_json(path, expected="a BluePyOpt hall of fame")
    if isinstance(content, list):
        content = {f"model {index}": entry for index, entry in enumerate(content)}
    if not isinstance(content, dict) or not content or not all(isinstance(entry, dict) for entry in content.values()):
        raise ValueError(
            f"{path.name} is not a hall of fame of BluePyOpt; expected a JSON list of models, each an object of values by name "
            "(gbar_NaV.somatic)."
        )
    return {name: _hall_entry(entry, what=f"{path.name}, {name}") for name, entry in content.items()}


def _hall_entry(entry: dict[str, Any], *, what: str) -> HallEntry:
    """One model, checked."""
    raw = entry.get("parameters", entry.get("params", entry))
    values = {}
    for name, value in numbers_by_name(raw, what=what).items():
        quantity, _, section_list = name.rpartition(".")
        if section_list not in _REGIONS:
            raise ValueError(f"{what}: {name} is on {section_list!r}; expected one of {', '.join(_REGIONS)}.")
        values[canonical_name(f"{quantity}.{_REGIONS[section_list]}")] = float(value)
    score, seed = (entry.get(key) if "parameters" in entry else None for key in ("score", "seed"))
    if score is not None and (score := number(score, what=f"{what}: score")) < 0:
        raise ValueError(f"{what}: score is {score:g}; expected a mean |z|, 0 or more.")
    if seed is not None and (type(seed) is not int or seed < 0):
        raise ValueError(f"{what}: seed is {shortened(seed)}; expected a whole number, 0 or more.")
    return HallEntry(values, score, seed)


def _free(entry: dict[str, Any], file: str) -> Parameter:
    """An entry with bounds."""
    quantity, region = _place(entry, file)
    if not isinstance(entry["bounds"], list) or len(entry["bounds"]) != 2:
        raise ValueError(
            f"{file}: {quantity} on {region} has bounds {shortened(entry['bounds'])}; expected two numbers."
        )
    low, high = (
        number(bound, what=f"{file}: a bound of {quantity} on {region}", text=True) for bound in entry["bounds"]
    )
    return Parameter(quantity, region, low, high)


def _place(entry: dict[str, Any], file: str) -> tuple[str, str]:
    """Quantity and region of an entry."""
    quantity = entry["param_name"]
    if entry.get("dist_type", "uniform") != "uniform":
        raise ValueError(f"{file}: {quantity} varies along the cell ({entry['dist_type']}); only uniform is supported.")
    if entry.get("sectionlist") not in _REGIONS:
        raise ValueError(
            f"{file}: {quantity} is on {entry.get('sectionlist')!r}; expected one of {', '.join(_REGIONS)}."
        )
    return quantity, _REGIONS[entry["sectionlist"]]
