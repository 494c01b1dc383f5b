"""The table of README.md from `human-pv.json`: `python experiments/any_current/table.py` puts it in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SUBSETS = ("unseen_currents", "unseen_models")
COLUMNS = {
    "spikes": "spikes",
    "coincidence_1ms": "coincidence at 1 ms",
    "ceiling_coincidence_1ms": "its ceiling",
    "coincidence_4ms": "at 4 ms",
    "spike_count_error_percent": "count error, %",
    "matched_time_median_ms": "matched spikes, median, ms",
    "matched_time_p90_ms": "p90, ms",
    "rmse_between_spikes_mv": "between spikes, mV",
    "relative_l2_percent": "relative L2, %",
}


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table() -> str:
    """Markdown, a row a kind of current and subset."""
    metrics: dict[str, Any] = json.loads((HERE / "human-pv.json").read_text(encoding="utf-8"))
    kinds = {"step (400 ms)": {name: metrics[name] for name in SUBSETS}, **metrics["currents"]}
    kinds.pop("step", None)  # the first row's
    lines = [f"| current | subset | {' | '.join(COLUMNS.values())} |", "| --- " * (2 + len(COLUMNS)) + "|"]
    for kind, sections in kinds.items():
        for subset in SUBSETS:
            cells = " | ".join(number(sections[subset].get(key)) for key in COLUMNS)
            lines.append(f"| {kind} | {subset.replace('_', ' ')} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    for page in (HERE / "README.md", HERE.parents[1] / "docs" / "benchmarks.md"):
        text = page.read_text(encoding="utf-8")
        start, end = text.index("-->\n", text.index("<!-- any current")) + 4, text.index("<!-- end of any current -->")
        page.write_text(text[:start] + table() + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
