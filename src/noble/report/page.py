"""What every page is made of, and `write_index`, the page of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from noble.files import write_text

METRIC_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "relative_l2_percent": ("Relative L2 error of the voltage", "%"),
    "centred_relative_l2_percent": ("Relative L2 error, reference centred", "%"),
    "rmse_mv": ("Root mean square error", "mV"),
    "missed_percent": ("Traces where firing was missed", "%"),
    "false_percent": ("Traces that fired falsely", "%"),
    "spike_count_error_percent": ("Spike count error, misses counted", "%"),
    "exact_count_percent": ("Firing traces with the exact count", "%"),
    "spike_time_median_ms": ("Spike time error, median", "ms"),
    "spike_time_p90_ms": ("Spike time error, 90th percentile", "ms"),
    "coincidence_1ms": ("Coincidence factor at 1 ms", ""),
    "ap1_width_error_percent": ("First spike's width error", "%"),
    "mean_ap_amplitude_error_percent": ("Mean spike amplitude error", "%"),
    "steady_state_voltage_error_percent": ("Steady-state voltage error", "%"),
    "traces": ("Traces", ""),
    "firing_traces": ("Traces that fire", ""),
}
"""What a metric is called on the page, and its unit; in the order of the table."""

_SECTION_LABELS: Final[Mapping[str, str]] = {
    "unseen_currents": "Unseen currents, training models",
    "unseen_models": "Unseen models",
    "unseen_models_plane": "Unseen models by threshold and slope alone",
    "sub_threshold": "Sub-threshold",
    "near_threshold": "Near threshold",
    "spiking": "Spiking",
}

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #8884; text-align: right; }
th:first-child { text-align: left; font-weight: 400; }
thead th { font-weight: 600; vertical-align: bottom; }
.scroll { overflow-x: auto; }
figure { margin: 2.5rem 0; }
img { max-width: 100%; height: auto; background: white; }
pre { overflow-x: auto; padding: .5rem .8rem; background: #8882; border-radius: .3rem; font-size: .85rem; }
"""


class TextTable(NamedTuple):
    """A table of texts, the first cell of each row its head; no head line where its cells are empty."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_index(
    folder: Path | str,
    title: str,
    metrics: Mapping[str, Any],
    figures: Sequence[tuple[str, str, str]],
    *,
    page: str = "index.html",
    summary: str = "",
    facts: Mapping[str, Any] | None = None,
    tables: Sequence[TextTable] = (),
    details: Sequence[TextTable] = (),
) -> Path:
    """Write a page beside the figures of a run.

    Args:
        folder: of the run.
        title: of the page.
        metrics: what `noble evaluate --json` prints: sections (`unseen_currents`, ...) of numbers, each with `regimes`.
        figures: (file, caption, command) of each; the file relative to the folder, the command may be empty.
        page: name of the file.
        summary: a paragraph below the title.
        facts: things to list, for example seed, versions, durations.
        tables, details: further tables, above the figures and below them.

    Returns:
        The page's path.

    Raises:
        ValueError: if a figure is not in the folder.
    """
    folder = Path(folder)
    for file, _, _ in figures:
        if Path(file).is_absolute() or not (folder / file).is_file():
            raise ValueError(f"figure {file!r} is not a file below {folder}; save it there and give its relative path.")
    sections = {
        name: section
        for name, section in metrics.items()
        if isinstance(section, Mapping) and not METRIC_LABELS.keys().isdisjoint(section)
    }
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(summary)}</p>" if summary else "",
        facts_table(facts or {}),
        metrics_table("How good it is", sections) if sections else "",
        *(text_table(*table) for table in tables),
        *(figure_html(file, caption, command) for file, caption, command in figures),
        *(text_table(*table) for table in details),
    ]
    for name, section in sections.items():
        if isinstance(section.get("regimes"), Mapping):
            parts.append(metrics_table(f"{_section_label(name)}, by regime", section["regimes"]))
    path = folder / page
    write_text(path, page_html(title, "\n".join(part for part in parts if part)))
    return path


def page_html(title: str, body: str) -> str:
    """A whole page; the title is escaped, the body is HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def facts_table(facts: Mapping[str, Any]) -> str:
    """Names and values, one row each."""
    if not facts:
        return ""
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items()
    )
    return f'<div class="scroll"><table><caption>This run</caption><tbody>{rows}</tbody></table></div>'


def metrics_table(caption: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Metrics as rows, sections as columns; a metric that no section has is left out."""
    head = "".join(f'<th scope="col">{escape(_section_label(name))}</th>' for name in sections)
    rows = []
    for key, (label, unit) in METRIC_LABELS.items():
        if any(key in section for section in sections.values()):
            cells = "".join(f"<td>{escape(number_text(section.get(key), unit))}</td>" for section in sections.values())
            rows.append(f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def text_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; no head where its cells are empty."""
    cells = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    top = f"<thead><tr>{cells}</tr></thead>" if any(head) else ""
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(text)}</td>" for text in rest)}</tr>'
        for first, *rest in rows
    )
    return f'<div class="scroll"><table><caption>{escape(caption)}</caption>{top}<tbody>{body}</tbody></table></div>'


def figure_html(file: str, caption: str, command: str) -> str:
    """A figure beside the page, its caption and, if it is known, the command that made it."""
    made_by = f"<pre>{escape(command)}</pre>" if command else ""
    source = escape(quote(Path(file).as_posix()))
    image = f'<img src="{source}" alt="{escape(caption)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}{made_by}</figcaption></figure>"


def _section_label(name: str) -> str:
    return _SECTION_LABELS.get(name, name.replace("_", " "))


def number_text(value: Any, unit: str) -> str:
    """Three significant digits and the unit; a dash where there is no number."""
    if value is None or value != value:
        return "–"  # noqa: RUF001 - the typographic sign for "none"
    if isinstance(value, int):
        return str(value)
    digits = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()
