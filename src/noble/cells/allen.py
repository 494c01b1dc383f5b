"""The Allen Institute's fit JSON: active-soma ("perisomatic") and all-active parameter sets, in and out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from noble.cells.cell import AxonKind, Cell, CellModel, MorphologySource
from noble.cells.channels import split_quantity
from noble.files import number, read_json, shortened, write_json

_REGIONS: Final = ("soma", "axon", "dend", "apic")
# What a fit says about the axon, in hoc: that it is deleted, and that a stub is made in its place.
_DELETES, _MAKES = "delete_section", "create axon"
_DELETING: Final = "forsec axonal{delete_section()}"


class OtherAxonWarning(UserWarning):
    """A model stands on another axon than its fit was made with, since the user chose so."""


@dataclass(frozen=True)
class AllenFit:
    """What a fit JSON says.

    Attributes:
        name: of the file, without its ending.
        fixed: what the fit sets, by our names.
        conditions: temperature, initial and reversal potentials, as arguments of `Cell`.
        axon: the axon that the fit was made with.
        junction_potential_mv: subtracted from recorded voltages before the fit, mV; None where the file does not say. The
            model's own voltages are corrected ones.
    """

    name: str
    fixed: dict[str, float]
    conditions: dict[str, Any]
    axon: AxonKind
    junction_potential_mv: float | None

    @classmethod
    def load(cls, path: Path | str) -> AllenFit:
        """Read a file.

        Raises:
            ValueError: for a file that is no fit JSON.
        """
        path = Path(path)
        fit = read_json(path, expected="an Allen fit JSON")
        try:
            return cls(
                name=path.stem,
                fixed=_values(fit, path.name),
                conditions=_conditions(fit, path.name),
                axon=_axon(fit, path.name),
                junction_potential_mv=_junction_potential_mv(fit, path.name),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path.name} is not an Allen fit JSON; expected the keys conditions, passive and genome, with celsius, v_init "
                f"and erev in conditions ({type(error).__name__}: {error})."
            ) from error

    def on(self, morphology: MorphologySource) -> CellModel:
        """The model on a morphology, with nothing free.

        Raises:
            ValueError: for an unknown channel or parameter.
        """
        return Cell(name=self.name, morphology=morphology, fixed=self.fixed, **self.conditions).model({})


def read_allen_fit(path: Path | str, morphology: MorphologySource | Path | str) -> CellModel:
    """A fitted model on a morphology, with nothing free.

    Args:
        path: the fit JSON. Conductances are in S/cm2, cm in uF/cm2, Ra in Ohm cm, potentials in mV, as in the package.
        morphology: its reconstruction, an SWC file, whose axon becomes what the fit says: `none` where it deletes the axon,
            `stub` where it puts a stub in its place or says nothing. The axon of a `MorphologySource` is your own choice; it
            wins, with an `OtherAxonWarning` where the fit says something else.

    Raises:
        ValueError: for a file that is no fit JSON, or names an unknown channel or parameter.
    """
    fit = AllenFit.load(path)
    return fit.on(source_with_axon(morphology, fit.axon, of=Path(path).name))


def source_with_axon(morphology: MorphologySource | Path | str, axon: AxonKind, *, of: str) -> MorphologySource:
    """A morphology with the axon of a fit, unless it comes with another choice, which wins and is warned of.

    Args:
        morphology: an SWC file, or a source with the axon that the user chose.
        axon: that of the fit.
        of: what the fit is called.
    """
    if not isinstance(morphology, MorphologySource):
        return MorphologySource.from_swc(morphology, axon=axon)
    if morphology.axon != axon:
        warnings.warn(
            f"{of} was fitted with the axon {_IN_WORDS[axon]} ({axon}); it is {_IN_WORDS[morphology.axon]} "
            f"({morphology.axon}) here, as chosen, so the model may fire otherwise than it was fitted to.",
            OtherAxonWarning,
            stacklevel=3,
        )
    return morphology


_IN_WORDS: Final[dict[AxonKind, str]] = {"stub": "replaced by a stub", "keep": "kept", "none": "deleted"}


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


def _axon(fit: Any, file: str) -> AxonKind:
    """What the fit does with the axon, from its lines of hoc; the all-active workflow, whose files say nothing, uses the stub."""
    if "axon_morph" not in fit:
        return "stub"
    lines = fit["axon_morph"][0].get("delete_axon", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError(f"{file}: delete_axon is {shortened(lines)}; expected a list of lines of hoc.")
    text = " ".join(lines)
    if _DELETES not in text:
        return "keep"
    return "stub" if _MAKES in text else "none"


def _junction_potential_mv(fit: Any, file: str) -> float | None:
    """What was subtracted from recorded voltages, mV; the file has what was added to them."""
    added = (fit.get("fitting") or [{}])[0].get("junction_potential")
    return None if added is None else -number(added, what=f"{file}: junction_potential", text=True)


def write_allen_fit(model: CellModel, path: Path | str) -> None:
    """Write a model as an all-active fit JSON, one gene per quantity and region; it says so where the axon is not the stub."""
    cell = model.cell
    values = {region: model.region_values(region) for region in _REGIONS}
    genome: list[dict[str, Any]] = []
    for region, quantities in values.items():
        for quantity, value in quantities.items():
            mechanism = split_quantity(quantity)[0] or ""
            genome.append({"section": region, "name": quantity, "value": value, "mechanism": mechanism})
    axon = {"none": [_DELETING], "keep": []}.get(cell.morphology.axon)
    fit = {
        "passive": [{"ra": values["soma"].get("Ra", 100.0)}],
        **({} if axon is None else {"axon_morph": [{"delete_axon": axon}]}),
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
