"""The run-time type checker that tests put on the functions of `noble`: tensor shapes only; see conftest.py.

Plain annotations are pyright's business. Checking those at run time too would trip over protocols, and over names that are
imported for type checkers only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from beartype import beartype

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_ARRAY_TYPES = ("Float[", "Complex[", "Int[", "Bool[", "Num[", "Shaped[")


def checked(function: FunctionT) -> FunctionT:
    """Check the arguments and results whose annotation gives a shape."""
    shaped = {name: hint for name, hint in function.__annotations__.items() if _has_shape(hint)}
    if not shaped:
        return function
    # jaxtyping hands over a stand-in of its own for this purpose, so nobody else sees the annotations go.
    function.__annotations__ = shaped
    return beartype(function)


def _has_shape(hint: object) -> bool:
    text = hint if isinstance(hint, str) else repr(hint)
    return any(name in text for name in _ARRAY_TYPES)
