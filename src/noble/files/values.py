"""Values of files that must be numbers, checked where they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping


def number(value: object, *, what: str, text: bool = False) -> float:
    """A JSON value as a finite number.

    Args:
        value: the value.
        what: what it is, for the message.
        text: whether text that spells a number counts, as the Allen Institute's files have it.

    Raises:
        ValueError: for anything else, naming `what`.
    """
    wanted = (int, float, str) if text else (int, float)
    try:
        if isinstance(value, wanted) and not isinstance(value, bool) and math.isfinite(found := float(value)):
            return found
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{what} is {shortened(value)}; expected a number.")


def numbers_by_name(content: object, *, what: str) -> dict[str, float]:
    """A JSON object of finite numbers, whole ones as they are.

    Raises:
        ValueError: if it is no object, or a value of it is no finite number.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{what} is {shortened(content)}; expected an object of numbers by name.")
    for name, value in content.items():
        number(value, what=f"{name} of {what}")
    return dict(content)


def shortened(value: object) -> str:
    """A value as a message can quote it, whatever its size."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
