"""The six rows of README.md, from the results: `python experiments/headlines.py` prints them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUNDLES = ("human-pv", "human-vip", "stylised-pv")
UNLEARNED = ("noise", "ramp", "chirp")


def read(file: str) -> dict[str, Any]:
    return json.loads((HERE / file).read_text())


def number(value: float) -> str:
    """Three digits; whole numbers where that is more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rows() -> str:
    """A Markdown table: what a reader asks first, a column per shipped bundle."""
    fresh = [read(f"race/{name}-fresh.json") for name in BUNDLES]
    bench = [read(f"race/{name}-bench.json") for name in BUNDLES]
    currents, models = ([metrics[subset] for metrics in fresh] for subset in ("unseen_currents", "unseen_models"))
    at_chance = [
        ", ".join(
            f"{read(f'scope/{name}-{kind}.json')['unseen_currents']['coincidence_1ms']:.2f}" for kind in UNLEARNED
        )
        for name in BUNDLES
    ]
    table = {
        "unseen currents, simulated after training": [f"`{name}`" for name in BUNDLES],
        "---": ["---"] * len(BUNDLES),
        "steps: relative L2, %": [number(item["relative_l2_percent"]) for item in currents],
        "steps: spike time, median, ms": [number(item["spike_time_median_ms"]) for item in currents],
        "steps: coincidence at 1 ms (1 is perfect, 0 is chance)": [
            number(item["coincidence_1ms"]) for item in currents
        ],
        "noise, ramps, chirps: coincidence at 1 ms": at_chance,
        "steps, models never trained on: relative L2, %": [number(item["relative_l2_percent"]) for item in models],
        "times faster than serial NEURON": [number(item["speedup_vs_neuron"]) for item in bench],
    }
    return "".join(f"| {title} | {' | '.join(cells)} |\n" for title, cells in table.items())


if __name__ == "__main__":
    print(rows())
