"""`noble hall`: what a hall of fame is worth, and what to make of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.table import Table

from noble.cli.app import CELLS, app
from noble.cli.options import DataFolder, Seed, Workers
from noble.cli.output import write_figure
from noble.cli.progress import console, tracked
from noble.files import write_json

if TYPE_CHECKING:
    from noble.cells import HallOfFame

hall_app = typer.Typer(
    name="hall",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Halls of fame: what one is worth; check one again; merge several; import from Allen fits or BluePyOpt, export to it; "
    "what is halfway between models.",
)
app.add_typer(hall_app, rich_help_panel=CELLS)

# More columns do not fit a terminal of 80.
_SHOWN_FEATURES: Final = 5

Name = Annotated[str, typer.Argument(help="A shipped hall by name, or a file.", show_default=False)]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the numbers as JSON.", show_default=False)]


@hall_app.command()
def show(
    name: Name,
    json: Json = None,
    models: Annotated[bool, typer.Option("--models", help="Also list the models and their features.")] = False,
) -> None:
    """Say what a hall is worth: how near its models come to the recording, how far they spread, where they fail."""
    from noble.cells import HallOfFame
    from noble.cells.statistics import hall_statistics
    from noble.report.evolution import WORTH_LABELS
    from noble.report.page import number_text

    hall = HallOfFame.load(name)
    worth = hall_statistics(hall)
    if models:
        print_models(hall)
    table = Table("what", "number", title=f"{hall.name}: {hall.cell.name}")
    for key, (label, unit) in WORTH_LABELS.items():
        table.add_row(label, number_text(worth[key], unit))
    console.print(table)
    if worth["blocked"] is None:
        console.print(
            f"{hall.name} holds no final check of every model, so how good they are is unknown; noble evolve and noble hall "
            "check make one."
        )
    if json is not None:
        write_json(json, worth)


@hall_app.command()
def merge(
    files: Annotated[list[str], typer.Argument(help="Two or more halls of one cell and one recording.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File of the new hall.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the new hall; its file's if not given.", show_default=False)
    ] = None,
    held_out: Annotated[int, typer.Option(min=0, help="Models to keep from training, drawn anew.")] = 10,
    seed: Seed = 0,
) -> None:
    """Join halls, for example of runs with different seeds: best first, a model that several have once."""
    from noble.cells import HallOfFame
    from noble.evolve.merge import merge_halls

    halls = [HallOfFame.load(file) for file in files]
    merged = merge_halls(halls, name=name or output.stem, held_out=held_out, seed=seed)
    merged.save(output)
    twice = sum(map(len, halls)) - len(merged)
    console.print(
        f"{output}: {len(merged)} models, {len(merged.held_out)} held out"
        + (f"; {twice} were in several halls" if twice else "")
    )


@hall_app.command()
def check(
    name: Name,
    targets: Annotated[Path, typer.Option(help="Targets of full steps, as `noble targets` writes them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File of the checked hall.")],
    accept: Annotated[float, typer.Option(min=0, help="Largest mean |z| of a model.")] = 3.0,
    held_out: Annotated[
        int | None,
        typer.Option(
            min=0, help="Models to keep from training, drawn anew; as many as now if not given.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random draw.")] = 0,
    data_folder: DataFolder = None,
    workers: Workers = None,
) -> None:
    """Simulate every model again: score it against targets, measure its features, leave out what does not pass any more.

    For halls made by another version, another simulator or other tools, or to hold one against another recording.
    Interrupted, it goes on where it stopped when run again.
    """
    from noble.cells import HallOfFame
    from noble.evolve import HallRules, recheck_hall
    from noble.jobs import Pool
    from noble.targets import Targets

    hall, wanted = HallOfFame.load(name), Targets.load(targets)
    kept = len(hall.held_out) if held_out is None else held_out
    rules = HallRules(accept=accept, held_out=kept, seed=seed)
    command = (
        f"noble hall check {name} --targets {targets.as_posix()} --accept {accept:g} --held-out {kept} --seed {seed}"
    )
    record = output.with_name(output.name + ".partial")
    with tracked(f"checking models of {hall.name}") as progress, Pool(workers=workers) as pool:
        found = recheck_hall(
            hall,
            wanted,
            pool,
            record=record,
            rules=rules,
            data_folder=data_folder,
            provenance={"command": command},
            progress=progress,
        )
    found.hall.save(output)
    record.unlink()  # only now: what was simulated survives until the hall does
    for index, reasons in found.left_out.items():
        console.print(f"model {index} is left out: {'; '.join(reasons)}")
    scores = [model.score for model in found.hall.models]
    console.print(
        f"{output}: {len(scores)} of {len(hall)} models, {len(found.hall.held_out)} held out, mean |z| {scores[0]:.2f} to "
        f"{scores[-1]:.2f}"
    )


@hall_app.command()
def export(
    name: Name,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for parameters.json and hall_of_fame.json.")],
) -> None:
    """Write a hall for BluePyOpt: the cell's parameters, and the models by BluePyOpt's names of these."""
    from noble.cells import HallOfFame
    from noble.cells.export import export_bluepyopt

    for file in export_bluepyopt(HallOfFame.load(name), output):
        console.print(f"wrote {file}")


@hall_app.command()
def interpolate(
    name: Name,
    targets: Annotated[
        Path,
        typer.Option(
            help="Targets to score against, as `noble targets` writes them: those of the hall's final check, or others, for "
            "which the hall's own models are simulated too. A hall names its targets but does not hold them."
        ),
    ],
    pairs: Annotated[int, typer.Option(min=1, help="Number of random pairs of distinct models.")] = 50,
    seed: Seed = 0,
    mean: Annotated[
        Literal["arithmetic", "geometric"],
        typer.Option(help="How parameters are averaged; geometric is halfway in their logarithms, potentials apart."),
    ] = "arithmetic",
    data_folder: DataFolder = None,
    workers: Workers = None,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, interpolation.png.", show_default=False)
    ] = None,
) -> None:
    """Simulate models halfway between the *parameters* of two, the baseline that must fail, and score them as the hall's."""
    from noble.cells import HallOfFame
    from noble.evolve.interpolate import interpolate_parameters
    from noble.jobs import Pool
    from noble.targets import Targets

    hall, wanted = HallOfFame.load(name), Targets.load(targets)
    with tracked(f"simulating halfway models of {hall.name}") as progress, Pool(workers=workers) as pool:
        found = interpolate_parameters(
            hall, wanted, pool, pairs=pairs, seed=seed, mean=mean, data_folder=data_folder, progress=progress
        )
    summary = found.summary()
    console.print(
        f"{summary['worse_than_worst']} of {summary['pairs']} halfway models are worse than every model of {hall.name}: median "
        f"mean |z| {summary['median_pair']:.2f}; the hall's median is {summary['median_member']:.2f}, its worst "
        f"{summary['worst_member']:.2f}"
    )
    if json is not None:
        write_json(json, summary)
    if output is not None:
        from noble.plots.evolution import interpolation_figure

        members, halfway = ([score.mean for score in scores] for scores in (found.members, found.halfway))
        write_figure(interpolation_figure(members, halfway), output / "interpolation.png")


def print_models(hall: HallOfFame) -> None:
    """The models of a hall with the first few features that all of them have; the names of the others below."""
    from noble.features.catalogue import HALL_FEATURES, unit_of

    names = [name for name in HALL_FEATURES if all(name in model.features for model in hall.models)]
    names, others = names[:_SHOWN_FEATURES], names[_SHOWN_FEATURES:]
    columns = [f"{name.replace('_', ' ')}\n({unit_of(name)})" for name in names]
    table = Table("model", "score", *columns, "use", title=f"{hall.name}: {len(hall)} models of {hall.cell.name}")
    if others:
        table.caption = f"{len(others)} more features: {', '.join(others)}"
    for index, model in enumerate(hall.models):
        numbers = [f"{model.features[name]:.5g}" for name in names]
        score = "-" if model.score is None else f"{model.score:.3f}"
        table.add_row(str(index), score, *numbers, "held out" if model.held_out else "train")
    console.print(table)
