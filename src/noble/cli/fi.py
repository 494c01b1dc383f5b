"""`noble fi`: the F-I curves of a family of neurons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer
from rich.table import Table

from noble.cli.app import ASK, app
from noble.cli.options import Bundle, Count, DataFolder, HallName, Json, Models, Seed
from noble.cli.output import shown, write_figure, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.recording_options import Electrode, EpochNumber, JunctionPotential, Protocols, recording_of
from noble.cli.stimulus_options import Onset, Sampling, StepLength, Window
from noble.protocols import StepProtocol

if TYPE_CHECKING:
    from noble.studies import FIStudy
    from noble.studies.fi_curves import ModelCurve

_LONGEST_TABLE: Final = 12


@app.command(rich_help_panel=ASK)
def fi(
    bundle: Bundle,
    models: Models = None,
    n: Count = 50,
    seed: Seed = 0,
    low: Annotated[
        float | None, typer.Option(help="Lowest amplitude, nA; just below the lowest threshold by default.")
    ] = None,
    high: Annotated[
        float | None, typer.Option(help="Highest amplitude, nA; 0.28, or 0.1 above the highest threshold by default.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Number of amplitudes.")] = 500,
    simulate: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Simulate the training models, or the disc's model, at this number of the amplitudes.",
            show_default=False,
        ),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(help="Show the firing rates of a recording (NWB, ABF, Igor, CSV), too.", show_default=False),
    ] = None,
    junction_potential: JunctionPotential = 0.0,
    protocol: Protocols = None,
    epoch: EpochNumber = None,
    electrode: Electrode = None,
    onset: Onset = 15.0,
    length: StepLength = 400.0,
    window: Window = 515.0,
    dt: Sampling = 0.06,
    hall: HallName = None,
    data_folder: DataFolder = None,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a figure, fi.png.", show_default=False)
    ] = None,
) -> None:
    """Firing rate over step amplitude of a whole family or of one neuron, beside the simulator's and a recording's.

    Rheobase and F-I gain are estimated from the predicted curves and compared with those that the hall measured, on
    steps of 400 ms, and with those that the family's neurons were requested to have.
    """
    from noble.evaluation import family_hall
    from noble.operator import Operator
    from noble.simulators import ArborSimulator
    from noble.studies import fi_study

    # Read first, so that a wrong name costs no time.
    read = None if recording is None else recording_of(recording, junction_potential, protocol, electrode, epoch=epoch)
    operator = Operator.load(bundle)
    found = fi_study(
        operator,
        family_hall(operator, hall),
        models=models,
        count=n,
        seed=seed,
        amplitudes=count,
        low_na=low,
        high_na=high,
        simulator=None if simulate is None else ArborSimulator(data_folder=data_folder),
        simulated_amplitudes=simulate or 0,
        recording=read,
        protocol=StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt),
        tracking=tracked,
    )
    _print(found)
    write_numbers(found, json, bundle)
    if output is not None:
        from noble.plots.family import fi_family_figure

        figure = fi_family_figure(
            found.curves.amplitudes_na,
            found.rates_hz,
            simulated=None if found.simulated is None else (found.simulated.amplitudes_na, found.simulated.rates_hz),
            recorded=None if found.recording is None else found.recording.points,
        )
        write_figure(figure, output / "fi.png")


def _print(found: FIStudy) -> None:
    """What was estimated of threshold and slope, model by model and over the family, and what was recorded."""
    from noble.family import ONE_NEURON

    alone = found.models == ONE_NEURON
    who = ONE_NEURON if alone else f"{found.neurons} neurons ({found.models})"
    size = f"{who} x {len(found.curves.amplitudes_na)} amplitudes"
    title = f"{size} in {found.seconds:.1f} s"
    if found.per_model:
        _print_models(found.per_model, title)
    else:
        console.print(title)
    if alone:
        console.print(
            f"read from the curve, whose amplitudes are {1e3 * found.curves.resolution_na:.2g} pA apart: rheobase "
            f"{_in_pa(found.rheobase_na)} pA, F-I gain {shown(found.fi_gain_hz_per_na)} Hz/nA"
        )
    if found.curves.requested is not None:
        rheobase, gain = found.curves.requested.rheobase_na, found.curves.requested.fi_gain_hz_per_na
        console.print(
            f"read back from the curves, whose amplitudes are {1e3 * found.curves.resolution_na:.2g} pA apart, against what the "
            f"neurons were asked to have: rheobase within {_in_pa(rheobase.median)} pA (median; largest "
            f"{_in_pa(rheobase.largest)}), "
            f"F-I gain within {shown(gain.median)} Hz/nA (largest {shown(gain.largest)}); not readable: {rheobase.missing} and "
            f"{gain.missing} of {found.neurons}"
        )
    if not alone and abs(found.step_ms - StepProtocol().step_ms) > 1:
        console.print(
            f"threshold and slope were measured on steps of {StepProtocol().step_ms:g} ms; those read back here, on steps of "
            f"{found.step_ms:g} ms, differ from them for that reason, too"
        )
    if found.recording is not None:
        recording = found.recording
        unusable = len(recording.unusable)
        console.print(
            f"{recording.source}: {len(recording.points)} sweeps, the first {recording.rated_ms:g} of their "
            f"{recording.step_ms:g} ms, beside predictions for {found.step_ms:g} ms"
            + (f"; {unusable} not used (--json says why)" if unusable else "")
        )


def _print_models(rows: Sequence[ModelCurve], title: str) -> None:
    """A row a model, those that deviate most first, and only these of many."""
    worst = sorted(rows, key=_deviation, reverse=True)[:_LONGEST_TABLE]
    if len(worst) < len(rows):
        title += f"; the {len(worst)} of {len(rows)} models that deviate most"
    caption = "error: read back from the predicted curve, less what the hall measured"
    table = Table(
        "model", "rheobase (pA)", "error (pA)", "F-I gain (Hz/nA)", "error (Hz/nA)", title=title, caption=caption
    )
    if worst[0].simulation is not None:
        table.add_column("deviation (Hz)")
        table.add_column("at (nA)")
        table.caption = f"{caption}; deviation: the largest from the simulated curve"
    for row in worst:
        threshold = _in_pa(row.rheobase_na), _in_pa(row.rheobase_na_error)
        slope = shown(row.fi_gain_hz_per_na), shown(row.fi_gain_hz_per_na_error)
        furthest: tuple[str, ...] = ()
        if row.simulation is not None:
            furthest = shown(row.simulation.largest_deviation_hz), shown(row.simulation.largest_deviation_at_na)
        table.add_row(str(row.model), *threshold, *slope, *furthest)
    console.print(table)


def _deviation(row: ModelCurve) -> float:
    """How much a model deviates: from its simulated curve, or in its threshold."""
    if row.simulation is not None:
        return row.simulation.largest_deviation_hz
    return np.inf if row.rheobase_na_error is None else abs(row.rheobase_na_error)


def _in_pa(current_na: float | None) -> str:
    return shown(None if current_na is None else 1e3 * current_na)
