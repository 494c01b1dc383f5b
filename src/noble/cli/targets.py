"""`noble targets`: from a recording to the e-features that an evolution aims at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from noble.cli.app import CELLS, app
from noble.cli.output import print_unusable
from noble.cli.progress import console
from noble.cli.recording_options import Electrode, JunctionPotential, Protocol, recording_of
from noble.files import write_json

if TYPE_CHECKING:
    from noble.studies.targets import TargetsSummary


@app.command(rich_help_panel=CELLS)
def targets(
    recording: Annotated[
        Path, typer.Argument(help="Current-clamp recording with rectangular steps (NWB, ABF, Igor, CSV).")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON file of the targets; see `docs/targets.md`.")],
    step_ms: Annotated[
        float | None,
        typer.Option(help="Measure as if the step had ended then, ms; as recorded by default.", show_default=False),
    ] = None,
    junction_potential: JunctionPotential = 0.0,
    protocol: Protocol = None,
    electrode: Electrode = None,
    min_trials: Annotated[
        int | None,
        typer.Option(min=1, help="Least number of trials of a step; one is enough by default.", show_default=False),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write what is printed as JSON.", show_default=False)
    ] = None,
) -> None:
    """Measure e-features of a recording at each step: mean and standard deviation over trials."""
    from noble.studies.targets import summarise_targets
    from noble.targets.targets import measure_targets

    read = recording_of(recording, junction_potential, protocol, electrode)
    measured = measure_targets(read, step_ms=step_ms, min_trials=min_trials)
    measured.save(output)
    summary = summarise_targets(measured, read)
    _print(summary)
    if single := sum(step.trials == 1 for step in summary.steps):
        console.print(
            f"{single} of {len(summary.steps)} steps have one trial; their standard deviations are the documented floors."
        )
    console.print(f"{output}: targets of {measured.name} for a step of {measured.step_ms:g} ms")
    if json is not None:
        write_json(json, summary.to_dict())


def _print(summary: TargetsSummary) -> None:
    """A row a step, and a line a sweep that cannot be used."""
    table = Table("step (nA)", "trials", "spikes of each", "features", "left out")
    for step in summary.steps:
        table.add_row(
            f"{step.amplitude_na:g}",
            str(step.trials),
            " ".join(map(str, step.spike_counts)),
            str(step.features),
            ", ".join(step.left_out),
        )
    console.print(table)
    print_unusable(summary.unusable)
