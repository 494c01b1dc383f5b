"""`noble bench`: how fast an operator is, beside the simulators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from noble.cli.app import OPERATORS, app
from noble.cli.options import Bundle, DataFolder, HallName, Json
from noble.cli.output import write_numbers
from noble.cli.progress import console, tracked

if TYPE_CHECKING:
    from noble.evaluation import Speed


@app.command(rich_help_panel=OPERATORS)
def bench(
    bundle: Bundle,
    batch: Annotated[int, typer.Option(min=1, help="Traces that the operator answers at once.")] = 128,
    arbor_traces: Annotated[int, typer.Option(min=1, help="Traces simulated by Arbor on all cores.")] = 16,
    neuron_traces: Annotated[int, typer.Option(min=0, help="Traces simulated by NEURON on one core; 0 for none.")] = 2,
    currents: Annotated[
        str | None,
        typer.Option(help="One kind of current, as `noble evaluate` names them; as in training if not given."),
    ] = None,
    hall: HallName = None,
    data_folder: DataFolder = None,
    json: Json = None,
) -> None:
    """Time an operator, Arbor and serial NEURON in one run, on the same cell and currents."""
    from noble.evaluation import generation_of, hall_of, measure_speed
    from noble.evaluation.evaluate import check_kinds, of_kind
    from noble.evaluation.source import recorded_generation
    from noble.operator import Operator
    from noble.simulators import ArborSimulator, NeuronSimulator, SolverSettings

    if currents is not None:
        check_kinds([currents])
    operator = Operator.load(bundle)
    config = recorded_generation(operator) if currents is None else of_kind(generation_of(operator), currents)
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
            config=config,
            currents=currents,
            progress=progress,
        )
    _print(speed, operator.config.kind)
    write_numbers(speed, json, bundle)


def _print(speed: Speed, kind: str) -> None:
    """Milliseconds for each trace, and how many times slower than the operator."""
    table = Table("who", "ms a trace", "times slower")
    rows = (
        (f"{kind}, batch {speed.batch}, {speed.threads} threads", speed.ms_per_trace),
        (f"{kind}, batch 1", speed.ms_per_trace_batch1),
        (f"Arbor, {speed.arbor_threads} threads", _in_ms(speed.arbor_seconds_per_trace)),
        ("NEURON, serial", _in_ms(speed.neuron_seconds_per_trace)),
    )
    for who, value in rows:
        numbers = ("-", "-") if value is None else (f"{value:.3g}", f"{value / speed.ms_per_trace:,.0f}")
        table.add_row(who, *numbers)
    console.print(table)


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds
