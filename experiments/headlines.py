"""The six rows of README.md, from the results: `python experiments/headlines.py` prints them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# The hall of each operator of steps, after which its results are named.
STEPS_ALONE = {"human-pv-steps": "human-pv", "human-vip": "human-vip", "stylised-pv": "stylised-pv"}
KINDS = ("noise", "ramp", "chirp")


def read(file: str) -> dict[str, Any]:
    return json.loads((HERE / file).read_text())


def number(value: float) -> str:
    """Three digits; whole numbers where that is more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def coincidences(by_kind: dict[str, Any], subset: str) -> str:
    return ", ".join(f"{by_kind[kind][subset]['coincidence_1ms']:.2f}" for kind in KINDS)


def rows() -> str:
    """A Markdown table: what a reader asks first, a column per shipped bundle."""
    any_current = read("any_current/human-pv.json")
    steps = [any_current, *(read(f"race/{hall}-fresh.json") for hall in STEPS_ALONE.values())]
    kinds = [
        any_current["currents"],
        *({kind: read(f"scope/{hall}-{kind}.json") for kind in KINDS} for hall in STEPS_ALONE.values()),
    ]
    bench = [
        read("any_current/human-pv-bench-noise.json"),
        *(read(f"race/{hall}-bench.json") for hall in STEPS_ALONE.values()),
    ]
    names = ["human-pv", *STEPS_ALONE]
    table = {
        "unseen currents, simulated after training": [f"`{name}`" for name in names],
        "---": ["---"] * len(names),
        "noise, ramps, chirps: coincidence at 1 ms (1 is perfect, 0 is chance)": [
            coincidences(item, "unseen_currents") for item in kinds
        ],
        "the same, models never trained on": [coincidences(item, "unseen_models") for item in kinds],
        "steps: coincidence at 1 ms": [number(item["unseen_currents"]["coincidence_1ms"]) for item in steps],
        "steps: spike time, median, ms": [number(item["unseen_currents"]["spike_time_median_ms"]) for item in steps],
        "steps: relative L2, %": [number(item["unseen_currents"]["relative_l2_percent"]) for item in steps],
        "times faster than serial NEURON": [number(item["speedup_vs_neuron"]) for item in bench],
    }
    return "".join(f"| {title} | {' | '.join(cells)} |\n" for title, cells in table.items())


if __name__ == "__main__":
    print(rows())
