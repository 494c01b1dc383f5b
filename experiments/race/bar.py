"""The shipped operators of steps beside the bar, and how fast they are: `python experiments/race/bar.py`.

Reads `HALL-ours.json` (test splits), `HALL-fresh.json` (traces simulated after training) and `HALL-bench.json` of the hall of
each bundle, and writes `bar.md`, whose tables the README files quote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from noble.files import write_text

HERE = Path(__file__).parent
# The hall of each bundle, after which its results are named.
BUNDLES = {"human-pv-steps": "human-pv", "human-vip": "human-vip", "stylised-pv": "stylised-pv"}
SPLITS = {"ours": "test", "fresh": "fresh"}

Metrics = Mapping[str, Mapping[str, float]]


def metric(section: str, *keys: str) -> Callable[[Metrics], float]:
    """The sum of some metrics in one section of what `noble evaluate` wrote."""
    return lambda metrics: sum(metrics[section][key] for key in keys)


ROWS: dict[str, tuple[str, Callable[[Metrics], float]]] = {
    "relative L2, training models, unseen currents, %": ("1.9", metric("unseen_currents", "relative_l2_percent")),
    "missed + false firing, % of traces": ("0.5", metric("unseen_currents", "missed_percent", "false_percent")),
    "spike-count error, misses counted, %": ("2", metric("unseen_currents", "spike_count_error_percent")),
    "spike time, median, ms": ("0.1", metric("unseen_currents", "spike_time_median_ms")),
    "spike time, p90, ms": ("0.5", metric("unseen_currents", "spike_time_p90_ms")),
    "coincidence at 1 ms": ("0.95 or more", metric("unseen_currents", "coincidence_1ms")),
    "AP1_width error, %": ("10", metric("unseen_currents", "ap1_width_error_percent")),
    "mean_AP_amplitude error, %": ("3", metric("unseen_currents", "mean_ap_amplitude_error_percent")),
    "steady_state_voltage error, %": ("0.8", metric("unseen_currents", "steady_state_voltage_error_percent")),
    "unseen models: relative L2, %": ("6", metric("unseen_models", "relative_l2_percent")),
    "unseen models: spike-count error, %": ("6", metric("unseen_models", "spike_count_error_percent")),
    "unseen models by threshold and slope alone: relative L2, %": (
        "-",
        metric("unseen_models_plane", "relative_l2_percent"),
    ),
    "unseen models by threshold and slope alone: spike time, median, ms": (
        "-",
        metric("unseen_models_plane", "spike_time_median_ms"),
    ),
}
"""Title of a row, what is asked of hall `human-pv` (at most, where nothing is said), and how to read it."""

SPEED: dict[str, tuple[str, Callable[[Mapping[str, Any]], float]]] = {
    "ms a trace, batch of 128": ("1", lambda bench: bench["ms_per_trace"]),
    "ms for a single trace": ("5", lambda bench: bench["ms_per_trace_batch1"]),
    "times faster than serial NEURON": ("4,200 or more", lambda bench: bench["speedup_vs_neuron"]),
    "times faster than Arbor on both cores": ("150 or more", lambda bench: bench["speedup_vs_arbor"]),
}


def number(value: float) -> str:
    """Three digits; whole numbers where that is more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def accuracy() -> str:
    """Errors of each shipped operator on its test splits and on fresh traces."""
    columns = [(name, kind) for name in BUNDLES for kind in SPLITS]
    metrics = [json.loads((HERE / f"{BUNDLES[name]}-{kind}.json").read_text()) for name, kind in columns]
    head = ["", "wanted", *(f"`{name}`, {SPLITS[kind]}" for name, kind in columns)]
    return table(head, [[title, wanted, *(number(read(m)) for m in metrics)] for title, (wanted, read) in ROWS.items()])


def speed() -> str:
    """What `noble bench` measured of each, in one run with NEURON and Arbor."""
    benches = [json.loads((HERE / f"{hall}-bench.json").read_text()) for hall in BUNDLES.values()]
    head = ["", "wanted", *(f"`{name}`" for name in BUNDLES)]
    return table(
        head, [[title, wanted, *(number(read(b)) for b in benches)] for title, (wanted, read) in SPEED.items()]
    )


if __name__ == "__main__":
    write_text(HERE / "bar.md", f"{accuracy()}\n{speed()}")
