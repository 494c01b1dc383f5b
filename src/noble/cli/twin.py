"""`noble twin` and `noble reliability`: an operator of one recorded neuron, and how near it comes to the neuron's own trials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from noble.cli.app import ASK, OPERATORS, app
from noble.cli.options import Json, Seed
from noble.cli.output import command_line, shown, write_figure
from noble.cli.progress import console, tracked
from noble.cli.recording_options import Electrode, JunctionPotential
from noble.files import write_json

if TYPE_CHECKING:
    from noble.comparison.trials import TrialComparison

_TRIALS: Final = 100
_TRAINING: Final = "-training"

Sweeps = Annotated[
    str | None,
    typer.Option(help="Positions of sweeps, from 0 on: 0-5,8. All by default.", show_default=False),
]
Stop = Annotated[float | None, typer.Option("--stop", help="Only up to here in each sweep, ms.", show_default=False)]


@app.command(rich_help_panel=OPERATORS)
def twin(
    recording: Annotated[Path, typer.Argument(help="Current-clamp recording of one neuron; see `noble recording`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the bundle.")],
    config: Annotated[
        Path | None, typer.Option(help="YAML of the training; see `noble.twin.TwinConfig`.", show_default=False)
    ] = None,
    donor: Annotated[
        str | None,
        typer.Option("--from", help="Begin from the weights of this operator, name or folder.", show_default=False),
    ] = None,
    sweeps: Sweeps = None,
    stop: Stop = None,
    test: Annotated[
        Path | None,
        typer.Option(help="Recording of repeats of one current, to measure the twin on.", show_default=False),
    ] = None,
    junction_potential: JunctionPotential = 0.0,
    electrode: Electrode = None,
    json: Json = None,
) -> None:
    """Learn an operator of one recorded neuron. Interrupted, even killed, it goes on where it stopped when run again."""
    from noble.comparison.repeats import repeats_of
    from noble.comparison.trials import compare_trials
    from noble.operator import Operator
    from noble.recordings import read_recording
    from noble.twin import TwinConfig, fit_twin
    from noble.twin.card import twin_card

    read = read_recording(recording, junction_potential_mv=junction_potential, electrode=electrode)
    tested = None
    if test is not None:  # before the training, which takes minutes
        again = read_recording(test, junction_potential_mv=junction_potential, electrode=electrode)
        tested = repeats_of(again)
    with tracked("training") as progress:
        found = fit_twin(
            read,
            output.with_name(output.name + _TRAINING),
            config=None if config is None else TwinConfig.load(config),
            sweeps=None if sweeps is None else chosen_sweeps(sweeps),
            stop_ms=stop,
            donor=None if donor is None else Operator.load(donor),
            progress=progress,
        )
    measured = None if tested is None else compare_trials(tested, found.operator, trials=_TRIALS)
    metrics = {} if measured is None else measured.to_dict()
    found.operator.save(output, card=twin_card(found, metrics), metrics={"repeats": metrics} if metrics else {})
    electrode_says = "-" if found.electrode_mohm is None else f"{found.electrode_mohm:.3g} MOhm"
    console.print(
        f"{found.source}: {found.sweeps} sweep(s), {found.seconds:g} s, {found.spikes} spikes; holding {found.holding_na:g} nA, "
        f"electrode {electrode_says}; {found.training_minutes:g} minutes, seed {found.seed}"
    )
    if measured is not None:
        _print(measured)
    console.print(f"wrote {output}")
    if json is not None:
        write_json(json, {**found.to_dict(), **metrics, "made_by": {"command": command_line()}})


@app.command(rich_help_panel=ASK)
def reliability(
    recording: Annotated[Path, typer.Argument(help="Recording in which one current comes several times.")],
    twin: Annotated[
        str | None, typer.Option(help="Hold this twin, folder or name, beside the neuron.", show_default=False)
    ] = None,
    trials: Annotated[int, typer.Option(min=2, help="Trials to draw from the twin.")] = _TRIALS,
    seed: Seed = 0,
    sweeps: Sweeps = None,
    start: Annotated[float, typer.Option(help="Only from here on in each sweep, ms.")] = 0.0,
    stop: Stop = None,
    junction_potential: JunctionPotential = 0.0,
    electrode: Electrode = None,
    json: Json = None,
    figure: Annotated[
        Path | None, typer.Option("-o", "--output", help="Figure of the trials (PNG, PDF, SVG).", show_default=False)
    ] = None,
) -> None:
    """Measure how alike a neuron's answers to one current are, and how near a twin comes to them."""
    from noble.comparison.repeats import repeats_of
    from noble.comparison.trials import compare_trials
    from noble.operator import Operator
    from noble.recordings import read_recording

    read = read_recording(recording, junction_potential_mv=junction_potential, electrode=electrode)
    chosen = None if sweeps is None else chosen_sweeps(sweeps)
    repeats = repeats_of(read, sweeps=chosen, start_ms=start, stop_ms=stop)
    operator = None if twin is None else Operator.load(twin)
    found = compare_trials(repeats, operator, trials=trials, seed=seed)
    _print(found)
    if json is not None:
        write_json(json, {**found.to_dict(), "made_by": {"command": command_line()}})
    if figure is not None:
        from noble.plots.trials import trials_figure

        write_figure(trials_figure(found), figure)


def chosen_sweeps(text: str) -> tuple[int, ...]:
    """Numbers and ranges with commas between them: `0-5,8`.

    Raises:
        ValueError: if it is none.
    """
    chosen: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else not last)):
            raise ValueError(f"sweeps are {text!r}; expected numbers and ranges such as 0-5,8.")
        chosen += range(int(first), int(last if dash else first) + 1)
    if not chosen:
        raise ValueError(f"sweeps are {text!r}, which is none; expected numbers and ranges such as 0-5,8.")
    return tuple(dict.fromkeys(chosen))


def _print(found: TrialComparison) -> None:
    own = found.reliability
    table = Table("window (ms)", "reliability", "coincidence", "over reliability", "Md*", title=found.source)
    for window in own.windows:
        table.add_row(
            f"{window.window_ms:g}",
            shown(window.reliability),
            shown(window.coincidence),
            shown(window.coincidence_over_reliability),
            shown(window.md_star),
        )
    console.print(table)
    console.print(
        f"{own.trials} trials of {found.duration_ms / 1e3:g} s, {own.spikes:.4g} spikes each, Fano factor "
        f"{shown(own.fano_factor)}, jitter {shown(own.jitter_ms)} ms"
    )
    if found.drawn is not None:
        console.print(
            f"the twin: {found.drawn.spikes:.4g} spikes a drawn trial, Fano factor {shown(found.drawn.fano_factor)}, jitter "
            f"{shown(found.drawn.jitter_ms)} ms; variance explained {shown(found.variance_explained)} (a repeat: "
            f"{shown(found.variance_explained_by_repeats)})"
        )
