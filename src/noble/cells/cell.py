"""A cell (morphology, channels, bounded parameters) and a model of it (the cell with values)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from noble.cells.channels import canonical_quantity, split_quantity, unit_of
from noble.cells.morphology import REGIONS, Morphology
from noble.cells.reading import read_morphology
from noble.cells.stylised import STYLISED_TREES, stylised_morphology
from noble.files import file_sha256, number, numbers_by_name, read_bytes, shortened
from noble.units import check_current_na

DATA_FOLDER_VARIABLE: Final = "NOBLE_DATA"

AxonKind = Literal["stub", "keep", "none"]


@dataclass(frozen=True)
class MorphologySource:
    """Where a morphology comes from, so that a file about a cell need not contain it.

    Attributes:
        name: a built-in stylised morphology, or the name of a file (SWC, ASC, HDF5), without a folder.
        axon: `stub` replaces a reconstructed axon by the 60 um stub; `keep` keeps it; `none` deletes it, and puts nothing in its
            place. The axon of a built-in morphology is the stub.
        sha256: checksum of the file, to be sure that the one found is the one meant.
    """

    name: str
    axon: AxonKind = "stub"
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name in ("", ".", "..") or set(self.name) & set("/\\\0"):
            raise ValueError(
                f"the morphology is {shortened(self.name)}; expected the plain name of a morphology file, without a folder. Its "
                "folder is given by --data-folder."
            )
        if self.axon not in get_args(AxonKind):
            raise ValueError(f"axon of the morphology is {shortened(self.axon)}; expected 'stub', 'keep' or 'none'.")
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", str(self.sha256)):
            raise ValueError(f"sha256 of the morphology is {shortened(self.sha256)}; expected 64 hexadecimal digits.")

    @classmethod
    def from_swc(cls, path: Path | str, *, axon: AxonKind = "stub") -> MorphologySource:
        """A source for an SWC, ASC or HDF5 file; where it lies is remembered for this process only."""
        path = Path(path)
        sha256 = hashlib.sha256(read_bytes(path, expected="a morphology file")).hexdigest()
        _SEEN_FILES[path.name, sha256] = path.resolve()
        return cls(path.name, axon, sha256)

    def load(self, data_folder: Path | str | None = None) -> Morphology:
        """Build or find the morphology.

        Raises:
            FileNotFoundError, ValueError: as `find` does.
        """
        path = self.find(data_folder)
        if path is None:
            stylised = stylised_morphology(STYLISED_TREES[self.name])
            return stylised.without_axon() if self.axon == "none" else stylised
        return _load(path, self.axon, file_sha256(path))

    def find(self, data_folder: Path | str | None = None) -> Path | None:
        """The file; None for a built-in morphology.

        It is looked for in `data_folder`, then in the folder named by the variable NOBLE_DATA, then where this very file was
        read before in this process. A file of this name with another checksum is passed over.

        Raises:
            FileNotFoundError: if no file of this name is found.
            ValueError: if all that are found have another checksum, or one is a link that leaves its folder.
        """
        if self.name in STYLISED_TREES:
            return None
        folders = [folder for folder in (data_folder, os.environ.get(DATA_FOLDER_VARIABLE)) if folder is not None]
        candidates = [Path(folder) / self.name for folder in folders]
        if (seen := _SEEN_FILES.get((self.name, self.sha256))) is not None:
            candidates.append(seen)
        others = ""
        for path in candidates:
            if not path.is_file():
                continue
            if not path.resolve().is_relative_to(path.parent.resolve()):
                raise ValueError(f"{path} is a link to a file outside that folder; put the file itself there.")
            others = file_sha256(path)
            if self.sha256 in (None, others):
                return path
        if others:
            raise ValueError(
                f"{self.name} has SHA-256 {others[:12]}…, but {str(self.sha256)[:12]}… was expected: it is another file; "
                "put the right one into the data folder."
            )
        raise FileNotFoundError(
            f"the morphology {self.name} was not found; put it into a folder and name that folder with "
            f"--data-folder or the variable {DATA_FOLDER_VARIABLE}."
        )


# Files read in this process, by name and checksum: a model made from a path can then be simulated as it is.
_SEEN_FILES: Final[dict[tuple[str, str | None], Path]] = {}


@lru_cache(maxsize=8)
def _load(path: Path, axon: str, sha256: str) -> Morphology:
    """Read a file once for each content."""
    morphology = read_morphology(path)
    if axon == "none":
        return morphology.without_axon()
    return morphology.with_stub_axon() if axon == "stub" else morphology


@dataclass(frozen=True)
class Parameter:
    """A quantity on a region that may vary within bounds.

    Attributes:
        quantity: NEURON's range variable, for example `gbar_NaV`, or cm, Ra, g_pas, e_pas.
        region: soma, axon, dend, apic, or `all`.
        low, high: bounds, in the quantity's unit.
    """

    quantity: str
    region: str
    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantity", canonical_quantity(self.quantity))
        _check_region(self.region)
        if not self.low < self.high:
            raise ValueError(
                f"{self.name} has bounds {self.low:g} to {self.high:g}; the lower must be below the upper."
            )

    @property
    def name(self) -> str:
        """For example `gbar_NaV.soma`."""
        return f"{self.quantity}.{self.region}"

    @property
    def unit(self) -> str:
        """Unit of bounds and values."""
        return unit_of(self.quantity)


def _check_region(region: str) -> None:
    if region not in (*REGIONS, "all"):
        raise ValueError(f"region {region!r} is unknown; expected one of {', '.join(REGIONS)} or all.")


def canonical_name(name: str) -> str:
    """The parameter's name as it is written everywhere, checked.

    Raises:
        ValueError: for a name that is not `quantity.region`, or an unknown quantity or region.
    """
    quantity, dot, region = name.rpartition(".")
    if not dot:
        raise ValueError(f"parameter {name!r} names no region; expected quantity.region, for example gbar_NaV.soma.")
    _check_region(region)
    return f"{canonical_quantity(quantity)}.{region}"


# What a cell's conditions can be, degrees Celsius and mV; anything else is a damaged file or another unit.
_CONDITIONS: Final = {
    "celsius": (-10.0, 60.0),
    "e_na_mv": (-300.0, 300.0),
    "e_k_mv": (-300.0, 300.0),
    "v_init_mv": (-300.0, 300.0),
}


@dataclass(frozen=True)
class Cell:
    """A neuron whose electrical properties are partly free.

    Attributes:
        name: of the cell.
        morphology: where its shape comes from.
        parameters: what may vary.
        fixed: values of what does not, by name (`Ra.all`), in canonical units.
        celsius: temperature, degrees Celsius.
        e_na_mv, e_k_mv: reversal potentials, mV.
        v_init_mv: potential from which it settles to rest, mV.
        holding_na: constant current into the middle of the soma, while it settles and ever after, nA: the bias under which the
            cell was recorded. Stimuli come on top of it, as amplitudes of recorded steps are counted from holding.
    """

    name: str
    morphology: MorphologySource
    parameters: tuple[Parameter, ...] = ()
    fixed: Mapping[str, float] = field(default_factory=dict)
    celsius: float = 34.0
    e_na_mv: float = 53.0
    e_k_mv: float = -107.0
    v_init_mv: float = -80.0
    holding_na: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixed", {canonical_name(name): float(value) for name, value in self.fixed.items()})
        for name, (low, high) in _CONDITIONS.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} of cell {self.name} is {getattr(self, name):g}; expected {low:g} to {high:g}."
                )
        check_current_na(self.holding_na, what=f"the holding current of cell {self.name}")
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) != len(names) or set(names) & set(self.fixed):
            raise ValueError(f"cell {self.name} sets a parameter twice among {', '.join([*names, *self.fixed])}.")

    def model(self, values: Mapping[str, float], *, name: str = "") -> CellModel:
        """The cell with values.

        Raises:
            ValueError: for a missing or unknown parameter, or a value outside its bounds.
        """
        return CellModel(self, values, name=name or self.name)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {
            "name": self.name,
            "morphology": {
                "name": self.morphology.name,
                "axon": self.morphology.axon,
                "sha256": self.morphology.sha256,
            },
            "parameters": [
                {"name": item.name, "low": item.low, "high": item.high, "unit": item.unit} for item in self.parameters
            ],
            "fixed": dict(self.fixed),
            "celsius": self.celsius,
            "e_na_mv": self.e_na_mv,
            "e_k_mv": self.e_k_mv,
            "v_init_mv": self.v_init_mv,
            # Absent without one, so that digests of what was made before there was any stay.
            **({"holding_na": self.holding_na} if self.holding_na else {}),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Cell:
        """Read back what `to_dict` wrote.

        Raises:
            ValueError: for a value that is no number or cannot be.
            KeyError, TypeError, AttributeError: if a part is missing or of another kind.
        """
        parameters = []
        for item in description["parameters"]:
            quantity, _, region = item["name"].rpartition(".")
            low, high = (number(item[key], what=f"{key} of {item['name']}") for key in ("low", "high"))
            parameters.append(Parameter(quantity, region, low, high))
        if not isinstance(description["name"], str):
            raise ValueError(f"the name of the cell is {shortened(description['name'])}; expected text.")
        conditions = {
            key: number(description[key], what=f"{key} of the cell")
            for key in ("celsius", "e_na_mv", "e_k_mv", "v_init_mv", "holding_na")
            if key != "holding_na" or key in description
        }
        return cls(
            name=description["name"],
            fixed=numbers_by_name(description["fixed"], what="fixed of the cell"),
            **conditions,
            morphology=MorphologySource(**description["morphology"]),
            parameters=tuple(parameters),
        )


@dataclass(frozen=True)
class CellModel:
    """A cell with a value for every free parameter.

    Attributes:
        cell: the cell.
        values: by parameter name, in the parameters' units.
        name: of the model.
    """

    cell: Cell
    values: Mapping[str, float]
    name: str = ""

    def __post_init__(self) -> None:
        values = {canonical_name(name): float(value) for name, value in self.values.items()}
        object.__setattr__(self, "values", values)
        expected = {parameter.name for parameter in self.cell.parameters}
        if missing := sorted(expected - set(values)):
            raise ValueError(f"model {self.name!r} of {self.cell.name} lacks {', '.join(missing)}.")
        if unknown := sorted(set(values) - expected):
            raise ValueError(
                f"model {self.name!r} sets {', '.join(unknown)}, not free in {self.cell.name}; "
                f"expected {', '.join(sorted(expected)) or 'none'}."
            )
        for parameter in self.cell.parameters:
            value = values[parameter.name]
            if not parameter.low <= value <= parameter.high:
                raise ValueError(
                    f"{parameter.name} is {value:g} {parameter.unit}; expected {parameter.low:g} to {parameter.high:g}. "
                    "Change the value or widen the bounds of the cell."
                )

    def held_by(self, holding_na: float) -> CellModel:
        """The model held by a constant current, nA, instead of its cell's."""
        if holding_na == self.cell.holding_na:
            return self
        return CellModel(replace(self.cell, holding_na=holding_na), self.values, name=self.name)

    def region_values(self, region: str) -> dict[str, float]:
        """Every quantity set on a region; a value for the region itself goes before one for `all`."""
        everything = {**self.cell.fixed, **self.values}
        chosen: dict[str, float] = {}
        for scope in ("all", region):
            for name, value in everything.items():
                quantity, _, where = name.rpartition(".")
                if where == scope:
                    chosen[quantity] = value
        return chosen

    def channel_values(self, region: str) -> dict[str, dict[str, float]]:
        """The region's channels, each with its parameters; the cable's own quantities are left out."""
        channels: dict[str, dict[str, float]] = {}
        for quantity, value in self.region_values(region).items():
            channel, parameter = split_quantity(quantity)
            if channel is not None:
                channels.setdefault(channel, {})[parameter] = value
        return channels
