"""What results have in common: a frozen dataclass that writes itself as JSON and shows itself in one short line.

A field is written under its own name unless its metadata says otherwise: `keyed("name")` writes it under another key (files keep
the keys that scripts read), `INLINE` writes the fields of a result as if they were one's own, `IF_KNOWN` leaves out None, and
`UNWRITTEN` is for Python alone, such as whole voltages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

_KEY: Final = "key"
_RULE: Final = "rule"

INLINE: Final[Mapping[str, str]] = {_RULE: "inline"}
IF_KNOWN: Final[Mapping[str, str]] = {_RULE: "if known"}
UNWRITTEN: Final[Mapping[str, str]] = {_RULE: "unwritten"}


def keyed(name: str) -> Mapping[str, str]:
    """Metadata of a field that is written under this key."""
    return {_KEY: name}


@dataclass(frozen=True, repr=False)
class Result:
    """Base of all results; subclasses are dataclasses with `frozen=True, repr=False`."""

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON knows it: arrays are lists, and what is not finite is None."""
        content: dict[str, Any] = {}
        for item in fields(self):
            value, rule = getattr(self, item.name), item.metadata.get(_RULE)
            if rule == "inline":
                content |= {} if value is None else value.to_dict()
            elif rule != "unwritten" and not (rule == "if known" and value is None):
                content[item.metadata.get(_KEY, item.name)] = plain(value)
        return content

    def __repr__(self) -> str:
        shown = ", ".join(f"{item.name}={_short(getattr(self, item.name))}" for item in fields(self))
        return f"{type(self).__name__}({shown})"


def finite_mean(values: np.ndarray) -> float | None:
    """Mean of the finite values, or None without any: JSON knows no NaN."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None


def plain(value: Any) -> Any:
    """A value as JSON knows it: results, arrays and mappings at any depth; None for numbers that are not finite."""
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(value: Any) -> str:
    """A value in a few characters: numbers to four digits, and of what is large only its size."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray):
        return f"<array {' x '.join(map(str, value.shape))}>"
    if isinstance(value, (Mapping, list, tuple)):
        return f"<{len(value)}>"
    text = repr(value)
    return text if len(text) <= 60 else f"<{type(value).__name__}>"
