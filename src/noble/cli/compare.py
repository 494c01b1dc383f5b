"""`noble compare`: a family of neurons beside a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from noble.cli.app import ASK, app
from noble.cli.options import Bundle, Count, HallName, Json, Models, Seed
from noble.cli.output import command_line, print_unusable, shown, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.recording_options import Electrode, EpochNumber, JunctionPotential, Protocols, recording_of

if TYPE_CHECKING:
    from noble.comparison import RecordingComparison
    from noble.studies import RecordingStudy


@app.command(rich_help_panel=ASK)
def compare(
    bundle: Bundle,
    recording: Annotated[Path, typer.Argument(help="Current-clamp recording with steps; see `noble recording`.")],
    models: Models = None,
    n: Count = 50,
    seed: Seed = 0,
    junction_potential: JunctionPotential = 0.0,
    protocol: Protocols = None,
    electrode: Electrode = None,
    epoch: EpochNumber = None,
    step_ms: Annotated[
        float | None, typer.Option(help="Steps of this length, ms; that of most by default.", show_default=False)
    ] = None,
    hall: HallName = None,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for figures and index.html.", show_default=False)
    ] = None,
) -> None:
    """Let a family answer the steps of a recording, and compare e-features, firing rates and spread. Needs no simulator."""
    from noble.evaluation import family_hall
    from noble.operator import Operator
    from noble.studies import recording_study

    operator = Operator.load(bundle)
    known = family_hall(operator, hall)
    read = recording_of(recording, junction_potential, protocol, electrode, epoch=epoch, step_ms=step_ms)
    with tracked("comparing") as progress:
        found = recording_study(operator, known, read, models=models, count=n, seed=seed, progress=progress)
    _print_rates(found.comparison)
    _print_agreement(found)
    _print_notes(found)
    write_numbers(found, json, bundle)
    if output is not None:
        from noble.report.comparison import write_comparison_report

        page = write_comparison_report(found.comparison, output, facts=_facts(found, bundle), command=command_line())
        console.print(f"wrote {page}")


def _facts(found: RecordingStudy, bundle: Path) -> dict[str, object]:
    """What the page lists of bundle and family."""
    facts: dict[str, object] = {"bundle": bundle, "family": _who(found)}
    if found.seed is not None:
        facts["seed"] = found.seed
    if found.longer_than_trained:
        lengths = f"{found.comparison.protocol.step_ms:g} ms, {found.trained_step_ms:g} ms"
        facts["steps longer than those of the training"] = lengths
    if found.beyond_training_na:
        facts["beyond the training currents"] = ", ".join(f"{amplitude:g} nA" for amplitude in found.beyond_training_na)
    return facts


def _who(found: RecordingStudy) -> str:
    """The neurons that answer."""
    from noble.family import ONE_NEURON

    return ONE_NEURON if found.models == ONE_NEURON else f"{found.comparison.neurons} neurons ({found.models})"


def _print_rates(comparison: RecordingComparison) -> None:
    """Firing rates by step."""
    title = f"{comparison.recording.source}: firing rate"
    table = Table("step (nA)", "trials", "recording (Hz)", "SD", "family (Hz)", "5 to 95 %", title=title)
    for step in comparison.steps:
        recorded, family = step.rates.recorded, step.rates.family
        numbers = shown(recorded.mean), shown(recorded.sd), shown(family.median)
        band = f"{shown(family.q05)} to {shown(family.q95)}"
        table.add_row(f"{step.amplitude_na:g}", str(step.counted), *numbers, band)
    console.print(table)


def _print_agreement(found: RecordingStudy) -> None:
    """Agreement by feature, and who has a feature alone."""
    comparison = found.comparison
    summary = comparison.summary()
    title = f"{_who(found)} beside {comparison.recording.source}: medians over steps"
    table = Table(title=title)
    table.add_column("feature", no_wrap=True)  # cut short, two of them look the same
    for column in ("steps", "|z| of median", "mean |z|", "SD family / trials", "SD family / deviation"):
        table.add_column(column)
    for name, row in summary.items():
        numbers = (row.abs_z, row.mean_abs_z, row.spread_ratio, row.spread_over_deviation)
        table.add_row(name, str(row.steps), *map(shown, numbers))
    console.print(table)
    recorded = {name: row.missing_at_na for name, row in summary.items()}
    family = {name: row.extra_at_na for name, row in summary.items()}
    for side, alone_at in (("recording", recorded), ("family", family)):
        for step in comparison.steps:
            alone = [name for name, amplitudes in alone_at.items() if step.amplitude_na in amplitudes]
            if alone:
                console.print(f"only the {side} has, at {step.amplitude_na:g} nA: {', '.join(alone)}")


def _print_notes(found: RecordingStudy) -> None:
    """Where the comparison leaves the training, and which sweeps and trials do not count."""
    if found.comparison.neurons == 1:
        console.print("one neuron has no spread over a family: what scatters in the recording is not compared")
    if found.beyond_training_na:
        beyond = ", ".join(f"{amplitude:g}" for amplitude in found.beyond_training_na)
        console.print(f"{beyond} nA: beyond the currents of the training, where the operator extrapolates")
    if found.longer_than_trained:
        step_ms = found.comparison.protocol.step_ms
        console.print(f"steps of {step_ms:g} ms: longer than the {found.trained_step_ms:g} ms of the training")
    if left_out := sum(step.clean_trials_left_out for step in found.comparison.steps):
        console.print(f"{left_out} trials have no noise in their current, unlike the others: shown, but not counted")
    print_unusable(found.comparison.recording.unusable)
