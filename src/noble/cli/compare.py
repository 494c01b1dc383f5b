"""`noble compare`: a family of neurons beside a recording."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from noble.cli.app import app
from noble.cli.evaluate import Bundle, hall_of, shown
from noble.cli.family_options import Count, HallName, Json, Models, Seed
from noble.cli.output import command_line, write_numbers
from noble.cli.progress import console, tracked
from noble.cli.recording_options import Electrode, JunctionPotential, Protocol, read_recording

if TYPE_CHECKING:
    from noble.operator import Operator


@app.command()
def compare(
    bundle: Bundle,
    recording: Annotated[Path, typer.Argument(help="Current-clamp recording with rectangular steps (NWB 2).")],
    models: Models = "hall",
    n: Count = 50,
    seed: Seed = 0,
    junction_potential: JunctionPotential = 0.0,
    protocol: Protocol = None,
    electrode: Electrode = None,
    hall: HallName = None,
    json: Json = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for figures and index.html.", show_default=False)
    ] = None,
) -> None:
    """Let a family answer the steps of a recording, and compare e-features, firing rates and spread. Needs no simulator."""
    from noble.comparison import compare_recording
    from noble.evaluation import outside_hull_expected
    from noble.family import family_features
    from noble.operator import Operator

    operator = Operator.load(bundle)
    neurons = family_features(operator.spec, hall_of(operator, hall), models, count=n, seed=seed)
    read = read_recording(recording, junction_potential, protocol, electrode)
    with outside_hull_expected(), tracked("comparing") as progress:
        # Peaks and widths depend on the sampling, so the family is sampled like the recording where it can be.
        finest_ms = min(sweep.trace.grid.dt_ms for sweep in read.sweeps)
        dt_ms = finest_ms if math.isfinite(operator.core.latency_ms) else operator.grid.dt_ms
        comparison = compare_recording(operator, neurons, read, dt_ms=dt_ms, progress=progress)
    drawn = {} if models == "hall" else {"seed": seed}
    trained_ms = (operator.provenance.get("generation") or {}).get("step_ms")
    longer = trained_ms is not None and comparison.protocol.step_ms > trained_ms
    beyond = _beyond_training(operator, [step.amplitude_na for step in comparison.steps])
    summary = {
        "models": models,
        **drawn,
        "beyond_training_na": beyond,
        "trained_step_ms": trained_ms,
        **comparison.to_dict(),
    }
    _print(summary)
    if json is not None:
        write_numbers(summary, json, bundle)
    if output is not None:
        from noble.report.comparison import write_comparison_report

        facts = {"bundle": bundle, "family": f"{models}, {comparison.neurons} neurons", **drawn}
        if longer:
            facts["steps longer than those of the training"] = f"{comparison.protocol.step_ms:g} ms, {trained_ms:g} ms"
        if beyond:
            facts["beyond the training currents"] = ", ".join(f"{amplitude:g} nA" for amplitude in beyond)
        page = write_comparison_report(comparison, output, facts=facts, command=command_line())
        console.print(f"wrote {page}")


def _beyond_training(operator: Operator, amplitudes_na: Sequence[float]) -> list[float]:
    """The amplitudes outside the range of the training currents, nA; none where the bundle does not record it."""
    drawn = (operator.provenance.get("generation") or {}).get("amplitude") or {}
    low, high = drawn.get("low_na", float("-inf")), drawn.get("high_na", float("inf"))
    return [amplitude for amplitude in amplitudes_na if not low <= amplitude <= high]


def _print(summary: Mapping[str, Any]) -> None:
    """Firing rates by step, agreement by feature, and a line a sweep that is not used."""
    source = summary["recording"]["source"]
    rates = Table(
        "step (nA)", "trials", "recording (Hz)", "SD", "family (Hz)", "5 to 95 %", title=f"{source}: firing rate"
    )
    for step in summary["steps"]:
        recorded, family = step["rate_hz"]["recorded"], step["rate_hz"]["family"]
        numbers = shown(recorded["mean"]), shown(recorded["sd"]), shown(family["median"])
        band = f"{shown(family['q05'])} to {shown(family['q95'])}"
        rates.add_row(f"{step['amplitude_na']:g}", str(step["trials"]), *numbers, band)
    console.print(rates)
    title = f"{summary['neurons']} neurons ({summary['models']}) beside {source}: medians over steps"
    table = Table(title=title)
    table.add_column("feature", no_wrap=True)  # cut short, two of them look the same
    for column in ("steps", "|z| of median", "mean |z|", "SD family / trials", "SD family / deviation"):
        table.add_column(column)
    for name, row in summary["summary"].items():
        keys = ("abs_z", "mean_abs_z", "spread_ratio", "spread_over_deviation")
        table.add_row(name, str(row["steps"]), *(shown(row[key]) for key in keys))
    console.print(table)
    for side, key in (("recording", "missing_at_na"), ("family", "extra_at_na")):
        for amplitude in (step["amplitude_na"] for step in summary["steps"]):
            alone = [name for name, row in summary["summary"].items() if amplitude in row[key]]
            if alone:
                console.print(f"only the {side} has, at {amplitude:g} nA: {', '.join(alone)}")
    if summary["beyond_training_na"]:
        beyond = ", ".join(f"{amplitude:g}" for amplitude in summary["beyond_training_na"])
        console.print(f"{beyond} nA: beyond the currents of the training, where the operator extrapolates")
    step_ms, trained_ms = summary["protocol"]["step_ms"], summary["trained_step_ms"]
    if trained_ms is not None and step_ms > trained_ms:
        console.print(f"steps of {step_ms:g} ms: longer than the {trained_ms:g} ms of the training")
    if left_out := sum(step["clean_trials_left_out"] for step in summary["steps"]):
        console.print(f"{left_out} trials have no noise in their current, unlike the others: shown, but not counted")
    for name, reason in summary["recording"]["unusable"].items():
        console.print(f"not used: {name}: {reason}", highlight=False, markup=False)
