"""`noble recording`: what is in a recording."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from noble.cli.app import CELLS, app
from noble.cli.output import print_doubts, write_figure
from noble.cli.progress import console
from noble.cli.recording_options import Electrode, EpochNumber, JunctionPotential
from noble.files import write_json

if TYPE_CHECKING:
    from noble.recordings.survey import RecordingSurvey, StimulusSurvey

_FEW_LEVELS = 4


@app.command(rich_help_panel=CELLS)
def recording(
    path: Annotated[Path, typer.Argument(help="File or folder of a recording: NWB, ABF, Igor waves, ...")],
    json: Annotated[Path | None, typer.Option("--json", help="Write every sweep as JSON.", show_default=False)] = None,
    figure: Annotated[
        Path | None, typer.Option("-o", "--output", help="Figure of all stimuli (PNG, PDF, SVG).", show_default=False)
    ] = None,
    junction_potential: JunctionPotential = 0.0,
    electrode: Electrode = None,
    epoch: EpochNumber = None,
) -> None:
    """Show what a recording holds: stimuli, levels, repetitions, spikes, rest, and which sweeps to doubt."""
    from noble.recordings import read_recording, survey

    found = survey(read_recording(path, junction_potential_mv=junction_potential, electrode=electrode, epoch=epoch))
    _print(found)
    if json is not None:
        write_json(json, found.to_dict())
    if figure is not None:
        from noble.plots.survey import recording_survey_figure

        write_figure(recording_survey_figure(found), figure)


def _print(found: RecordingSurvey) -> None:
    by_name = {sweep.name: sweep for sweep in found.sweeps}
    table = Table(
        "stimulus", "kind", "sweeps", "levels (nA)", "holding (nA)", "kHz", "spikes", "rest (mV)", title=found.source
    )
    for stimulus in found.stimuli:
        members = [by_name[name] for name in stimulus.sweeps]
        table.add_row(
            escape(stimulus.stimulus or "-"),
            stimulus.kind,
            str(len(members)),
            _levels(stimulus),
            _range([sweep.holding_na for sweep in members], digits=3),
            _range([sweep.rate_khz for sweep in members], digits=1),
            _range([float(sweep.spikes or 0) for sweep in members], digits=0),
            _range([sweep.rest_mv for sweep in members], digits=1),
        )
    console.print(table)
    for stimulus in found.stimuli:
        if len(stimulus.epochs) > 1:
            console.print(f"epochs of {stimulus.stimulus or 'the unnamed'}: {_epochs(stimulus)}", markup=False)
    currents = Counter(sweep.current for sweep in found.sweeps if sweep.current)
    says = {
        "recorded": "as recorded",
        "cleaned": "recorded, without what spikes add to it",
        "command": "the command, since none was recorded",
    }
    console.print("current: " + "; ".join(f"{says[source]} ({count})" for source, count in currents.items()))
    console.print(f"spike threshold: {found.spike_threshold_mv:g} mV")
    good = sum(sweep.verdict == "good" for sweep in found.sweeps)
    console.print(f"{good} of {len(found.sweeps)} sweeps are good")
    print_doubts(found.sweeps)


def _levels(stimulus: StimulusSurvey) -> str:
    """Amplitudes and repetitions in a few words."""
    amplitudes = [level.amplitude_na for level in stimulus.levels]
    repetitions = sorted({level.repetitions for level in stimulus.levels})
    times = f" x {repetitions[0]}" if len(repetitions) == 1 else f" x {repetitions[0]} to {repetitions[-1]}"
    if stimulus.kind == "none":
        return "-"
    if len(amplitudes) <= _FEW_LEVELS:
        return ", ".join(f"{amplitude:.4g}" for amplitude in amplitudes) + times
    return f"{len(amplitudes)} from {amplitudes[0]:.4g} to {amplitudes[-1]:.4g}{times}"


def _epochs(stimulus: StimulusSurvey) -> str:
    """Epochs by number, time and current; the one that is measured is marked."""
    return "; ".join(
        f"{epoch.number}: {epoch.onset_ms:.0f} to {epoch.offset_ms:.0f} ms, "
        f"{_range([epoch.lowest_na, epoch.highest_na], digits=3)} nA{' (measured)' if epoch.measured else ''}"
        for epoch in stimulus.epochs
    )


def _range(values: list[float], *, digits: int) -> str:
    """Least and largest of the values that are known; one where they look alike."""
    known = [value for value in values if value == value]
    if not known:
        return "-"
    low, high = (f"{value + 0.0:.{digits}f}" for value in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"
