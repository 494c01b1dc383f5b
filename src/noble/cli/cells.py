"""`noble cells`: what there is to simulate."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from noble.cli.app import CELLS, app
from noble.cli.hall import print_models
from noble.cli.options import Axon, DataFolder
from noble.cli.progress import console


@app.command(rich_help_panel=CELLS)
def cells(
    name: Annotated[
        str | None, typer.Argument(help="A built-in cell, a hall of fame, or an SWC file.", show_default=False)
    ] = None,
    data_folder: DataFolder = None,
    axon: Axon = None,
) -> None:
    """List the built-in cells and the shipped halls of fame, or show one cell, hall or SWC file."""
    from noble.cells import BUILTIN_CELLS, HallOfFame, all_active_cell_from_swc, builtin_cell, shipped_halls

    if axon is not None and not (name or "").endswith(".swc"):
        raise ValueError(f"--axon {axon} is for an SWC file; cells and halls say themselves what becomes of the axon.")
    if name is None:
        table = Table("name", "kind", "models", "free parameters")
        for cell in BUILTIN_CELLS:
            table.add_row(cell, "cell", "", str(len(builtin_cell(cell).parameters)))
        for shipped in shipped_halls():
            hall = HallOfFame.load(shipped)
            table.add_row(shipped, "hall of fame", str(len(hall)), str(len(hall.cell.parameters)))
        console.print(table)
        return
    if name.endswith(".swc"):
        shown = all_active_cell_from_swc(name, axon=axon or "stub")
    elif name in shipped_halls() or name.endswith(".json"):
        hall = HallOfFame.load(name)
        print_models(hall)
        shown = hall.cell
    else:
        shown = builtin_cell(name)
    morphology = shown.morphology.load(data_folder)
    table = Table("region", "sections", "compartments", "length (um)", "area (um2)", title=f"{shown.name}: morphology")
    for region in morphology.regions:
        sections = [section for section in morphology.sections if section.region == region]
        table.add_row(
            region,
            str(len(sections)),
            str(sum(section.compartments for section in sections)),
            f"{morphology.length_um(region):.1f}",
            f"{morphology.area_um2(region):.1f}",
        )
    console.print(table)
    if morphology.dropped_points:
        console.print(f"{morphology.dropped_points} points of the file hang on no soma and are left out.")
    table = Table("parameter", "low", "high", "unit", title=f"{shown.name}: free parameters")
    for parameter in shown.parameters:
        table.add_row(parameter.name, f"{parameter.low:g}", f"{parameter.high:g}", parameter.unit)
    console.print(table)
