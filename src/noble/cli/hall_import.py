"""`noble hall import`: models that others found become a hall of fame."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from noble.cli.hall import hall_app
from noble.cli.options import Axon, Seed, Workers
from noble.cli.progress import console, tracked


@hall_app.command(name="import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of Allen fit JSON of one cell; or of BluePyOpt's parameters.json and hall_of_fame.json, or the latter.",
            show_default=False,
        ),
    ],
    morphology: Annotated[str, typer.Option(help="Reconstruction of the cell, an SWC file; or a built-in morphology.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File of the hall.")],
    glob: Annotated[str, typer.Option(help="Which files of the folder, as a shell pattern.")] = "*.json",
    prefix: Annotated[str, typer.Option(help="What the names of the files begin with, for example a cell's.")] = "",
    parameters: Annotated[
        Path | None,
        typer.Option(help="BluePyOpt's parameters JSON; parameters.json beside the hall of fame.", show_default=False),
    ] = None,
    axon: Axon = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the hall; its file's if not given.", show_default=False)
    ] = None,
    largest_step: Annotated[float, typer.Option(help="A model that is silent up to this step never fires, nA.")] = 1.0,
    held_out: Annotated[
        int | None,
        typer.Option(min=0, help="Models to keep from training; a sixth if not given.", show_default=False),
    ] = None,
    seed: Seed = 0,
    workers: Workers = None,
    dask: Annotated[
        str | None,
        typer.Option(
            help="Address or scheduler file of a Dask cluster; local processes if not given.", show_default=False
        ),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option(min=1, help="A model that takes longer is started again in a fresh process.")
    ] = 1800.0,
) -> None:
    """Make a hall of models that others found: simulate each, measure its features, leave out what never fires or blocks.

    Interrupted, even killed, it goes on where it stopped when run again.
    """
    from noble.cells.found import morphology_named, read_found_models
    from noble.evolve import import_hall
    from noble.jobs import Pool

    found = read_found_models(
        source, morphology_named(morphology, axon), pattern=glob, prefix=prefix, parameters=parameters
    )
    record = output.with_name(output.name + ".partial")
    options = {
        "--glob": None if glob == "*.json" else glob,
        "--prefix": prefix or None,
        "--parameters": parameters,
        "--axon": axon,
        "--largest-step": f"{largest_step:g}",
        "--held-out": held_out,
        "--seed": seed,
    }
    given = [part for option, value in options.items() if value is not None for part in (option, str(value))]
    command = shlex.join(["noble", "hall", "import", source.as_posix(), "--morphology", morphology, *given])
    with (
        tracked(f"measuring {len(found)} models of {found.cell.name}") as progress,
        Pool(workers=workers, address=dask, timeout_s=timeout_s) as pool,
    ):
        imported = import_hall(
            found,
            pool,
            name=name or output.stem,
            record=record,
            largest_na=largest_step,
            held_out=held_out,
            seed=seed,
            provenance={"command": command},
            progress=progress,
        )
    hall = imported.hall
    hall.save(output)
    record.unlink()  # only now: what was simulated survives until the hall does
    for label, reason in imported.left_out.items():
        console.print(f"{label} is left out: {reason}")
    ranges = {unit: hall.feature_table([feature]) for feature, unit in (("rheobase", "nA"), ("fi_gain", "Hz/nA"))}
    spans = ", ".join(f"{values.min():.3g} to {values.max():.3g} {unit}" for unit, values in ranges.items())
    console.print(
        f"{output}: {len(hall)} of {len(found)} models, {len(hall.held_out)} held out; rheobase and F-I gain {spans}; axon "
        f"{hall.cell.morphology.axon}"
    )
    if potential := found.facts.get("junction_potential_mv"):
        console.print(
            f"The models were fitted to voltages less a junction potential of {potential:g} mV: subtract it from recordings too."
        )
