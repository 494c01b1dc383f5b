"""One table and one figure of the race: `python experiments/race/compare.py HALL`.

Reads `runs/race/HALL/{ours,fno}/curves.csv` (seconds and validation errors, an epoch a row) and
`experiments/race/HALL-{ours,fno}.json` (what `noble evaluate` wrote), writes `experiments/race/HALL.md` and `HALL.png`.
"""

from __future__ import annotations

import json
import sys
from itertools import accumulate
from pathlib import Path

from noble.ensemble import STABLE_KEYS
from noble.files import write_text
from noble.plots.style import WIDTH_IN, save_figure, styled_figure
from noble.report.page import METRIC_LABELS
from noble.train.fit import read_curves

RUNNERS = {"ours": "spike-phase", "fno": "FNO of the paper"}
PANELS = {
    "val/relative_l2_percent": "relative L2 (%)",
    "val/spike_count_error_percent": "spike-count error (%)",
    "val/timing_ms": "spike time, median (ms)",
}


def draw(hall: str, runs: Path, target: Path) -> None:
    with styled_figure(height_in=2.4, width_in=WIDTH_IN) as figure:
        axes = figure.subplots(1, len(PANELS))
        for runner, label in RUNNERS.items():
            rows = read_curves(runs / hall / runner / "curves.csv")
            hours = [seconds / 3600 for seconds in accumulate(row["seconds"] for row in rows)]
            for axis, column in zip(axes, PANELS, strict=True):
                points = [(hour, row[column]) for hour, row in zip(hours, rows, strict=True) if column in row]
                axis.plot(*zip(*points, strict=True), label=label)
        for axis, title in zip(axes, PANELS.values(), strict=True):
            axis.set(yscale="log", xlabel="training (hours on two cores)", ylabel=f"{title}, validation")
        axes[0].legend()
        save_figure(figure, target)


def table(hall: str, results: Path) -> str:
    metrics = {runner: json.loads((results / f"{hall}-{runner}.json").read_text()) for runner in RUNNERS}
    columns = [(runner, section) for section in ("unseen_currents", "unseen_models") for runner in RUNNERS]
    head = [f"{section.replace('_', ' ')}: {RUNNERS[runner]}" for runner, section in columns]
    lines = [f"| {hall} | {' | '.join(head)} |", "| --- " * (len(head) + 1) + "|"]
    for key in STABLE_KEYS:
        label, unit = METRIC_LABELS[key]
        values = [metrics[runner][section][key] for runner, section in columns]
        shown = ["-" if value is None else f"{value:.3g}" for value in values]
        lines.append(f"| {label}{unit and f', {unit}'} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    [hall] = sys.argv[1:]
    here = Path(__file__).parent
    write_text(here / f"{hall}.md", table(hall, here))
    draw(hall, Path("runs/race"), here / f"{hall}.png")


if __name__ == "__main__":
    main()
