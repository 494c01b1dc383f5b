"""One table and one figure of the race: `python experiments/race/compare.py HALL`.

Reads `HALL-RUNNER-curves.csv` (seconds and validation errors, an epoch a row) and `HALL-RUNNER.json` (errors on the test
splits), as they came from the folders of the runs, and writes `HALL.md` and `HALL.png`.
"""

from __future__ import annotations

import json
import sys
from itertools import accumulate
from pathlib import Path

from matplotlib.ticker import LogLocator, NullFormatter

from noble.evaluation import METRICS, STABLE_KEYS
from noble.files import write_text
from noble.plots.style import WIDTH_IN, save_figure, styled_figure
from noble.train import read_curves, training_seconds

HERE = Path(__file__).parent
RUNNERS = {
    "ours": "spike-phase",
    "ours-plane": "spike-phase, threshold and slope alone",
    "fno": "the paper's FNO (threshold and slope)",
}
PANELS = {
    "val/relative_l2_percent": "relative L2 (%)",
    "val/spike_count_error_percent": "spike-count error (%)",
    "val/timing_ms": "spike time, median (ms)",
}


def runners(hall: str) -> dict[str, str]:
    """Those of whose runs there are results."""
    return {runner: label for runner, label in RUNNERS.items() if (HERE / f"{hall}-{runner}.json").exists()}


def draw(hall: str, target: Path) -> None:
    """Errors on validation traces against the time trained."""
    with styled_figure(height_in=2.4, width_in=WIDTH_IN) as figure:
        axes = figure.subplots(1, len(PANELS))
        for runner, label in runners(hall).items():
            rows = read_curves(HERE / f"{hall}-{runner}-curves.csv")
            minutes = [seconds / 60 for seconds in accumulate(row["seconds"] for row in rows)]
            for axis, column in zip(axes, PANELS, strict=True):
                points = [(minute, row[column]) for minute, row in zip(minutes, rows, strict=True) if column in row]
                axis.plot(*zip(*points, strict=True), label=label)
        for axis, title in zip(axes, PANELS.values(), strict=True):
            axis.set(yscale="log", xlabel="training (minutes, two cores)", ylabel=title)
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=len(RUNNERS))
        save_figure(figure, target)


def table(hall: str) -> str:
    metrics = {runner: json.loads((HERE / f"{hall}-{runner}.json").read_text()) for runner in runners(hall)}
    columns = [(runner, section) for section in ("unseen_currents", "unseen_models") for runner in metrics]
    head = [f"{section.replace('_', ' ')}: {RUNNERS[runner]}" for runner, section in columns]
    lines = [f"| {hall} | {' | '.join(head)} |", "| --- " * (len(head) + 1) + "|"]
    minutes = [training_seconds(HERE / f"{hall}-{runner}-curves.csv") / 60 for runner, _ in columns]
    lines.append(f"| Training, minutes | {' | '.join(f'{value:.0f}' for value in minutes)} |")
    for key in STABLE_KEYS:
        label, unit = METRICS[key]
        values = [metrics[runner][section][key] for runner, section in columns]
        shown = ["-" if value is None else f"{value:.3g}" for value in values]
        lines.append(f"| {label}{unit and f', {unit}'} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    [hall] = sys.argv[1:]
    write_text(HERE / f"{hall}.md", table(hall))
    draw(hall, HERE / f"{hall}.png")


if __name__ == "__main__":
    main()
