"""The curves of a run: a row an epoch, in `curves.csv`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from noble.files import write_text

CURVES: Final = "curves.csv"


def write_curves(path: Path | str, rows: Sequence[dict[str, float]]) -> None:
    """Write rows of epoch, its seconds, losses and validation scores; a value that a row lacks is left empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names)]
    lines += [",".join(f"{row[name]:.7g}" if name in row else "" for name in names) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def read_curves(path: Path | str) -> list[dict[str, float]]:
    """The rows of a run's `curves.csv`: epoch, its seconds, train and validation losses and validation scores."""
    path = Path(path)
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def total_seconds(rows: Sequence[dict[str, float]]) -> float:
    """Seconds that the epochs took."""
    return sum(row.get("seconds", 0.0) for row in rows)


def training_seconds(path: Path | str) -> float:
    """Seconds that the epochs of a run took, those before a resume included, by its `curves.csv`."""
    return total_seconds(read_curves(path))
