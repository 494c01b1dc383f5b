"""How long work reports that it goes on."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all, first before anything is done."""
