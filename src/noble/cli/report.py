"""`noble report`: one page of all that has been found out about a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noble.cli.app import OPERATORS, app
from noble.cli.options import Bundle
from noble.cli.progress import console

if TYPE_CHECKING:
    from noble.operator import Operator


def _learned(operator: Operator) -> dict[str, object]:
    """Of which neurons the operator is."""
    from noble.operator.describe import neurons_of
    from noble.operator.origin import recorded_source

    hall = (operator.provenance.get("hall") or {}).get("name", "unknown")
    if recorded_source(operator) is not None:
        return {"neuron": neurons_of(operator)}
    models: dict[str, object] = {"hall": hall, "models it learned": len(operator.spec.training_features)}
    return models | {"features of a neuron": len(operator.spec) or neurons_of(operator)}


@app.command(rich_help_panel=OPERATORS)
def report(
    bundle: Bundle,
    results: Annotated[
        Path, typer.Argument(help="Folder below which other commands have put figures (-o) and numbers (--json).")
    ],
) -> None:
    """Gather what exists for a bundle in one page, `report.html` of a folder: every figure with the command that made it."""
    from noble.evaluation import Evaluation
    from noble.operator import Operator
    from noble.operator.bundle import read_metrics
    from noble.report.bundle import write_bundle_report

    operator = Operator.load(bundle)
    run = operator.provenance.get("training_run") or {}
    facts = {
        "operator": operator.config.kind,
        **_learned(operator),
        "trained on": f"{operator.grid.duration_ms:g} ms at dt {operator.grid.dt_ms:g} ms",
        **{name.replace("_", " "): value for name, value in run.items()},
    }
    evaluation = Evaluation.from_dict(read_metrics(bundle))
    console.print(f"wrote {write_bundle_report(results, title=str(bundle), evaluation=evaluation, facts=facts)}")
