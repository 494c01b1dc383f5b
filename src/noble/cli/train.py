"""`noble train`: from stores to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noble.cli.app import OPERATORS, app
from noble.cli.progress import console, tracked


@app.command(rich_help_panel=OPERATORS)
def train(
    config: Annotated[Path, typer.Argument(help="YAML of a training run; an empty file trains the default operator.")],
    stores: Annotated[
        list[Path],
        typer.Argument(
            metavar="STORE...", help="Made by `noble generate`; several of the same models, e.g. of other windows."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run; the bundle is its `bundle`.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    devices: Annotated[int, typer.Option(help="Devices, as Lightning Fabric takes them.")] = 1,
    accelerator: Annotated[str, typer.Option(help="cpu, gpu, ... as Lightning Fabric takes it.")] = "cpu",
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Evaluate on the test splits; not while you still choose settings.")
    ] = True,
) -> None:
    """Train an operator, evaluate it once on the test splits, and write the bundle."""
    from noble.studies.training import BUNDLE, train_and_evaluate
    from noble.train import TrainConfig

    trained = train_and_evaluate(
        TrainConfig.load(config),
        stores,
        output,
        test=test,
        resume=resume,
        devices=devices,
        accelerator=accelerator,
        tracking=tracked,
    )
    if trained is not None:
        console.print(f"wrote {output / BUNDLE}")
