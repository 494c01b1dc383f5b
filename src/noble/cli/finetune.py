"""`noble finetune`: a trained operator goes on learning with an eye to one feature, beside a control that does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Column, Table
from rich.text import Text

from noble.cli.app import app
from noble.cli.evaluate import Bundle, shown
from noble.cli.output import command_line, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.train import epoch_note

if TYPE_CHECKING:
    from noble.data import Store
    from noble.operator import Operator
    from noble.train import FineTuneConfig

# What the operators are called in table, figure and JSON, and where the last two are written.
BEFORE: Final = "before"
CONTROL: Final = "control"
TUNED: Final = "finetuned"
_SHOWN: Final = "unseen_currents"


@app.command()
def finetune(
    bundle: Bundle,
    store: Annotated[Path, typer.Argument(help="Store of the same hall, with hyperpolarising steps.")],
    feature: Annotated[
        str, typer.Option(help="sag_amplitude, steady_state_voltage_stimend or voltage_base.")
    ] = "sag_amplitude",
    weight: Annotated[float, typer.Option(min=0, help="Of the feature's mean squared relative error.")] = 25.0,
    epochs: Annotated[int, typer.Option(min=1, help="Further passes over the training split.")] = 10,
    learning_rate: Annotated[float, typer.Option(help="Largest; it falls to zero as a cosine.")] = 3e-4,
    seed: Annotated[int, typer.Option(help="Of order and augmentation, the same with and without the term.")] = 0,
    watch: Annotated[
        Path | None,
        typer.Option(help="Store on which everything else is measured; the same one by default.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoints.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)] = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Folder for the bundles control and finetuned, the runs and a figure."),
    ] = Path("finetune"),
) -> None:
    """Fine-tune an operator to one feature on hyperpolarising steps, and show what that costs elsewhere.

    Twice the same further training, without and with the feature's term; then all three operators on the test splits, once.
    """
    from noble.data import Store
    from noble.operator import Operator
    from noble.train import fine_tune_config
    from noble.train.finetune import check_hyperpolarises, check_matches

    operator = Operator.load(bundle)
    data = Store.open(store)
    settings = {"feature": feature, "learning_rate": learning_rate, "epochs": epochs, "seed": seed}
    configs = {
        label: fine_tune_config(operator, data, weight=w, **settings) for label, w in ((CONTROL, 0.0), (TUNED, weight))
    }
    watched = data if watch is None else Store.open(watch)
    check_matches(operator, watched)
    check_matches(operator, data)
    check_hyperpolarises(data, limit=configs[TUNED].validation_limit)
    operators = {BEFORE: operator, **_trained(operator, configs, store, output, resume=resume)}
    comparison = _compared(operators, data, watched, feature)
    summary = {
        **{key: getattr(configs[TUNED], key) for key in ("weight", "epochs", "seed")},
        "learning_rate": learning_rate,
        "error_scale": operators[TUNED].provenance["fine_tuning"]["error_scale"],
        "store": data.digest,
        "watch": watched.digest,
        "runs": {label: operators[label].provenance["fine_tuning"]["run"] for label in configs},
        **comparison,
    }
    _write(operators, summary, output)
    _print(summary)
    if json is not None:
        write_numbers(summary, json, bundle)
    console.print(f"wrote {output / CONTROL}, {output / TUNED} and {output / 'finetune.png'}")


def _trained(
    operator: Operator, configs: Mapping[str, FineTuneConfig], store: Path, output: Path, *, resume: bool
) -> dict[str, Operator]:
    """The operators of all runs, each run in its own folder."""
    from noble.train import fine_tune

    tuned = {}
    for label, config in configs.items():
        with tracked(f"training: {label}") as progress:
            tuned[label] = fine_tune(
                operator,
                config,
                store,
                output / "runs" / label,
                resume=resume,
                progress=lambda done, total, values: progress(done, total, epoch_note(values)),
            )
    return tuned


def _compared(operators: Mapping[str, Operator], data: Store, watched: Store, feature: str) -> dict[str, Any]:
    """All operators on the test splits."""
    from noble.studies.feature_report import compare_operators
    from noble.train import hyperpolarising_indices

    indices = {split: hyperpolarising_indices(data, split) for split in ("test", "unseen_models")}
    with tracked("evaluating") as progress:
        return compare_operators(operators, data, indices, feature, watch=watched, progress=progress)


def _write(operators: Mapping[str, Operator], summary: Mapping[str, Any], output: Path) -> None:
    """Bundles with their cards, and the figure."""
    import numpy as np

    from noble.plots.finetune import finetune_figure
    from noble.plots.style import save_figure
    from noble.studies.feature_report import error_ratios, fine_tuned_card

    for label in (CONTROL, TUNED):
        found = summary["operators"][label]
        operators[label].save(output / label, card=fine_tuned_card(operators[label], found), metrics=found["metrics"])
    values = {label: found["values"][_SHOWN] for label, found in summary["operators"].items()}
    figure = finetune_figure(
        np.array(summary["values"][_SHOWN], dtype=float),
        {label: np.array(row, dtype=float) for label, row in values.items()},
        error_ratios(summary, _SHOWN),
        feature=summary["feature"],
        unit=summary["unit"],
    )
    save_figure(figure, output / "finetune.png", command=command_line())


def _print(summary: Mapping[str, Any]) -> None:
    """One table of the three operators on unseen currents; unseen models are in the JSON and on the cards."""
    from noble.studies.feature_report import comparison_rows

    title = f"{summary['feature']}, weight {summary['weight']:g}, unseen currents"
    table = Table(Column("quantity", no_wrap=True), *summary["operators"], title=title)
    for group, rows in comparison_rows(summary, _SHOWN).items():
        table.add_section()
        table.add_row(Text(group, style="bold"))
        for quantity, values in rows.items():
            table.add_row(quantity, *map(shown, values))
    console.print(table)
