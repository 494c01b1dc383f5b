"""What reading a JSON file of numbers needs: one sentence for whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path, *, expected: str) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: if it is not JSON; `expected` says what it should be.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or not text
        raise ValueError(f"{path.name} is not {expected}: it is not valid JSON ({error}).") from error


def number(value: object, *, what: str) -> float:
    """A JSON value as a number; text that spells one counts, as the Allen Institute's files have it.

    Raises:
        ValueError: for anything else, naming `what`.
    """
    try:
        if not isinstance(value, bool):
            return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    raise ValueError(f"{what} is {value!r}; expected a number.")
