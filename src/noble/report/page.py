"""Pages of tables and figures, each one static file in which every text is escaped; `write_index` writes the page of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from noble.evaluation.results import METRICS, SUBSET_LABELS, Evaluation, Summary
from noble.files import write_text

_TEMPLATE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
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
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% if command %}<pre>{{ command }}</pre>
{% endif %}
{% if summary %}<p>{{ summary }}</p>
{% endif %}
{% for block in blocks %}
{% if block.file is defined %}
<figure><img src="{{ block.file | urlencode }}" alt="{{ block.caption }}"><figcaption>{{ block.caption }}
{%- if block.command %}<pre>{{ block.command }}</pre>{% endif %}</figcaption></figure>
{% else %}
<div class="scroll"><table><caption>{{ block.caption }}</caption>
{%- if block.head | select | list %}<thead><tr>
{%- for text in block.head %}<th scope="col">{{ text }}</th>{% endfor %}</tr></thead>{% endif %}<tbody>
{%- for row in block.rows %}<tr><th scope="row">{{ row[0] }}</th>
{%- for text in row[1:] %}<td>{{ text }}</td>{% endfor %}</tr>{% endfor %}</tbody></table></div>
{% endif %}
{% endfor %}
</body>
</html>
"""


class TextTable(NamedTuple):
    """A table of texts, the first cell of each row its head; no head line where its cells are empty."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class PageFigure(NamedTuple):
    """A figure beside a page: its file, relative to the page; a caption; and the command that made it, if that is known."""

    file: str
    caption: str
    command: str = ""


Block = TextTable | PageFigure


def write_page(path: Path, title: str, blocks: Sequence[Block], *, summary: str = "", command: str = "") -> Path:
    """Write a page of tables and figures.

    Args:
        path: of the page.
        title: of the page.
        blocks: tables and figures, from top to bottom.
        summary: a paragraph below the title.
        command: that made all of it, shown below the title.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    template = environment.from_string(_TEMPLATE)
    write_text(path, template.render(title=title, blocks=blocks, summary=summary, command=command))
    return path


def write_index(
    folder: Path | str,
    title: str,
    evaluation: Evaluation | None = None,
    *,
    figures: Sequence[PageFigure] = (),
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
        evaluation: of the operator that the page is about, if it is about one.
        figures: figures below the folder.
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
    for figure in figures:
        if Path(figure.file).is_absolute() or not (folder / figure.file).is_file():
            raise ValueError(
                f"figure {figure.file!r} is not a file below {folder}; save it there and give its relative path."
            )
    subsets = {} if evaluation is None else evaluation.subsets
    regimes = [
        metrics_table(f"{_subset_label(name)}, by regime", summary.regimes)
        for name, summary in subsets.items()
        if summary.regimes
    ]
    blocks = [
        *([facts_table(facts)] if facts else []),
        *([metrics_table("How good it is", subsets)] if subsets else []),
        *tables,
        *figures,
        *details,
        *regimes,
    ]
    return write_page(folder / page, title, blocks, summary=summary)


def facts_table(facts: Mapping[str, Any]) -> TextTable:
    """Names and values, one row each."""
    return TextTable("This run", ("", ""), [(str(name), str(value)) for name, value in facts.items()])


def metrics_table(caption: str, subsets: Mapping[str, Summary]) -> TextTable:
    """The numbers of summaries as rows, and the subsets as columns."""
    rows = [
        (label, *(number_text(summary.number(key), unit) for summary in subsets.values()))
        for key, (label, unit) in METRICS.items()
    ]
    return TextTable(caption, ("", *map(_subset_label, subsets)), rows)


def _subset_label(name: str) -> str:
    return SUBSET_LABELS.get(name, name.replace("_", " "))


def number_text(value: Any, unit: str) -> str:
    """Three significant digits and the unit; a dash where there is no number."""
    if value is None or value != value:
        return "–"  # noqa: RUF001 - the typographic sign for "none"
    if isinstance(value, int):
        return str(value)
    digits = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()
