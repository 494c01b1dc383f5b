"""`noble fi`: the F-I curves of a family of neurons."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from rich.table import Table

from noble.cli.app import app
from noble.cli.evaluate import Bundle, hall_of, shown
from noble.cli.family_options import Count, DataFolder, HallName, Json, Models, Seed
from noble.cli.output import write_figure, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.recording_options import Electrode, JunctionPotential, Protocol, read_recording
from noble.cli.stimulus_options import Onset, Sampling, StepLength, Window
from noble.protocols import StepProtocol

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.operator import Operator
    from noble.recordings import Recording

_LONGEST_TABLE: Final = 12


@app.command()
def fi(
    bundle: Bundle,
    models: Models = "hall",
    n: Count = 50,
    seed: Seed = 0,
    low: Annotated[
        float | None, typer.Option(help="Lowest amplitude, nA; just below the lowest threshold by default.")
    ] = None,
    high: Annotated[
        float | None, typer.Option(help="Highest amplitude, nA; 0.28, or 0.1 above the highest threshold by default.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Amplitudes.")] = 500,
    simulate: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Simulate the training models, or the disc's model, at so many of the amplitudes.",
            show_default=False,
        ),
    ] = None,
    recording: Annotated[
        Path | None, typer.Option(help="Show the firing rates of a recording (NWB 2), too.", show_default=False)
    ] = None,
    junction_potential: JunctionPotential = 0.0,
    protocol: Protocol = None,
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
    """Firing rate over step amplitude of a whole family, beside the simulator's and a recording's.

    Threshold (i_thr) and slope (s_thr) are read back from the predicted curves and compared with those that the hall measured, on
    steps of 400 ms, and with those that the family's neurons were asked to have.
    """
    from noble.comparison.comparable import comparable_sweeps
    from noble.family import family_features, family_models
    from noble.features.catalogue import LATENT_FEATURES
    from noble.operator import Operator
    from noble.studies.fi import compare_curves, fi_amplitudes_na, summarise_curves

    # Read first, so that a wrong name costs no time.
    read = (
        None
        if recording is None
        else comparable_sweeps(read_recording(recording, junction_potential, protocol, electrode))
    )
    operator = Operator.load(bundle)
    known = hall_of(operator, hall)
    neurons = family_features(operator.spec, known, models, count=n, seed=seed).values
    among = family_models(known, models)
    measured = known.feature_table(LATENT_FEATURES)
    thresholds = measured[[*known.train, *among], 0]
    amplitudes = fi_amplitudes_na(thresholds, count=count, low_na=low, high_na=high)
    if high is None and read is not None:  # every point of the recording has its place
        highest = max([float(amplitudes[-1]), *read.by_amplitude()])
        amplitudes = fi_amplitudes_na(thresholds, count=count, low_na=low, high_na=highest)
    step = StepProtocol(onset_ms=onset, step_ms=length, window_ms=window, dt_ms=dt)
    started = time.perf_counter()
    rates = _predicted(operator, neurons, amplitudes, step)
    seconds = time.perf_counter() - started
    simulated_at = simulated = None
    if simulate is not None:
        simulated_at = np.unique(np.linspace(0, count - 1, simulate).round().astype(int))
        simulated = _simulated(known, among, amplitudes[simulated_at], step, data_folder)
    # No neuron of the hull is a model, so models are predicted beside it only where they are simulated.
    compared = () if models == "hull" and simulate is None else among
    features = known.feature_table(operator.spec.names)[list(compared)]
    own = rates if models == "hall" else _predicted(operator, features, amplitudes, step)
    i_thr, s_thr = measured[list(compared)].T
    rows = compare_curves(amplitudes, own, i_thr, s_thr, simulated_at=simulated_at, simulated_hz=simulated)
    summary = {
        "models": models,
        "neurons": len(neurons),
        "seed": seed,
        "seconds": seconds,
        "step_ms": length,
        **summarise_curves(amplitudes, rates, asked=dict(zip(operator.spec.names, neurons.T, strict=True))),
        "per_model": [{"model": model, **row} for model, row in zip(compared, rows, strict=True)],
        "recording": None if read is None else _described(read, length),
    }
    _print(summary)
    if json is not None:
        write_numbers(summary, json, bundle)
    if output is not None:
        from noble.plots.family import fi_family_figure

        recorded = summary["recording"]
        figure = fi_family_figure(
            amplitudes,
            rates,
            simulated=None if simulated is None else (amplitudes[simulated_at], simulated),
            recorded=None if recorded is None else np.array(recorded["points"]),
        )
        write_figure(figure, output / "fi.png")


def _predicted(operator: Operator, neurons: np.ndarray, amplitudes_na: np.ndarray, step: StepProtocol) -> np.ndarray:
    """Firing rates that the operator predicts of neurons given by their features, shape (neurons, amplitudes), Hz."""
    from noble.evaluation import outside_hull_expected
    from noble.studies.fi import family_rates_hz

    if len(neurons) == 0:
        return np.empty((0, len(amplitudes_na)))
    with outside_hull_expected(), tracked("predicting") as progress:
        return family_rates_hz(operator, list(neurons), amplitudes_na, step, progress=progress)


def _simulated(
    hall: HallOfFame, models: Sequence[int], amplitudes_na: np.ndarray, step: StepProtocol, data_folder: Path | None
) -> np.ndarray:
    """Firing rates of some of the hall's models, shape (models, amplitudes), Hz."""
    from noble.simulators import ArborSimulator
    from noble.studies.fi import family_rates_hz

    cells = [hall.cell_model(index) for index in models]
    with tracked("simulating") as progress:
        return family_rates_hz(ArborSimulator(data_folder=data_folder), cells, amplitudes_na, step, progress=progress)


def _described(read: Recording, step_ms: float) -> dict[str, Any]:
    """Points of the recording's F-I curve over as much of its steps as was predicted, a sweep each, JSON-ready."""
    from noble.studies.fi import recorded_points

    return {
        "source": read.source,
        "sha256": read.sha256,
        "junction_potential_mv": read.junction_potential_mv,
        "step_ms": float(np.median([sweep.step_ms for sweep in read.sweeps])),
        "rated_ms": min(step_ms, *(sweep.step_ms for sweep in read.sweeps)),
        "points": recorded_points(read, step_ms).tolist(),
        "unusable": dict(read.unusable),
    }


def _print(summary: dict[str, Any]) -> None:
    """What came back of threshold and slope, model by model and over the family, and what was recorded."""
    size = f"{summary['neurons']} neurons ({summary['models']}) x {len(summary['amplitudes_na'])} amplitudes"
    title = f"{size} in {summary['seconds']:.1f} s"
    if summary["per_model"]:
        _print_models(summary["per_model"], title)
    else:
        console.print(title)
    if summary["asked"] is not None:
        i_thr, s_thr = summary["asked"]["i_thr_na"], summary["asked"]["s_thr_hz_per_na"]
        median_pa, largest_pa = (_in_pa(i_thr[key]) for key in ("median", "largest"))
        console.print(
            f"read back from the curves, whose amplitudes are {1e3 * summary['resolution_na']:.2g} pA apart, against what the "
            f"neurons were asked to have: i_thr within {median_pa} pA (median; largest {largest_pa}), s_thr within "
            f"{shown(s_thr['median'])} Hz/nA (largest {shown(s_thr['largest'])}); not readable: {i_thr['missing']} and "
            f"{s_thr['missing']} of {summary['neurons']}"
        )
    if abs(summary["step_ms"] - StepProtocol().step_ms) > 1:
        console.print(
            f"threshold and slope were measured on steps of {StepProtocol().step_ms:g} ms; those read back here, on steps of "
            f"{summary['step_ms']:g} ms, differ from them for that reason, too"
        )
    recording = summary["recording"]
    if recording is not None:
        unusable = len(recording["unusable"])
        console.print(
            f"{recording['source']}: {len(recording['points'])} sweeps, the first {recording['rated_ms']:g} of their "
            f"{recording['step_ms']:g} ms, beside predictions for {summary['step_ms']:g} ms"
            + (f"; {unusable} not used (--json says why)" if unusable else "")
        )


def _print_models(rows: Sequence[dict[str, Any]], title: str) -> None:
    """A row a model, those that deviate most first, and only these of many."""

    def deviation(row: dict[str, Any]) -> float:
        error = row["i_thr_na_error"]
        return row.get("largest_deviation_hz", np.inf if error is None else abs(error))

    worst = sorted(rows, key=deviation, reverse=True)[:_LONGEST_TABLE]
    if len(worst) < len(rows):
        title += f"; the {len(worst)} of {len(rows)} models that deviate most"
    caption = "error: read back from the predicted curve, less what the hall measured"
    table = Table("model", "i_thr (pA)", "error (pA)", "s_thr (Hz/nA)", "error (Hz/nA)", title=title, caption=caption)
    simulated = "largest_deviation_hz" in worst[0]
    if simulated:
        table.add_column("deviation (Hz)")
        table.add_column("at (nA)")
        table.caption = f"{caption}; deviation: the largest from the simulated curve"
    for row in worst:
        threshold = _in_pa(row["i_thr_na"]), _in_pa(row["i_thr_na_error"])
        slope = shown(row["s_thr_hz_per_na"]), shown(row["s_thr_hz_per_na_error"])
        furthest = (shown(row["largest_deviation_hz"]), shown(row["largest_deviation_at_na"])) if simulated else ()
        table.add_row(str(row["model"]), *threshold, *slope, *furthest)
    console.print(table)


def _in_pa(current_na: float | None) -> str:
    return shown(None if current_na is None else 1e3 * current_na)
