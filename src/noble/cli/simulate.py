"""`noble simulate` and `noble features`: from a model to traces, from traces to e-features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.table import Table

from noble.cli.app import CELLS, app
from noble.cli.options import Axon, DataFolder
from noble.cli.progress import console, tracked
from noble.cli.stimulus_options import (
    Figure,
    Onset,
    Output,
    Sampling,
    StepLength,
    Steps,
    StimulusFile,
    Window,
    stimuli_of,
)
from noble.files import write_json
from noble.protocols import StepProtocol
from noble.spikes import spike_times_ms
from noble.traces import TraceBatch
from noble.traces.files import read_timed_traces, write_traces


@app.command(rich_help_panel=CELLS)
def simulate(
    hall: Annotated[str, typer.Argument(help="A hall of fame, by name or file; or an Allen fit JSON (with --swc).")],
    model: Annotated[int, typer.Option(help="Which model of the hall.")] = 0,
    swc: Annotated[Path | None, typer.Option(help="Morphology of an Allen fit.", show_default=False)] = None,
    axon: Axon = None,
    step: Steps = None,
    stimulus: StimulusFile = None,
    onset: Onset = 15.0,
    length: StepLength = 400.0,
    window: Window = 515.0,
    dt: Sampling = 0.06,
    backend: Annotated[Literal["arbor", "neuron"], typer.Option(help="Simulator.")] = "arbor",
    data_folder: DataFolder = None,
    output: Output = None,
    figure: Figure = None,
) -> None:
    """Simulate one biophysical model under one or more stimuli."""
    from noble.cells import HallOfFame, read_allen_fit
    from noble.cells.found import morphology_named
    from noble.simulators import ArborSimulator, NeuronSimulator

    protocol = StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt)
    stimuli = stimuli_of(step, stimulus, protocol)
    if swc is None and axon is not None:
        raise ValueError(
            f"--axon {axon} is for an Allen fit with its --swc; a hall says itself what becomes of the axon."
        )
    chosen = (
        HallOfFame.load(hall).cell_model(model) if swc is None else read_allen_fit(hall, morphology_named(swc, axon))
    )
    simulator = (ArborSimulator if backend == "arbor" else NeuronSimulator)(data_folder=data_folder)
    with tracked(f"simulating with {backend}") as progress:
        batch = simulator.respond([chosen] * len(stimuli), stimuli, protocol.grid)
        progress(len(stimuli), len(stimuli))
    report_traces(batch, output=output, figure=figure)


def report_traces(batch: TraceBatch, *, output: Path | None, figure: Path | None, trials: int | None = None) -> None:
    """Print a line a trace, with the number of its trial if each answer has several; write CSV and figure if asked."""
    which = ("trace",) if trials is None else ("trace", "trial")
    table = Table(*which, "largest current (nA)", "spikes", "first spike (ms)", "lowest (mV)", "highest (mV)")
    for index, trace in enumerate(batch):
        spikes = spike_times_ms(trace.voltage_mv, dt_ms=batch.grid.dt_ms)
        extreme = trace.current_na[np.argmax(np.abs(trace.current_na))]
        first = f"{spikes[0]:.2f}" if spikes.size else "-"
        low, high = trace.voltage_mv.min(), trace.voltage_mv.max()
        names = (index,) if trials is None else (index, index % trials)
        table.add_row(*map(str, names), f"{extreme:.4g}", str(spikes.size), first, f"{low:.2f}", f"{high:.2f}")
    console.print(table)
    if output is not None:
        write_traces(batch, output)
        console.print(f"wrote {output}")
    if figure is not None:
        from noble.plots.operator import traces_figure
        from noble.plots.style import save_figure

        save_figure(traces_figure(batch), figure)
        console.print(f"wrote {figure}")


@app.command(rich_help_panel=CELLS)
def features(
    traces: Annotated[
        Path, typer.Argument(help="CSV written by `noble simulate -o` or `noble predict -o`, or columns of one's own.")
    ],
    onset: Onset = 15.0,
    length: StepLength = 400.0,
    json: Annotated[Path | None, typer.Option("--json", help="Also write them as JSON.", show_default=False)] = None,
) -> None:
    """Measure the sixteen e-features of the paper on traces, by eFEL."""
    from noble.features import FEATURE_NAMES, FeatureSettings, extract, feature

    batch, start_ms = read_timed_traces(traces)
    last_ms = start_ms + (batch.grid.count - 1) * batch.grid.dt_ms
    if not start_ms <= onset < onset + length <= last_ms:
        raise ValueError(
            f"the stimulus runs from {onset:g} to {onset + length:g} ms; expected it within the times of {traces}, "
            f"{start_ms:g} to {last_ms:g} ms. Pass --onset and --length in the file's own time."
        )
    found = extract(batch, onset_ms=onset - start_ms, offset_ms=onset - start_ms + length)
    table = Table("feature", "unit", *(f"trace {index}" for index in range(len(batch))))
    for name in FEATURE_NAMES:
        table.add_row(name, feature(name).unit, *("-" if np.isnan(value) else f"{value:.4g}" for value in found[name]))
    console.print(table)
    if json is not None:
        rows = {name: [None if np.isnan(value) else float(value) for value in found[name]] for name in FEATURE_NAMES}
        write_json(json, {"features": rows, "settings": FeatureSettings().to_dict()})
