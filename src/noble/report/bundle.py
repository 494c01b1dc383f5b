"""One page of what has been found out about a bundle: its metrics, every figure below a folder, and the numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from noble.evaluation.results import Evaluation
from noble.files import read_json
from noble.plots.style import command_of
from noble.report.page import PageFigure, TextTable, number_text, write_index

_CAPTIONS: Final[Mapping[str, str]] = {
    "ablation": "What each variant of the training is worth",
    "ensemble": "A family's answers to one step",
    "fi": "F-I curves",
    "finetune": "Fine-tuned to a feature, and what it costs elsewhere",
    "discs": "Neurons round each held-out model, and that model's simulation",
    "halfway": "Halfway between two models in features, and in parameters",
    "resolution": "Errors at other sampling intervals",
    "spreads": "Spread of the family beside the spread over trials",
    "subsampling": "What decimation does to e-features",
    "voltage": "Voltage beside the recording",
    "z_scores": "z-scores against the recording",
}
_MAP: Final = "map-"
PAGE: Final = "report.html"
# More are not read on a page.
_MOST_ROWS: Final = 60
_MOST_COLUMNS: Final = 10


def write_bundle_report(folder: Path | str, *, title: str, evaluation: Evaluation, facts: Mapping[str, Any]) -> Path:
    """Write `report.html` into a folder of results: metrics, facts, figures with their commands, numbers of JSON files.

    Other pages below the folder (`index.html` of `noble compare`) are left alone.

    Args:
        folder: that commands wrote into (`-o`, `--json`), at any depth.
        title: of the page.
        evaluation: of the bundle.
        facts: of the bundle, to list.

    Returns:
        The page's path.

    Raises:
        ValueError: if there is no such folder, or neither a figure nor a JSON file in it.
    """
    folder = Path(folder)
    images = sorted(path.relative_to(folder) for path in folder.rglob("[!.]*.png"))
    # Not those within a store of traces.
    numbers = sorted(
        path.relative_to(folder)
        for path in folder.rglob("[!.]*.json")
        if not any(part.endswith(".zarr") for part in path.parts)
    )
    if not images and not numbers:
        raise ValueError(
            f"{folder} holds neither figures nor numbers; run commands with -o {folder}/NAME first, for example "
            f"noble ensemble BUNDLE -o {folder}/ensemble."
        )
    figures = [PageFigure(path.as_posix(), caption_of(path), command_of(folder / path)) for path in images]
    tables = [
        table
        for path in numbers
        for table in tables_of(path.as_posix(), read_json(folder / path, expected="numbers of a command"))
    ]
    return write_index(folder, title, evaluation, figures=figures, page=PAGE, facts=facts, details=tables)


def caption_of(path: Path) -> str:
    """What a figure shows, by its name; with the folders that it lies in, which tell figures of one name apart."""
    within = "".join(f" ({part})" for part in path.parent.parts if part != path.stem)
    if path.stem.startswith(_MAP):
        return f"{path.stem.removeprefix(_MAP)} over threshold and slope{within}"
    return _CAPTIONS.get(path.stem, path.stem.replace("_", " ")) + within


def tables_of(name: str, content: Any) -> list[TextTable]:
    """Numbers of a JSON file as tables: scalars as rows, and likewise what lies deeper, each table by its path in the file.

    Entries with the same keys, such as features or models, are the rows of one table. Lists of numbers are left out, and of a
    long table the rows beyond the first `_MOST_ROWS`; the file has them.
    """
    if not isinstance(content, Mapping):
        return []
    plain = [(_words(key), _text(value)) for key, value in content.items() if _is_scalar(value)]
    tables = [TextTable(name, ("", ""), plain)] if plain else []
    for key, value in content.items():
        below = f"{name}: {_words(key)}"
        rows = _alike(value)
        if rows:
            columns = [column for column, item in rows[0][1].items() if _is_scalar(item)][:_MOST_COLUMNS]
            cells = [(head, *(_text(row[column]) for column in columns)) for head, row in rows[:_MOST_ROWS]]
            tables.append(TextTable(below, ("", *map(_words, columns)), cells))
        elif isinstance(value, Mapping) and key != "made_by":
            tables += tables_of(below, value)
    return tables


def _alike(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Entries of a mapping or of a list that have the same keys and some scalar among their values, by name or number."""
    if isinstance(value, Mapping):
        entries = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list):
        entries = [(str(number), item) for number, item in enumerate(value)]
    else:
        return []
    rows = [(name, item) for name, item in entries if isinstance(item, Mapping)]
    alike = len(rows) == len(entries) > 0 and all(item.keys() == rows[0][1].keys() for _, item in rows)
    return rows if alike and any(_is_scalar(item) for item in rows[0][1].values()) else []


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else number_text(value, "")


def _words(key: str) -> str:
    return key.replace("_", " ")
