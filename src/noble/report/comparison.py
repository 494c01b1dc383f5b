"""The page of a comparison with a recording: what agrees, feature by feature, and the figures that show it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from noble.report.page import TextTable, number_text, write_index

if TYPE_CHECKING:
    from noble.comparison.recording import RecordingComparison

_SUMMARY: Final = (
    "Recording and family are measured in the same windows, each on its own time grid. A z-score is the distance from the mean "
    "over trials in standard deviations over trials, or in the feature's floor where trials scatter by less (docs/targets.md). "
    "A side has a feature where at least half of its traces do."
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
    for name, draw in figures.items():
        save_figure(draw(comparison), folder / f"{name}.png", command=command)
    numbers = comparison.to_dict()
    return write_index(
        folder,
        f"{comparison.neurons} neurons beside the recording {comparison.recording.source}",
        {},
        [(f"{name}.png", _CAPTIONS[name], command) for name in figures],
        summary=_SUMMARY,
        facts={**facts, **_facts(comparison)},
        tables=[_rates(numbers), _summary(numbers), *_unusable(numbers)],
        details=[_step(step) for step in numbers["steps"]],
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


def _rates(numbers: Mapping[str, Any]) -> TextTable:
    """Firing rates by step."""
    head = ("Step (nA)", "Trials", "Recording, mean (Hz)", "SD (Hz)", "Family, median (Hz)", "5 to 95 % (Hz)")
    rows = []
    for step in numbers["steps"]:
        recorded, family = step["rate_hz"]["recorded"], step["rate_hz"]["family"]
        middle = (recorded["mean"], recorded["sd"], family["median"])
        band = f"{number_text(family['q05'], '')} to {number_text(family['q95'], '')}"
        rows.append((_signed(step), str(step["trials"]), *(number_text(value, "") for value in middle), band))
    return TextTable("Firing rate", head, rows)


def _summary(numbers: Mapping[str, Any]) -> TextTable:
    """Medians over steps, a row a feature."""
    head = (
        *("Feature", "Steps", "|z| of the family's median", "Mean |z| over the family", "Median |z| over the family"),
        *("SD family / SD trials", "SD family / deviation", "Only in the recording", "Only in the family"),
    )
    keys = ("abs_z", "mean_abs_z", "median_abs_z", "spread_ratio", "spread_over_deviation")
    rows = [
        (
            name.replace("_", " "),
            str(row["steps"]),
            *(number_text(row[key], "") for key in keys),
            *(", ".join(f"{at:g} nA" for at in row[key]) for key in ("missing_at_na", "extra_at_na")),
        )
        for name, row in numbers["summary"].items()
    ]
    return TextTable("Agreement, median over the steps that count", head, rows)


def _unusable(numbers: Mapping[str, Any]) -> list[TextTable]:
    """Sweeps that were left out, if any."""
    rows = list(numbers["recording"]["unusable"].items())
    return [TextTable("Sweeps that were not used", ("Sweep", "Reason"), rows)] if rows else []


def _step(step: Mapping[str, Any]) -> TextTable:
    """All features at one step: quartiles of both sides, z-scores and spreads."""
    head = (
        *(
            "Feature",
            "Trials with it",
            "Recording, median (quartiles)",
            "Neurons with it",
            "Family, median (quartiles)",
        ),
        *("z of the median", "Median |z|", "SD over trials", "SD over the family", "Ratio"),
    )
    rows = []
    for name, feature in step["features"].items():
        unit = "" if feature["unit"] == "1" else f" ({feature['unit']})"
        recorded, family = feature["recorded"], feature["family"]
        values = (feature["z"], feature["median_abs_z"], recorded["sd"], family["sd"], feature["spread_ratio"])
        numbers = [number_text(value, "") for value in values]
        rows.append((name.replace("_", " ") + unit, *_side(recorded), *_side(family), *numbers))
    return TextTable(f"{_signed(step)} nA", head, rows)


def _side(side: Mapping[str, Any]) -> tuple[str, str]:
    """How many traces have a feature, and its quartiles."""
    having = f"{side['having']} of {side['traces']}"
    if side["median"] is None:
        return having, number_text(None, "")
    low, middle, high = (f"{side[key]:.4g}" for key in ("q25", "median", "q75"))
    return having, f"{middle} ({low} to {high})"


def _signed(step: Mapping[str, Any]) -> str:
    return f"{step['amplitude_na']:g}".replace("-", "\N{MINUS SIGN}")
