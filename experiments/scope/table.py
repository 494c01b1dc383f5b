"""Write the table of README.md from the results beside it."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
BUNDLES, KINDS, SUBSETS = (
    {"human-pv-steps": "human-pv", "human-vip": "human-vip", "stylised-pv": "stylised-pv"},
    ("noise", "ramp", "chirp"),
    ("unseen_currents", "unseen_models"),
)
COLUMNS = {
    "coincidence_1ms": "coincidence at 1 ms",
    "spike_count_error_percent": "spike-count error, %",
    "spike_time_median_ms": "spike time, median, ms",
    "spike_time_p90_ms": "spike time, p90, ms",
    "relative_l2_percent": "relative L2, %",
    "firing_traces": "traces that fire",
}


def table() -> str:
    """Markdown rows, a bundle, kind and subset each."""
    rows = ["| bundle | current | subset | " + " | ".join(COLUMNS.values()) + " |", "| --- " * (3 + len(COLUMNS)) + "|"]
    for bundle, hall in BUNDLES.items():
        for kind in KINDS:
            metrics = json.loads((HERE / f"{hall}-{kind}.json").read_text())
            for subset in SUBSETS:
                numbers = " | ".join(f"{metrics[subset][key]:.3g}" for key in COLUMNS)
                rows.append(f"| `{bundle}` | {kind} | `{subset}` | {numbers} |")
    return "\n".join(rows)


def main() -> None:
    page = HERE / "README.md"
    text = page.read_text()
    start, end = text.index("-->\n", text.index("<!-- table")) + 4, text.index("<!-- end of table -->")
    page.write_text(text[:start] + table() + "\n" + text[end:])


if __name__ == "__main__":
    main()
