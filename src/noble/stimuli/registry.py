"""The kinds of stimulus: the one place where a kind becomes known by its name, to files, stores and commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

from noble.stimuli.base import Stimulus

StimulusT = TypeVar("StimulusT", bound=type[Stimulus])


@dataclass(frozen=True)
class Kind:
    """A kind of stimulus, and how a store keeps it.

    Attributes:
        name: the name of its class.
        type: the class.
        columns: parameters that are numbers, in the order in which a store keeps them.
        array: the parameter that is an array of one axis, if it has one.
    """

    name: str
    type: type[Stimulus]
    columns: tuple[str, ...] = ()
    array: str | None = None

    @property
    def described(self) -> bool:
        """Whether it holds anything else, so that a store keeps what `to_dict` says."""
        return {*self.columns, self.array} - {None} != {item.name for item in fields(self.type)}  # type: ignore[arg-type]


# Names and kinds; `register` adds to it.
STIMULUS_KINDS: Final[dict[str, Kind]] = {}

# Parameters by the names that files of earlier versions give them.
_RENAMED: Final[dict[str, dict[str, str]]] = {
    "Ramp": {"first_na": "start_na", "last_na": "stop_na"},
    "Chirp": {"first_hz": "f0_hz", "last_hz": "f1_hz"},
}


def register(*, columns: tuple[str, ...] = (), array: str | None = None) -> Callable[[StimulusT], StimulusT]:
    """Make a subclass of `Stimulus`, a frozen dataclass, known by its name; a decorator.

    A kind whose parameters are the `columns` and the `array` is kept by a store as numbers; of any other kind a store keeps
    what `to_dict` says, and reads it by `from_parameters`.

    Args:
        columns: parameters that are numbers.
        array: a parameter that is an array of one axis.

    Raises:
        ValueError: if another class of the same name is known.
    """

    def add(made: StimulusT) -> StimulusT:
        known = STIMULUS_KINDS.get(made.__name__)
        if known is not None and known.type.__qualname__ != made.__qualname__:
            raise ValueError(f"a stimulus kind {made.__name__} is already known; give the class another name.")
        STIMULUS_KINDS[made.__name__] = Kind(made.__name__, made, columns, array)
        return made

    return add


def kind_named(name: object) -> Kind:
    """The kind of a name.

    Raises:
        ValueError: if it is unknown.
    """
    kind = STIMULUS_KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"stimulus kind {name!r} is unknown; expected one of {', '.join(STIMULUS_KINDS)}.")
    return kind


def todays_name(kind: str, parameter: str) -> str:
    """The name of a parameter, whatever an earlier version called it."""
    return _RENAMED.get(kind, {}).get(parameter, parameter)


def from_dict(description: Mapping[str, Any]) -> Stimulus:
    """Read back what `Stimulus.to_dict` wrote, now or in an earlier version.

    Raises:
        ValueError: for what describes no stimulus, an unknown kind or parameter.
    """
    if not isinstance(description, Mapping):
        raise ValueError(
            f'a stimulus is described by {description!r}; expected an object such as {{"kind": "Step", ...}}.'
        )
    kind = kind_named(description.get("kind"))
    parameters = {todays_name(kind.name, name): value for name, value in description.items() if name != "kind"}
    try:
        return kind.type.from_parameters(parameters)
    except TypeError as error:
        expected = ", ".join(item.name for item in fields(kind.type))  # type: ignore[arg-type]
        raise ValueError(f"{kind.name} got {', '.join(parameters) or 'nothing'}; expected {expected}.") from error
    except RecursionError as error:
        raise ValueError(f"a {kind.name} is nested too deeply; expected a few levels.") from error
