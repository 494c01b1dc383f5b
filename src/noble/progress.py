"""How long work reports that it goes on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all, first before anything is done."""


class NotedProgress(Protocol):
    """A `Progress` that also takes a few words on how the work goes."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Report what is done and what there is in all."""
        ...


Tracking = Callable[[str], AbstractContextManager[NotedProgress]]
"""Given the title of one part of a longer work, lends a progress to that part."""


@contextmanager
def untracked(title: str) -> Iterator[NotedProgress]:
    """The `Tracking` that nobody watches."""
    yield lambda done, total, note="": None
