"""`noble bench`: how fast an operator is, beside the simulators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from noble.cli.app import app
from noble.cli.evaluate import Bundle, hall_of
from noble.cli.output import write_numbers
from noble.cli.progress import console, tracked


@app.command()
def bench(
    bundle: Bundle,
    batch: Annotated[int, typer.Option(min=1, help="Traces that the operator answers at once.")] = 128,
    arbor_traces: Annotated[int, typer.Option(min=1, help="Traces simulated by Arbor on all cores.")] = 16,
    neuron_traces: Annotated[int, typer.Option(min=0, help="Traces simulated by NEURON on one core; 0 for none.")] = 2,
    hall: Annotated[str | None, typer.Option(help="Hall; the bundle's own by default.", show_default=False)] = None,
    data_folder: Annotated[Path | None, typer.Option(help="Folder with SWC files.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.", show_default=False)] = None,
) -> None:
    """Time an operator, Arbor and serial NEURON in one run, on the same cell and currents."""
    from noble.data import GenerationConfig
    from noble.evaluation import measure_speed
    from noble.operator import Operator
    from noble.simulators import ArborSimulator, NeuronSimulator, SolverSettings

    operator = Operator.load(bundle)
    drawn = operator.provenance.get("generation")
    numerics = SolverSettings(equilibration_ms=0.0)  # nobody waits for the operator to settle, so it would flatter
    with tracked("measuring") as progress:
        speed = measure_speed(
            operator,
            hall_of(operator, hall),
            arbor=ArborSimulator(numerics=numerics, data_folder=data_folder),
            neuron=NeuronSimulator(numerics=numerics, data_folder=data_folder) if neuron_traces else None,
            batch=batch,
            arbor_traces=arbor_traces,
            neuron_traces=neuron_traces,
            config=None if drawn is None else GenerationConfig.model_validate(drawn),
            progress=progress,
        )
    table = Table("who", "ms a trace", "times slower")
    rows = (
        (f"{operator.config.kind}, batch {speed['batch']}, {speed['threads']} threads", speed["ms_per_trace"]),
        (f"{operator.config.kind}, batch 1", speed["ms_per_trace_batch1"]),
        (f"Arbor, {speed['arbor_threads']} threads", 1e3 * speed["arbor_seconds_per_trace"]),
        (
            "NEURON, serial",
            None if speed["neuron_seconds_per_trace"] is None else 1e3 * speed["neuron_seconds_per_trace"],
        ),
    )
    for who, value in rows:
        shown = ("-", "-") if value is None else (f"{value:.3g}", f"{value / speed['ms_per_trace']:,.0f}")
        table.add_row(who, *shown)
    console.print(table)
    if json is not None:
        write_numbers(speed, json, bundle)
