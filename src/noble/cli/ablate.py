"""`noble ablate`: one training run in several variants, and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from noble.cli.app import app
from noble.cli.evaluate import shown
from noble.cli.family_options import Json
from noble.cli.output import write_figure
from noble.cli.progress import console
from noble.cli.train import BUNDLE, train_and_evaluate
from noble.files import read_json, write_json

if TYPE_CHECKING:
    from noble.train import TrainConfig

# What the printed tables compare, one a section: the paper's columns, and spike times. Everything else is in the JSON.
_COMPARED: Final = {
    "relative_l2_percent": "relative L2, %",
    "missed_percent": "missed, %",
    "spike_count_error_percent": "count, %",
    "spike_time_median_ms": "time, ms",
    "ap1_width_error_percent": "AP1 width, %",
    "mean_ap_amplitude_error_percent": "amplitude, %",
    "steady_state_voltage_error_percent": "steady, %",
}
_SECTIONS: Final = ("unseen_currents", "unseen_models")
# What a run's validation says, by its column in the curves; of the epoch that was kept.
_VALIDATED: Final = {
    "val/score": "score",
    "val/relative_l2_percent": "relative L2, %",
    "val/missed_percent": "missed, %",
    "val/spike_count_error_percent": "count, %",
    "val/timing_ms": "time, ms",
}


@app.command()
def ablate(
    config: Annotated[
        Path, typer.Argument(help="YAML with `train`, what all share, and `variants`, what each changes.")
    ],
    store: Annotated[Path, typer.Argument(help="Store made by `noble generate`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder; each variant's run is a folder in it.")],
    validation: Annotated[
        bool,
        typer.Option(
            "--validation", help="Compare on the validation split alone, to choose by; no test split is looked at."
        ),
    ] = False,
    json: Json = None,
) -> None:
    """Train and evaluate variants of one run, one after another: which features matter, how many models are enough.

    Run again, it goes on where it stopped. Writes `ablation.json` and a figure, `ablation.png`, which shows test splits.
    """
    from noble.plots.ablation import ablation_figure
    from noble.train.ablation import AblationConfig

    ablation = AblationConfig.load(config)
    results = {}
    for number, name in enumerate(ablation.variants, 1):
        title = f"{name} ({number} of {len(ablation.variants)})"
        results[name] = _trained(ablation.variant(name), store, output / name, title, test=not validation)
    summary = {"config": ablation.model_dump(mode="json"), "variants": results}
    for path in filter(None, (output / "ablation.json", json)):
        write_json(path, summary)
    if validation:
        _print("validation split", _VALIDATED, {name: result["validation"] for name, result in results.items()})
        return
    metrics = {name: result["metrics"] for name, result in results.items()}
    for section in _SECTIONS:
        errors = {name: found.get(section, {}) for name, found in metrics.items()}
        _print(f"errors, {section.replace('_', ' ')}", _COMPARED, errors)
    write_figure(ablation_figure(metrics), output / "ablation.png")


def _print(title: str, columns: Mapping[str, str], values: Mapping[str, Mapping[str, Any]]) -> None:
    """A row a variant; columns are labels by key."""
    table = Table("variant", *columns.values(), title=title)
    for name, row in values.items():
        table.add_row(name, *(shown(row.get(key)) for key in columns))
    console.print(table)


def _trained(config: TrainConfig, store: Path, folder: Path, title: str, *, test: bool) -> dict[str, Any]:
    """Training run of a variant, its validation, and its metrics if wanted; made if they are not there yet."""
    from noble.data import Store
    from noble.train.curves import CURVES, read_curves
    from noble.train.folder import RUN, other_settings

    record = folder / BUNDLE / "metrics.json"
    if other_settings(folder, config, Store.open(store).digest):
        raise ValueError(
            f"{folder} holds a run of another configuration or store; ablate into another folder, or remove it."
        )
    # A bundle is written before it is evaluated, and then has no metrics yet.
    known = (folder / RUN).exists() and record.exists()
    if not known or (test and not read_json(record, expected="the metrics of a bundle")):
        titles = (f"training {title}", f"evaluating {title}")
        train_and_evaluate(config, store, folder, titles=titles, test=test, resume=True)
    from noble.operator import Operator

    bundle = Operator.load(folder / BUNDLE)
    epoch = bundle.provenance["training_run"]["best_epoch"]
    [kept] = [row for row in read_curves(folder / CURVES) if row["epoch"] == epoch]
    return {
        "features": len(bundle.spec),
        "models": len(bundle.spec.training_features),
        "training_run": bundle.provenance["training_run"],
        "validation": {name: value for name, value in kept.items() if name.startswith("val/")},
        "metrics": read_json(record, expected="the metrics of a bundle"),
    }
