"""`noble demo`: the whole way, from a cell to an operator that answers, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noble.cli.app import HOUSEKEEPING, app
from noble.cli.output import print_metrics
from noble.cli.progress import console, tracked


@app.command(rich_help_panel=HOUSEKEEPING)
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")] = Path("runs/demo"),
    scale: Annotated[
        float, typer.Option(help="Traces and epochs as a share of the usual ones, 0 to 1; 0.05 for a glance.")
    ] = 1.0,
) -> None:
    """Run the main job once: simulate a small data set with Arbor, train an operator, evaluate it, show it.

    Writes `metrics.json`, a `bundle`, figures and an `index.html`. Run again, it goes on where it stopped.
    """
    from noble.report.demo import run_demo

    found = run_demo(output, scale=scale, tracking=tracked)
    print_metrics(found.evaluation.subsets)
    console.print(f"open {found.page} ({found.seconds:.0f} s)")
