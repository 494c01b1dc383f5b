"""`noble train`: from a store to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from noble.cli.app import app
from noble.cli.progress import console, tracked


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML of a training run; an empty file trains the default operator.")],
    store: Annotated[Path, typer.Argument(help="Store made by `noble generate`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run; the bundle is its `bundle`.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    devices: Annotated[int, typer.Option(help="Devices, as Lightning takes them.")] = 1,
    accelerator: Annotated[str, typer.Option(help="cpu, gpu, ... as Lightning takes it.")] = "cpu",
) -> None:
    """Train an operator, evaluate it once on the test splits, and write the bundle."""
    from noble.data import Store
    from noble.ensemble import evaluate, model_card
    from noble.train import TrainConfig, fit, is_first_process

    settings = TrainConfig.load(config)
    with tracked("training") as progress:
        noble = fit(
            settings,
            store,
            output,
            resume=resume,
            devices=devices,
            accelerator=accelerator,
            progress=lambda done, total, values: progress(done, total, epoch_note(values)),
        )
    if not is_first_process():
        return
    bundle = output / "bundle"
    noble.save(bundle, card=model_card(noble, {}))  # so that nothing is lost if the evaluation fails
    with tracked("evaluating") as progress:
        metrics = evaluate(noble, Store.open(store), progress=progress)
    noble.save(bundle, card=model_card(noble, metrics), metrics=metrics)
    console.print(f"wrote {bundle}")


def epoch_note(values: Mapping[str, float]) -> str:
    """The values that tell how a run goes, in a few words."""
    shown = {"train/loss": "loss", "val/spike_count_error_percent": "count error %", "val/timing_ms": "timing ms"}
    return "  ".join(f"{label} {values[name]:.3g}" for name, label in shown.items() if name in values)
