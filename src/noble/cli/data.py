"""`noble generate` and `noble check`: a data set, and whether it is sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noble.cli.app import DATA, app
from noble.cli.progress import console, tracked


@app.command(rich_help_panel=DATA)
def generate(
    config: Annotated[Path, typer.Argument(help="YAML; see `docs/store.md`. `hall: stylised-pv` is enough to start.")],
    store: Annotated[Path, typer.Argument(help="Folder of the store to make, usually NAME.zarr.")],
    data_folder: Annotated[Path | None, typer.Option(help="Folder with SWC files.", show_default=False)] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; all cores by default.", show_default=False)
    ] = None,
) -> None:
    """Simulate a data set. Interrupted, even killed, it goes on where it stopped when run again."""
    from noble.cells import HallOfFame
    from noble.data import GenerationConfig
    from noble.data import generate as generate_store

    settings = GenerationConfig.load(config)
    if workers is not None:
        settings = GenerationConfig.model_validate({**settings.model_dump(), "workers": workers})
    hall = HallOfFame.load(settings.hall)
    with tracked(f"simulating {hall.name}") as progress:
        made = generate_store(settings, hall, store, data_folder=data_folder, progress=progress)
    console.print(f"{store}: {len(made)} traces of {made.grid.duration_ms:.0f} ms at dt {made.grid.dt_ms:g} ms")


@app.command(rich_help_panel=DATA)
def check(store: Annotated[Path, typer.Argument(help="Folder of a store.")]) -> None:
    """Check a store against its specification (`docs/store.md`)."""
    from noble.data import check_store

    problems = check_store(store)
    for problem in problems:
        console.print(f"- {problem}", highlight=False)
    if problems:
        raise ValueError(f"{store} has {len(problems)} problem(s), listed above.")
    console.print(f"{store} is sound.")
