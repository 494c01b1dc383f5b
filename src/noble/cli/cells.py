"""`noble cells`: what there is to simulate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from noble.cli.app import CELLS, app
from noble.cli.hall import print_models
from noble.cli.options import Axon, DataFolder, Json
from noble.cli.progress import console
from noble.files import write_json

if TYPE_CHECKING:
    from noble.cells import Cell, Morphology
    from noble.cells.cell import AxonKind

_STUB: str = (
    "Models have a stub of 60 um x 1 um in the place of any axon (the Allen workflow), unless their cell says `keep` or "
    "`none`."
)


@app.command(rich_help_panel=CELLS)
def cells(
    name: Annotated[
        str | None,
        typer.Argument(help="A built-in cell, a hall of fame, or a morphology (SWC, ASC, HDF5).", show_default=False),
    ] = None,
    data_folder: DataFolder = None,
    axon: Axon = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            help="Region of a type of your own in an SWC file, as 7=axon; may be repeated.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="SWC file to write with these types.", show_default=False)
    ] = None,
    json: Json = None,
) -> None:
    """List the built-in cells and the shipped halls of fame, or show one cell, hall or morphology."""
    from noble.cells import BUILTIN_CELLS, HallOfFame, builtin_cell, names_a_morphology, shipped_halls

    if name is None:
        _list_all()
        return
    shipped = name in BUILTIN_CELLS or name in shipped_halls()
    if not shipped and (names_a_morphology(name) or (Path(name).is_file() and not name.endswith(".json"))):
        _show_file(name, _parsed_types(types or []), axon=axon, output=output, json=json)
        return
    if types or output is not None:
        raise ValueError(f"--type and -o are for morphologies; {name} is none.")
    if axon is not None:
        raise ValueError(f"--axon {axon} is for a morphology; cells and halls say themselves what becomes of the axon.")
    if name in shipped_halls() or name.endswith(".json"):
        hall = HallOfFame.load(name)
        print_models(hall)
        shown = hall.cell
    else:
        shown = builtin_cell(name)
    _show_morphology(shown.name, shown.morphology.load(data_folder), json=json)
    _show_parameters(shown)


def _list_all() -> None:
    from noble.cells import BUILTIN_CELLS, HallOfFame, builtin_cell, shipped_halls

    table = Table("name", "kind", "models", "free parameters")
    for cell in BUILTIN_CELLS:
        table.add_row(cell, "cell", "", str(len(builtin_cell(cell).parameters)))
    for shipped in shipped_halls():
        hall = HallOfFame.load(shipped)
        table.add_row(shipped, "hall of fame", str(len(hall)), str(len(hall.cell.parameters)))
    console.print(table)


def _parsed_types(items: Sequence[str]) -> dict[int, str]:
    """`7=axon` as {7: "axon"}."""
    found = {}
    for item in items:
        kind, equals, region = item.partition("=")
        if not (equals and kind.isdecimal() and len(kind) < 10):
            raise ValueError(f"--type is {item!r}; expected a number and a region, for example 7=axon.")
        found[int(kind)] = region
    return found


def _show_file(
    name: str, types: dict[int, str], *, axon: AxonKind | None, output: Path | None, json: Path | None
) -> None:
    """A morphology as it is in its file, axon and all unless told otherwise; and what is free in an all-active cell of it."""
    import warnings

    from noble.cells import MorphologyWarning, all_active_cell_from_swc, read_morphology
    from noble.cells.swc import write_retyped_swc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MorphologyWarning)  # what it says is printed below
        morphology = read_morphology(name, types=types)
        if output is not None:
            if not types or Path(name).suffix.lower() in (".asc", ".h5"):
                raise ValueError("-o writes an SWC file with other types; expected --type, and an SWC file to read.")
            write_retyped_swc(name, output, types)
        if axon in ("none", "stub"):
            morphology = morphology.without_axon() if axon == "none" else morphology.with_stub_axon()
        _show_morphology(Path(name).name, morphology, json=json, more=[_STUB] if axon is None else [])
        if not types:
            _show_parameters(all_active_cell_from_swc(name, axon=axon or "stub"))


def _show_morphology(name: str, morphology: Morphology, *, json: Path | None, more: Sequence[str] = ()) -> None:
    content: dict[str, Any] = {"name": name, **morphology.to_dict()}
    content["notes"] += more
    table = Table(
        "region", "sections", "points", "length (um)", "area (um2)", "compartments", title=f"{name}: morphology"
    )
    for region, numbers in content["regions"].items():
        table.add_row(
            region,
            str(numbers["sections"]),
            str(numbers["points"]),
            f"{numbers['length_um']:.1f}",
            f"{numbers['area_um2']:.1f}",
            str(numbers["compartments"]),
        )
    console.print(table)
    for note in content["notes"]:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if json is not None:
        write_json(json, content)


def _show_parameters(cell: Cell) -> None:
    table = Table("parameter", "low", "high", "unit", title=f"{cell.name}: free parameters")
    for parameter in cell.parameters:
        table.add_row(parameter.name, f"{parameter.low:g}", f"{parameter.high:g}", parameter.unit)
    console.print(table)
