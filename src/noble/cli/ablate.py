"""`noble ablate`: one training run in several variants, and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from noble.cli.app import OPERATORS, app
from noble.cli.options import Json
from noble.cli.output import shown, write_figure
from noble.cli.progress import console, tracked
from noble.files import write_json

if TYPE_CHECKING:
    from noble.studies import Ablation

# What the printed tables compare, one a subset: the paper's columns, and spike times. Everything else is in the JSON.
_COMPARED: Final = {
    "relative_l2_percent": "relative L2, %",
    "missed_percent": "missed, %",
    "spike_count_error_percent": "count, %",
    "spike_time_median_ms": "time, ms",
    "ap1_width_error_percent": "AP1 width, %",
    "mean_ap_amplitude_error_percent": "amplitude, %",
    "steady_state_voltage_error_percent": "steady, %",
}
_SUBSETS: Final = ("unseen_currents", "unseen_models")
# What a run's validation says, by its column in the curves; of the epoch that was kept.
_VALIDATED: Final = {
    "val/score": "score",
    "val/relative_l2_percent": "relative L2, %",
    "val/missed_percent": "missed, %",
    "val/spike_count_error_percent": "count, %",
    "val/timing_ms": "time, ms",
}


@app.command(rich_help_panel=OPERATORS)
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
    from noble.studies.ablation import ablate as ablate_variants
    from noble.train.ablation import AblationConfig

    found = ablate_variants(AblationConfig.load(config), store, output, test=not validation, tracking=tracked)
    for path in filter(None, (output / "ablation.json", json)):
        write_json(path, found.to_dict())
    if validation:
        _print_validation(found)
        return
    _print_errors(found)
    evaluations = {name: variant.metrics for name, variant in found.variants.items()}
    write_figure(ablation_figure(evaluations), output / "ablation.png")


def _print_validation(found: Ablation) -> None:
    """What each variant's validation says."""
    rows = {name: [variant.validation.get(column) for column in _VALIDATED] for name, variant in found.variants.items()}
    _print("validation split", _VALIDATED, rows)


def _print_errors(found: Ablation) -> None:
    """Errors of the variants, a table a subset."""
    for subset in _SUBSETS:
        rows = {}
        for name, variant in found.variants.items():
            summary = variant.metrics.subsets.get(subset)
            rows[name] = [None if summary is None else summary.number(key) for key in _COMPARED]
        _print(f"errors, {subset.replace('_', ' ')}", _COMPARED, rows)


def _print(title: str, columns: Mapping[str, str], rows: Mapping[str, list[float | None]]) -> None:
    """A row a variant; columns are labels by key."""
    table = Table("variant", *columns.values(), title=title)
    for name, values in rows.items():
        table.add_row(name, *map(shown, values))
    console.print(table)
