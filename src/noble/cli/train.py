"""`noble train`: from a store to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from noble.cli.app import app
from noble.cli.progress import console, tracked

if TYPE_CHECKING:
    from noble.operator import Operator
    from noble.train import TrainConfig

# Where in a run's folder its bundle lies.
BUNDLE: Final = "bundle"


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML of a training run; an empty file trains the default operator.")],
    store: Annotated[Path, typer.Argument(help="Store made by `noble generate`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run; the bundle is its `bundle`.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    devices: Annotated[int, typer.Option(help="Devices, as Lightning Fabric takes them.")] = 1,
    accelerator: Annotated[str, typer.Option(help="cpu, gpu, ... as Lightning Fabric takes it.")] = "cpu",
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Evaluate on the test splits; not while you still choose settings.")
    ] = True,
) -> None:
    """Train an operator, evaluate it once on the test splits, and write the bundle."""
    from noble.train import TrainConfig

    trained = train_and_evaluate(
        TrainConfig.load(config), store, output, test=test, resume=resume, devices=devices, accelerator=accelerator
    )
    if trained is not None:
        console.print(f"wrote {output / BUNDLE}")


def train_and_evaluate(
    config: TrainConfig,
    store: Path,
    output: Path,
    *,
    test: bool = True,
    titles: tuple[str, str] = ("training", "evaluating"),
    **options: Any,
) -> tuple[Operator, dict[str, Any]] | None:
    """Train with `fit`'s options, evaluate unless told not to, and write the bundle, with progress under the titles.

    Returns:
        The operator and its metrics; None in every process but the first, which does the rest.
    """
    from noble.data import Store
    from noble.evaluation import evaluate, model_card
    from noble.train import fit, is_first_process

    with tracked(titles[0]) as progress:
        operator = fit(
            config,
            store,
            output,
            progress=lambda done, total, values: progress(done, total, epoch_note(values)),
            **options,
        )
    if not is_first_process():
        return None
    operator.save(output / BUNDLE, card=model_card(operator, {}))  # so that nothing is lost if the evaluation fails
    if not test:
        return operator, {}
    with tracked(titles[1]) as progress:
        metrics = evaluate(operator, Store.open(store), progress=progress)
    operator.save(output / BUNDLE, card=model_card(operator, metrics), metrics=metrics)
    return operator, metrics


def epoch_note(values: Mapping[str, float]) -> str:
    """The values that tell how a run goes, in a few words."""
    shown = {"train/loss": "loss", "val/spike_count_error_percent": "count error %", "val/timing_ms": "timing ms"}
    return "  ".join(f"{label} {values[name]:.3g}" for name, label in shown.items() if name in values)
