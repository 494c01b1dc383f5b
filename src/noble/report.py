"""Static pages that show a run or an evolution: numbers, figures and the commands that made them. No script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from noble.files import write_text

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.evolve import Evolution
    from noble.recordings import Recording

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
    "sub_threshold": "Sub-threshold",
    "near_threshold": "Near threshold",
    "spiking": "Spiking",
}

WORTH_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "models": ("Models", ""),
    "train": ("of them to train on", ""),
    "held_out": ("of them held out", ""),
    "mean_abs_z_median": ("Mean |z|, median model", ""),
    "mean_abs_z_worst": ("Mean |z|, worst model", ""),
    "i_thr_relative_spread": ("Spread of the threshold current, standard deviation over mean", ""),
    "s_thr_relative_spread": ("Spread of the slope above threshold, standard deviation over mean", ""),
    "blocked": ("Models that block at any step", ""),
    "spike_count_out_of_tolerance": ("Models with a spike count off by more than 2 and 15 %", ""),
    "fires_where_silent": ("Models that fire at more than one step where the recording is silent", ""),
}
"""What a number of `noble.cells.hall_worth` is called, and its unit; in the order of the table."""

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
    summary: str = "",
    facts: Mapping[str, Any] | None = None,
    tables: Sequence[TextTable] = (),
    details: Sequence[TextTable] = (),
) -> Path:
    """Write `index.html` beside the figures of a run.

    Args:
        folder: of the run.
        title: of the page.
        metrics: what `noble evaluate --json` prints: sections (`unseen_currents`, ...) of numbers, each with `regimes`.
        figures: (file, caption, command) of each; the file relative to the folder, the command may be empty.
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
        _facts(facts or {}),
        _table("How good it is", sections) if sections else "",
        *(_grid(*table) for table in tables),
        *(_figure(file, caption, command) for file, caption, command in figures),
        *(_grid(*table) for table in details),
    ]
    for name, section in sections.items():
        if isinstance(section.get("regimes"), Mapping):
            parts.append(_table(f"{_section_label(name)}, by regime", section["regimes"]))
    path = folder / "index.html"
    write_text(path, _page(title, "\n".join(part for part in parts if part)))
    return path


def write_evolution_report(
    evolution: Evolution, hall: HallOfFame, path: Path | str, *, recording: Recording | None = None
) -> Path:
    """Write the page of an evolution and of the hall it made: scores by seed, what the hall is worth, figures.

    The best models are simulated once more, for their traces; everything else is read from the run's folder and from the hall.
    Figures are saved beside the page, in a folder of its name.

    Args:
        evolution: finished.
        hall: gathered from it.
        path: of the page, for example `report.html` in the run's folder.
        recording: the one that the check's targets were measured on, to be drawn with the models.

    Returns:
        The page's path.

    Raises:
        ValueError: if it is another recording, or its voltage has another junction potential subtracted, or if a model of the
            hall has no final check.
    """
    from noble.cells.worth import hall_worth
    from noble.evolution_figures import evolution_figures
    from noble.plots import save_figure

    path = Path(path)
    drawn = []
    for name, figure, caption in evolution_figures(evolution, hall, recording):
        file = Path(path.stem) / f"{name}.png"
        save_figure(figure, path.parent / file)
        drawn.append(_figure(file.as_posix(), caption, ""))
    config, targets = evolution.config, evolution.check_targets
    worth = hall_worth(hall)
    rows = [(label, number_text(worth[key], unit)) for key, (label, unit) in WORTH_LABELS.items()]
    facts = {
        "recording": config.source or targets.source,
        "cell": f"{hall.cell.name}, {len(hall.cell.parameters)} free parameters",
        **{
            f"stage {stage.name}": f"{stage.optimiser}, {stage.generations} generations of {stage.population}"
            for stage in config.stages
        },
        "final check": f"{len(targets.steps)} steps of {targets.step_ms:g} ms",
        **hall.provenance.get("versions", {}),
    }
    title = f"{hall.name}: {len(hall)} models"
    command = hall.provenance.get("command", "")
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<pre>{escape(command)}</pre>" if command else "",
        _facts(facts),
        _grid("Models by seed", *_seed_table(evolution, hall)),
        _grid("What the hall is worth", ("", ""), rows),
        *drawn,
    ]
    write_text(path, _page(title, "\n".join(part for part in parts if part)))
    return path


def _seed_table(evolution: Evolution, hall: HallOfFame) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Head and rows: what was tried, what the hall has of it."""
    head = ("Seed", "Models tried", "In the hall", "Held out", "Mean |z|, best", "Median", "Worst")
    rows: list[Sequence[str]] = []
    for seed in evolution.config.seeds:
        tried = sum(len(evolution.candidates(seed, stage.name)) for stage in evolution.config.stages)
        found = sorted(model.score for model in hall.models if model.seed == seed)
        held_out = sum(model.held_out for model in hall.models if model.seed == seed)
        scores = (found[0], median(found), found[-1]) if found else (None, None, None)
        rows.append(
            (str(seed), f"{tried:,}", str(len(found)), str(held_out), *(number_text(score, "") for score in scores))
        )
    return head, rows


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _facts(facts: Mapping[str, Any]) -> str:
    """Names and values, one row each."""
    if not facts:
        return ""
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items()
    )
    return f'<div class="scroll"><table><caption>This run</caption><tbody>{rows}</tbody></table></div>'


def _table(caption: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
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


def _grid(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; no head where its cells are empty."""
    cells = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    top = f"<thead><tr>{cells}</tr></thead>" if any(head) else ""
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(text)}</td>" for text in rest)}</tr>'
        for first, *rest in rows
    )
    return f'<div class="scroll"><table><caption>{escape(caption)}</caption>{top}<tbody>{body}</tbody></table></div>'


def _figure(file: str, caption: str, command: str) -> str:
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
