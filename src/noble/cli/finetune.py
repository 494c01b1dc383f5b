"""`noble finetune`: a trained operator goes on learning with an eye to one feature, beside a control that does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Column, Table
from rich.text import Text

from noble.cli.app import OPERATORS, app
from noble.cli.options import Bundle, Json
from noble.cli.output import command_line, shown, write_numbers
from noble.cli.progress import console, tracked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from noble.studies import FineTuningStudy

_SHOWN: Final = "unseen_currents"


@app.command(rich_help_panel=OPERATORS)
def finetune(
    bundle: Bundle,
    store: Annotated[Path, typer.Argument(help="Store of the same hall, with hyperpolarising steps.")],
    feature: Annotated[
        str, typer.Option(help="sag_amplitude, steady_state_voltage_stimend or voltage_base.")
    ] = "sag_amplitude",
    weight: Annotated[float, typer.Option(min=0, help="Weight of the feature's mean squared relative error.")] = 25.0,
    epochs: Annotated[int, typer.Option(min=1, help="Further passes over the training split.")] = 10,
    learning_rate: Annotated[float, typer.Option(help="Largest learning rate; it falls to zero as a cosine.")] = 3e-4,
    seed: Annotated[int, typer.Option(help="Seed of order and augmentation, the same with and without the term.")] = 0,
    watch: Annotated[
        Path | None,
        typer.Option(help="Store on which everything else is measured; the same one by default.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoints.")] = False,
    json: Json = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Folder for the bundles control and finetuned, the runs and a figure."),
    ] = Path("finetune"),
) -> None:
    """Fine-tune an operator to one feature on hyperpolarising steps, and show what that costs elsewhere.

    Twice the same further training, without and with the feature's term; then all three operators on the test splits, once.
    """
    from noble.operator import Operator
    from noble.plots.style import save_figure
    from noble.studies.finetuning import CONTROL, TUNED, fine_tuning_study

    found = fine_tuning_study(
        Operator.load(bundle),
        store,
        output,
        feature=feature,
        weight=weight,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
        watch=watch,
        resume=resume,
        tracking=tracked,
    )
    found.save(output)
    save_figure(_figure(found), output / "finetune.png", command=command_line())
    _print(found)
    write_numbers(found, json, bundle)
    console.print(f"wrote {output / CONTROL}, {output / TUNED} and {output / 'finetune.png'}")


def _figure(found: FineTuningStudy) -> Figure:
    """The target before and after, and what became of everything else."""
    from noble.plots.finetune import finetune_figure

    comparison = found.comparison
    return finetune_figure(
        comparison.values[_SHOWN],
        {label: report.values[_SHOWN] for label, report in comparison.operators.items()},
        comparison.error_ratios(_SHOWN),
        feature=comparison.feature,
        unit=comparison.unit,
    )


def _print(found: FineTuningStudy) -> None:
    """One table of the three operators on unseen currents; unseen models are in the JSON and on the cards."""
    title = f"{found.comparison.feature}, weight {found.weight:g}, unseen currents"
    table = Table(Column("quantity", no_wrap=True), *found.comparison.operators, title=title)
    for group, rows in found.comparison.rows(_SHOWN).items():
        table.add_section()
        table.add_row(Text(group, style="bold"))
        for quantity, values in rows.items():
            table.add_row(quantity, *map(shown, values))
    console.print(table)
