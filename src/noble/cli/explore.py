"""`noble explore`: a page in which operators answer in the browser."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from noble.cli.app import ASK, app
from noble.cli.options import DataFolder, HallName
from noble.cli.progress import console, tracked
from noble.protocols import StepProtocol

if TYPE_CHECKING:
    from noble.explore import SimulatedTrace
    from noble.operator import Operator

# Steps that models are simulated at: below rest, just above rheobase, far above it.
_PARTS_OF_RHEOBASE: Final = (-0.5, 1.1, 2.0)


@app.command(rich_help_panel=ASK)
def explore(
    bundles: Annotated[
        list[Path],
        typer.Argument(metavar="NAME_OR_FOLDER...", help="Shipped bundles by name, or folders of some."),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the page, index.html.", show_default=False)
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Open the page in a browser, on this machine alone.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of --serve; any free one by default.")] = 0,
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", help="E-feature to map; repeat for several.", show_default=False),
    ] = None,
    step: Annotated[float, typer.Option(help="Amplitude of the step that is mapped, nA.")] = 0.3,
    size: Annotated[int, typer.Option(min=0, max=200, help="Points of a map along each axis; 0 for no maps.")] = 24,
    simulate: Annotated[
        list[int] | None,
        typer.Option("--simulate", help="Model of the hall to simulate, too; repeat for several.", show_default=False),
    ] = None,
    hall: HallName = None,
    data_folder: DataFolder = None,
) -> None:
    """Write a page with operators that run in the browser: one file, no network, no Python.

    Drag a neuron through its family, draw a current, and see voltage, spikes and F-I curve at once.
    """
    from noble.explore import core_to_run, page_text, write_page
    from noble.operator import Operator

    if output is None and not serve:
        raise ValueError("nothing would come of it; give -o FOLDER to write the page, or --serve to open it.")
    operators = [Operator.load(bundle) for bundle in bundles]
    for operator in operators:
        core_to_run(operator)  # refuses one that the page cannot run before anything is worked out
    contents = [
        _content(operator, feature, step, size=size, simulate=simulate or [], hall=hall, data_folder=data_folder)
        for operator in operators
    ]
    if output is not None:
        path = write_page(output, contents)
        console.print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB); open it in any browser")
    if serve:
        _serve(page_text(contents), port)


def _content(
    operator: Operator,
    features: Sequence[str] | None,
    amplitude_na: float,
    *,
    size: int,
    simulate: Sequence[int],
    hall: str | None,
    data_folder: Path | None,
) -> dict[str, Any]:
    from noble.explore import MAPPED_FEATURES, content_of, maps_of

    simulated = _simulated(operator, simulate, hall, data_folder) if simulate else []
    with tracked(f"mapping {operator.name}") as progress:
        maps = maps_of(operator, features or MAPPED_FEATURES, amplitude_na, size=size, progress=progress)
    return content_of(operator, maps=maps, simulated=simulated)


def _simulated(
    operator: Operator, models: Sequence[int], hall_name: str | None, data_folder: Path | None
) -> list[SimulatedTrace]:
    """Answers of the simulator for some models, to three steps each: below rheobase, just above it, and far above."""
    from noble.evaluation import hall_of
    from noble.explore import SimulatedTrace
    from noble.simulators import ArborSimulator

    hall = hall_of(operator, hall_name)
    if wrong := [model for model in models if not 0 <= model < len(hall)]:
        raise ValueError(f"the hall {hall.name} has no model {wrong[0]}; expected 0 to {len(hall) - 1}.")
    protocol = StepProtocol()
    table = hall.feature_table(operator.feature_names)
    rheobase = hall.feature_table(("rheobase",))[:, 0]
    pairs = [(model, round(float(rheobase[model]) * part, 3)) for model in models for part in _PARTS_OF_RHEOBASE]
    steps = [protocol.stimulus(amplitude) for _, amplitude in pairs]
    simulator = ArborSimulator(data_folder=data_folder)
    with tracked("simulating") as progress:
        batch = simulator.respond([hall.cell_model(model) for model, _ in pairs], steps, protocol.grid)
        progress(len(pairs), len(pairs))
    return [
        SimulatedTrace(
            model=model,
            features=dict(zip(operator.feature_names, np.asarray(table[model], dtype=float).tolist(), strict=True)),
            learned=model in hall.train,
            step=step,
            trace=trace,
        )
        for (model, _), step, trace in zip(pairs, steps, batch, strict=True)
    ]


def _serve(text: str, port: int) -> None:
    """Until it is interrupted."""
    from noble.explore.serve import serving

    with serving(text, port=port) as address:
        console.print(f"the page is at {address}, on this machine alone; Ctrl-C ends it")
        webbrowser.open(address)
        threading.Event().wait()
