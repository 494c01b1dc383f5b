"""The page of a comparison with a recording: what agrees, feature by feature, and the figures that show it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from noble.features import unit_of
from noble.report.page import PageFigure, TextTable, number_text, write_index

if TYPE_CHECKING:
    from noble.comparison.agreement import Side
    from noble.comparison.recording import RecordingComparison, StepComparison

_SUMMARY: Final = (
    "Recording and family are measured in the same windows, each on its own time grid. A z-score is the distance from the mean "
    "over trials in standard deviations over trials, or in the feature's floor where trials scatter by less (docs/targets.md). "
    "A side has a feature where at least half of its traces do."
)
_ALONE: Final = (
    " The family is one neuron: its median is the neuron itself, and it has no spread to compare with that of trials."
)
_CAPTIONS: Final = {
    "fi": "Firing rate by step amplitude. Circles: the recording, mean and standard deviation over trials. Line and band: median "
    "and 5 to 95 % of the family.",
    "voltage": "Voltage at a few steps, and the current below. Black: the first trial; grey: the others (a trial without noise "
    "among noisy ones is shown but not counted). Blue: median and 5 to 95 % of the family at each instant, which smear spikes "
    "that do not coincide; vermilion: single neurons. Of steps that fire, the first 180 ms.",
    "z_scores": "z-score of the family's median by feature and step. Grey numbers: steps where noble targets does not measure "
    "the feature, which no summary counts. R: only the recording has the feature; F: only the family; dot: neither.",
    "spreads": "Standard deviation over the family in units of that over trials, a dot a step; bar: median. Hollow dots: trials "
    "scatter by less than the feature's floor, so that a large ratio says little.",
}


def write_comparison_report(
    comparison: RecordingComparison, folder: Path | str, *, facts: Mapping[str, Any], command: str
) -> Path:
    """Save the figures of a comparison and write `index.html` beside them.

    Args:
        comparison: of a family with a recording.
        folder: for page and figures.
        facts: to list on top, for example the bundle and the family.
        command: that made the comparison, shown with each figure.

    Returns:
        The page's path.
    """
    from noble.plots import recording as plots
    from noble.plots.style import save_figure

    folder = Path(folder)
    figures = {
        "fi": plots.recording_fi_figure,
        "voltage": plots.recording_voltage_figure,
        "z_scores": plots.z_scores_figure,
        "spreads": plots.spreads_figure,
    }
    if comparison.neurons == 1:  # which has no spread
        del figures["spreads"]
    for name, draw in figures.items():
        save_figure(draw(comparison), folder / f"{name}.png", command=command)
    return write_index(
        folder,
        f"{'One neuron' if comparison.neurons == 1 else f'{comparison.neurons} neurons'} beside the recording "
        f"{comparison.recording.source}",
        figures=[PageFigure(f"{name}.png", _CAPTIONS[name], command) for name in figures],
        summary=_SUMMARY + (_ALONE if comparison.neurons == 1 else ""),
        facts={**facts, **_facts(comparison)},
        tables=[_rates(comparison), _summary(comparison), *_unusable(comparison)],
        details=[_step(step) for step in comparison.steps],
    )


def _facts(comparison: RecordingComparison) -> dict[str, str]:
    """Of the recording and of the window."""
    recording, protocol = comparison.recording, comparison.protocol
    after_ms = protocol.window_ms - protocol.dt_ms - protocol.offset_ms
    intervals = sorted({f"{sweep.trace.grid.dt_ms:.4g}" for sweep in recording.sweeps})
    return {
        "recording": f"{recording.source}, {len(recording.sweeps)} sweeps at {len(comparison.steps)} steps",
        "SHA-256": recording.sha256,
        "junction potential": f"{recording.junction_potential_mv:g} mV subtracted",
        "step": f"{protocol.step_ms:g} ms; {protocol.onset_ms:.4g} ms before and {after_ms:.4g} ms after it are compared",
        "sampling": f"recording {', '.join(intervals)} ms, family {protocol.dt_ms:g} ms",
    }


def _rates(comparison: RecordingComparison) -> TextTable:
    """Firing rates by step."""
    head = ("Step (nA)", "Trials", "Recording, mean (Hz)", "SD (Hz)", "Family, median (Hz)", "5 to 95 % (Hz)")
    rows = []
    for step in comparison.steps:
        recorded, family = step.rates.recorded, step.rates.family
        middle = (recorded.mean, recorded.sd, family.median)
        band = f"{number_text(family.q05, '')} to {number_text(family.q95, '')}"
        rows.append((_signed(step), str(step.counted), *(number_text(value, "") for value in middle), band))
    return TextTable("Firing rate", head, rows)


def _summary(comparison: RecordingComparison) -> TextTable:
    """Medians over steps, a row a feature."""
    head = (
        *("Feature", "Steps", "|z| of the family's median", "Mean |z| over the family", "Median |z| over the family"),
        *("SD family / SD trials", "SD family / deviation", "Only in the recording", "Only in the family"),
    )
    rows = []
    for name, row in comparison.summary().items():
        numbers = (row.abs_z, row.mean_abs_z, row.median_abs_z, row.spread_ratio, row.spread_over_deviation)
        alone = (", ".join(f"{at:g} nA" for at in amplitudes) for amplitudes in (row.missing_at_na, row.extra_at_na))
        shown = (number_text(value, "") for value in numbers)
        rows.append((name.replace("_", " "), str(row.steps), *shown, *alone))
    return TextTable("Agreement, median over the steps that count", head, rows)


def _unusable(comparison: RecordingComparison) -> list[TextTable]:
    """Sweeps that were left out, if any."""
    rows = list(comparison.recording.unusable.items())
    return [TextTable("Sweeps that were not used", ("Sweep", "Reason"), rows)] if rows else []


def _step(step: StepComparison) -> TextTable:
    """All features at one step: quartiles of both sides, z-scores and spreads."""
    head = (
        *("Feature", "Trials with it", "Recording, median (quartiles)"),
        *("Neurons with it", "Family, median (quartiles)"),
        *("z of the median", "Median |z|", "SD over trials", "SD over the family", "Ratio"),
    )
    rows = []
    for name, feature in step.features.items():
        unit = "" if unit_of(name) == "1" else f" ({unit_of(name)})"
        recorded, family, agreement = feature.recorded_side, feature.family_side, feature.agreement
        numbers = (agreement.z, agreement.median_abs_z, recorded.sd, family.sd, agreement.spread_ratio)
        shown = (number_text(value, "") for value in numbers)
        rows.append((name.replace("_", " ") + unit, *_side(recorded), *_side(family), *shown))
    return TextTable(f"{_signed(step)} nA", head, rows)


def _side(side: Side) -> tuple[str, str]:
    """How many traces have a feature, and its quartiles."""
    having = f"{side.having} of {side.traces}"
    if side.median is None:
        return having, number_text(None, "")
    low, middle, high = (f"{value:.4g}" for value in (side.q25, side.median, side.q75))
    return having, f"{middle} ({low} to {high})"


def _signed(step: StepComparison) -> str:
    return f"{step.amplitude_na:g}".replace("-", "\N{MINUS SIGN}")
