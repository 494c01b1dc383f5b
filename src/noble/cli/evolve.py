"""`noble evolve`: from targets and a morphology to a hall of fame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from noble.cli.app import CELLS, app
from noble.cli.progress import console
from noble.cli.recording_options import Electrode, EpochNumber, Protocols, recording_of

if TYPE_CHECKING:
    from noble.evolve import Generation

# The table shows the median of so many best scores: as many as a seed usually gives to a hall.
_BEST = 20


@app.command(rich_help_panel=CELLS)
def evolve(
    config: Annotated[Path, typer.Argument(help="YAML; see `docs/evolution.md` and `experiments/halls/`.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder of the run; runs/halls/NAME if not given.", show_default=False),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Seed instead of the configuration's; may be given again.", show_default=False),
    ] = None,
    generations: Annotated[
        int | None,
        typer.Option(min=1, help="Generations of the last stage, instead of the configuration's.", show_default=False),
    ] = None,
    data_folder: Annotated[Path | None, typer.Option(help="Folder with morphologies.", show_default=False)] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; all cores by default, 0 for none.", show_default=False)
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Address or scheduler file of a Dask cluster; a local one if not given.", show_default=False),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option(min=1, help="A run of a few models that takes longer is started again in a fresh process.")
    ] = 1800.0,
    recording: Annotated[
        Path | None,
        typer.Option(help="Recording of the targets, to draw its traces in the report.", show_default=False),
    ] = None,
    protocol: Protocols = None,
    electrode: Electrode = None,
    epoch: EpochNumber = None,
    hall: Annotated[bool, typer.Option(help="Check the best models and gather the hall at the end.")] = True,
) -> None:
    """Evolve a hall of fame. Interrupted, even killed, it goes on where it stopped when run again.

    More seeds or generations extend a finished run. The folder then holds `hall.json` and `report.html`.
    """
    from noble.evolve import Evolution, EvolutionConfig, gather_hall, with_seeds
    from noble.jobs import Pool

    settings = EvolutionConfig.load(config)
    settings = with_seeds(settings, seed or settings.seeds, generations)
    folder = output or Path("runs/halls") / settings.name
    evolution = Evolution(settings, folder, data_folder=data_folder)
    recorded = None
    if recording is not None:
        from noble.report.evolution_figures import check_recording

        junction_potential = evolution.check_targets.junction_potential_mv
        recorded = recording_of(recording, junction_potential, protocol, electrode, epoch=epoch)
        check_recording(recorded, evolution.check_targets)
    with Pool(workers=workers, address=dask, timeout_s=timeout_s) as pool:
        with _table(settings.name) as (after_generation, within):
            evolution.run(pool, progress=after_generation, within=within)
        if not hall:
            console.print(f"{folder}: evolved; run the same command without --no-hall to gather the hall.")
            return
        command = " ".join(["noble evolve", config.as_posix(), *_shown(seed, generations)])
        with _table(settings.name) as (_, within):
            made = gather_hall(evolution, pool, provenance={"command": command}, progress=within)
    made.save(folder / "hall.json")
    from noble.report.evolution import write_evolution_report

    write_evolution_report(evolution, made, folder / "report.html", recording=recorded)
    scores = [model.score for model in made.models]
    console.print(
        f"{folder / 'hall.json'}: {len(made)} models, {len(made.held_out)} held out, mean |z| {scores[0]:.2f} to "
        f"{scores[-1]:.2f}; figures in {folder / 'report.html'}"
    )


def _shown(seed: list[int] | None, generations: int | None) -> list[str]:
    """The options that change the result."""
    seeds = [part for value in seed or () for part in ("--seed", str(value))]
    return seeds + (["--generations", str(generations)] if generations is not None else [])


class _ScoreTable:
    """Scores by seed and stage, as they come."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._rows: dict[tuple[int, str], list[str]] = {}

    def add(self, generation: Generation) -> None:
        best = generation.scores[:_BEST]
        self._rows[generation.seed, generation.stage] = [
            f"{generation.number}/{generation.generations}",
            str(len(generation.scores)),
            f"{best[0]:.2f}",
            f"{best[len(best) // 2]:.2f}",
            str(sum(score <= 1.5 for score in generation.scores)),
        ]

    def render(self) -> Table:
        columns = ("seed", "stage", "generation", "models", "best", f"median of best {_BEST}", "mean |z| <= 1.5")
        table = Table(*columns, title=f"{self.title}: mean |z|")
        for (seed, stage), cells in self._rows.items():
            table.add_row(str(seed), stage, *cells)
        return table


@contextmanager
def _table(title: str) -> Iterator[tuple]:
    """Two callbacks, after a generation and within one: a live table on a terminal, lines elsewhere."""
    scores, started = _ScoreTable(title), time.monotonic()
    if console.is_terminal:
        bar = Progress(
            TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        task = bar.add_task("runs", total=None)
        with Live(Group(scores.render(), bar), console=console) as live:

            def after(generation: Generation) -> None:
                scores.add(generation)
                live.update(Group(scores.render(), bar))

            yield after, lambda done, total: bar.update(task, completed=done, total=total)
        return

    def line(generation: Generation) -> None:
        best = generation.scores[:_BEST]
        rate = "read back" if not generation.simulated else f"{generation.simulated} simulations"
        print(
            f"[{time.monotonic() - started:6.0f} s] {title}, seed {generation.seed}, {generation.stage} "
            f"{generation.number}/{generation.generations}: best mean |z| {best[0]:.2f}, median of best {len(best)}: "
            f"{best[len(best) // 2]:.2f}, {rate}",
            flush=True,
        )

    yield line, None
