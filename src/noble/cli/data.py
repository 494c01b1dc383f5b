"""`noble generate`, `noble check` and `noble migrate`: a data set, whether it is sound, and one of an earlier version."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from noble.cli.app import DATA, app
from noble.cli.progress import console, tracked


@app.command(rich_help_panel=DATA)
def generate(
    config: Annotated[Path, typer.Argument(help="YAML; see `docs/store.md`. `hall: stylised-pv` is enough to start.")],
    store: Annotated[str, typer.Argument(help="Folder of the store to make, usually NAME.zarr, or its fsspec URL.")],
    data_folder: Annotated[Path | None, typer.Option(help="Folder with morphologies.", show_default=False)] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; all cores by default.", show_default=False)
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Address or scheduler file of a Dask cluster to simulate on instead.", show_default=False),
    ] = None,
    timeout_s: Annotated[float, typer.Option(help="Time that a chunk may take on the cluster, s.")] = 1800.0,
    append: Annotated[bool, typer.Option(help="Add these traces to the store, beside those that it has.")] = False,
) -> None:
    """Simulate a data set. Interrupted, even killed, it goes on where it stopped when run again."""
    from noble.cells import HallOfFame
    from noble.data import GenerationConfig, is_complete
    from noble.data import generate as generate_store
    from noble.jobs import Pool
    from noble.simulators import ArborFactory

    settings = GenerationConfig.load(config)
    if workers is not None:
        settings = GenerationConfig.model_validate({**settings.model_dump(), "workers": workers})
    hall = HallOfFame.load(settings.hall)
    factory = None
    if append or not is_complete(store):
        factory = ArborFactory.for_hall(hall, simulation_dt_ms=settings.simulation_dt_ms, data_folder=data_folder)
    cluster = nullcontext() if dask is None else Pool(address=dask, timeout_s=timeout_s)
    with tracked(f"simulating {hall.name}") as progress, cluster as pool:
        made = generate_store(
            settings, hall, store, responder_factory=factory, pool=pool, append=append, progress=progress
        )
    console.print(f"{store}: {len(made)} traces of {made.grid.duration_ms:.0f} ms at dt {made.grid.dt_ms:g} ms")


@app.command(rich_help_panel=DATA)
def check(store: Annotated[str, typer.Argument(help="Folder or fsspec URL of a store.")]) -> None:
    """Check a store against its specification (`docs/store.md`)."""
    from noble.data import check_store

    problems = check_store(store)
    for problem in problems:
        console.print(f"- {problem}", highlight=False)
    if problems:
        raise ValueError(f"{store} has {len(problems)} problem(s), listed above.")
    console.print(f"{store} is sound.")


@app.command(rich_help_panel=DATA)
def migrate(
    old: Annotated[str, typer.Argument(help="Folder of a store of schema version 1.")],
    new: Annotated[str, typer.Argument(help="Folder of the store to make.")],
) -> None:
    """Copy a store of schema version 1 to one of the present version; `noble generate` finishes an unfinished one."""
    from noble.data import migrate as migrate_store

    with tracked("copying chunks") as progress:
        migrate_store(old, new, progress=progress)
    console.print(f"{new} holds what {old} holds.")
