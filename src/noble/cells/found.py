"""Models of one cell that others found, read from their files, before anybody has simulated them here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from noble.cells.allen import AllenFit, source_with_axon
from noble.cells.bluepyopt import read_bluepyopt_hall, read_bluepyopt_parameters
from noble.cells.cell import AxonKind, Cell, CellModel, MorphologySource, Parameter
from noble.cells.export import HALL_FILE, PARAMETERS_FILE
from noble.cells.stylised import STYLISED_TREES
from noble.files import content_sha256, file_sha256

# What the Allen Institute calls a cell by; shorter numbers are seeds, ranks and layers.
_CELL_ID: Final = re.compile(r"\d{6,}")
_SEED: Final = re.compile(r"seed_(\d+)")


@dataclass(frozen=True)
class FoundModel:
    """A model as its file has it.

    Attributes:
        label: of the model: its file's name, or its name within the file.
        values: by parameter name.
        seed: of the search that found it; 0 where the file does not say.
        score: mean absolute z-score against its targets; None where the file does not say.
    """

    label: str
    values: Mapping[str, float]
    seed: int = 0
    score: float | None = None


@dataclass(frozen=True)
class FoundModels:
    """Models of one cell.

    Attributes:
        cell: with free what differs from model to model, between the least and the largest value that occurs where the files
            have no bounds.
        models: in the order of the files.
        facts: what the files say besides, JSON-ready, for the provenance.
    """

    cell: Cell
    models: tuple[FoundModel, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.models)

    def cell_model(self, index: int) -> CellModel:
        """One model, ready to simulate."""
        return self.cell.model(self.models[index].values, name=self.models[index].label)

    @property
    def digest(self) -> str:
        """SHA-256 of the cell and the values."""
        return content_sha256([self.cell.to_dict(), [[item.label, dict(item.values)] for item in self.models]])


def found_in_allen_fits(
    folder: Path | str,
    morphology: MorphologySource | Path | str,
    *,
    pattern: str = "*.json",
    prefix: str = "",
) -> FoundModels:
    """The models of a folder of Allen fit JSON.

    Args:
        folder: where the files lie.
        morphology: of the cell, as in `read_allen_fit`: an SWC file takes the fits' own axon, a source its own.
        pattern, prefix: which files: the shell pattern and the beginning of their names.

    Raises:
        FileNotFoundError: if there is no such folder, or no such file in it.
        ValueError: for a file that is no fit, or files that are not of one cell: with different numbers of six or more digits in
            their names, different conditions, axons or junction potentials, or that set different parameters.
    """
    files = _chosen(Path(folder), pattern, prefix)
    fits = [AllenFit.load(file) for file in files]
    labels = [file.name for file in files]
    _check_alike(labels, [{"axon": fit.axon, "junction_potential_mv": fit.junction_potential_mv} for fit in fits])
    _check_alike(labels, [fit.conditions for fit in fits])
    source = source_with_axon(morphology, fits[0].axon, of=f"{files[0].name} ({len(files)} files)")
    cells = [fit.on(source).cell for fit in fits]
    for label, cell in zip(labels, cells, strict=True):
        if differing := sorted(set(cell.fixed) ^ set(cells[0].fixed)):
            raise ValueError(
                f"{labels[0]} and {label} set different parameters ({', '.join(differing[:4])} only one of them); expected fits "
                "of one cell. Choose them with --glob or --prefix."
            )
    varying = [name for name in cells[0].fixed if any(cell.fixed[name] != cells[0].fixed[name] for cell in cells)]
    free = tuple(_spanning(name, [cell.fixed[name] for cell in cells]) for name in varying)
    fixed = {name: value for name, value in cells[0].fixed.items() if name not in varying}
    name = Path(source.name).stem
    models = tuple(
        FoundModel(label, {name: cell.fixed[name] for name in varying}, seed=_seed_of(label))
        for label, cell in zip(labels, cells, strict=True)
    )
    facts: dict[str, Any] = {"format": "Allen fit JSON", "axon_of_the_fits": fits[0].axon}
    if (potential := fits[0].junction_potential_mv) is not None:
        facts["junction_potential_mv"] = potential
    return FoundModels(replace(cells[0], name=name, parameters=free, fixed=fixed), models, facts)


def found_in_bluepyopt(
    hall: Path | str, parameters: Path | str, morphology: MorphologySource | Path | str
) -> FoundModels:
    """The models of a BluePyOpt hall of fame.

    Args:
        hall: JSON of the models, see `read_bluepyopt_hall`.
        parameters: BluePyOpt's parameters JSON of the cell: bounds, fixed values and conditions.
        morphology: of the cell; an SWC file has the stub axon.

    Raises:
        ValueError: for files that are not these, or models that are not of this cell.
    """
    source = morphology if isinstance(morphology, MorphologySource) else MorphologySource.from_swc(morphology)
    cell = read_bluepyopt_parameters(parameters, source, name=Path(source.name).stem)
    models = tuple(
        FoundModel(label, entry.values, entry.seed or 0, entry.score)
        for label, entry in read_bluepyopt_hall(hall).items()
    )
    facts = {"format": "BluePyOpt", "parameters_sha256": file_sha256(Path(parameters))}
    found = FoundModels(cell, models, facts)
    for index in range(len(found)):
        found.cell_model(index)  # refuses what is missing, unknown or out of bounds
    return found


def read_found_models(
    source: Path | str,
    morphology: MorphologySource | Path | str,
    *,
    pattern: str = "*.json",
    prefix: str = "",
    parameters: Path | str | None = None,
) -> FoundModels:
    """Models from whatever holds them.

    Args:
        source: a hall of fame of BluePyOpt, a folder of one beside its parameters as `export_bluepyopt` writes them, or a folder
            of Allen fit JSON.
        morphology: of the cell, see `found_in_allen_fits`.
        pattern, prefix: which files of a folder of fits.
        parameters: BluePyOpt's parameters JSON; `parameters.json` beside the hall of fame if None.

    Raises:
        FileNotFoundError, ValueError: as the two readers do.
    """
    source = Path(source)
    hall = source / HALL_FILE if (source / HALL_FILE).is_file() else source
    if hall.is_file():
        return found_in_bluepyopt(hall, parameters or hall.with_name(PARAMETERS_FILE), morphology)
    return found_in_allen_fits(source, morphology, pattern=pattern, prefix=prefix)


def morphology_named(name: Path | str, axon: AxonKind | None) -> MorphologySource | Path:
    """A morphology by the name of a built-in one or the path of an SWC file, with an axon if one is chosen.

    An SWC file without a choice stays a path, so that the models' own axon rule holds.
    """
    if str(name) in STYLISED_TREES:
        return MorphologySource(str(name), axon or "stub")
    return Path(name) if axon is None else MorphologySource.from_swc(name, axon=axon)


def _chosen(folder: Path, pattern: str, prefix: str) -> list[Path]:
    """The files of one cell, numbers in their names in the order of numbers."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one of Allen fit JSON files.")
    there = sorted((path for path in folder.iterdir() if path.is_file()), key=_by_numbers)
    files = [path for path in there if path.name.startswith(prefix) and fnmatchcase(path.name, pattern)]
    if not files:
        example = f"of {len(there)} files, for example {there[0].name}" if there else "of no files at all"
        raise FileNotFoundError(f"no file in {folder} is called {prefix}... and matches {pattern!r}, {example}.")
    cells = sorted({found[0] for path in files if (found := _CELL_ID.search(path.name))})
    if len(cells) > 1:
        raise ValueError(
            f"the {len(files)} files are of {len(cells)} cells by the numbers in their names ({', '.join(cells[:3])}, ...); "
            "a hall is of one cell. Choose its files with --prefix or --glob."
        )
    return files


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    """A key that puts hof_2 before hof_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _seed_of(label: str) -> int:
    found = _SEED.search(label)
    return int(found[1]) if found else 0


def _check_alike(labels: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> None:
    """Refuse files of which a fact differs: a hall has one cell in one condition."""
    for label, other in zip(labels, facts, strict=True):
        for key, value in facts[0].items():
            if other[key] != value:
                raise ValueError(
                    f"{labels[0]} and {label} differ in {key} ({value} and {other[key]}); a hall is of one cell under one "
                    "condition. Choose files that agree with --glob or --prefix."
                )


def _spanning(name: str, values: Sequence[float]) -> Parameter:
    """A parameter that is free within what occurs."""
    quantity, _, region = name.rpartition(".")
    return Parameter(quantity, region, min(values), max(values))
