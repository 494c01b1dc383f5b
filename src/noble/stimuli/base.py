"""What every stimulus is: an injected current as a function of time.

A stimulus knows its current at any instant; nothing downstream takes a bare amplitude. Simulators read it as a piecewise
linear envelope (exact for steps and ramps), operators as samples on a grid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any, ClassVar, Final, Self

import numpy as np

from noble.files import shortened
from noble.traces import TimeGrid
from noble.units import check_current_na

# Fine enough to follow an Ornstein-Uhlenbeck current of 1 ms or a 500 Hz chirp; the simulators' own step.
ENVELOPE_DT_MS: Final = 0.02


class Stimulus(ABC):
    """A current in nA as a function of time in ms; zero outside its support.

    `a + b` and `sum([...])` give stimuli at once, `0.5 * a` and `-a` multiples. A kind is a subclass, a frozen dataclass that
    `noble.stimuli.register` makes known by its name.
    """

    # So that `numpy.float64(0.5) * stimulus` asks the stimulus.
    __array_ufunc__: ClassVar[None] = None

    @abstractmethod
    def current_na(self, times_ms: np.ndarray) -> np.ndarray:
        """Current at the given instants, same shape, nA. A jump takes its later value at the instant itself."""

    @property
    @abstractmethod
    def end_ms(self) -> float:
        """Instant after which the current is zero, ms."""

    @abstractmethod
    def shifted(self, by_ms: float) -> Stimulus:
        """The same current, later by `by_ms`."""

    @abstractmethod
    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Piecewise-linear support points (times in ms, currents in nA); a repeated time is a jump.

        Times start at 0 and never decrease; the current is 0 at the first point and at the last, and 0 after it.
        """

    def sample(self, grid: TimeGrid) -> np.ndarray:
        """Current on a grid, shape (grid.count,), nA.

        Raises:
            ValueError: if the stimulus lasts longer than the grid, or gives a value that is not finite or not in nA.
        """
        # A grid that spans a window may end up to one sample before it.
        if self.end_ms > grid.duration_ms + grid.dt_ms + 1e-6:
            raise ValueError(
                f"the stimulus ends at {self.end_ms:g} ms but the window is {grid.duration_ms:g} ms long. "
                "Shorten the stimulus or lengthen the window."
            )
        samples = self.current_na(grid.times_ms)
        if not np.all(np.isfinite(samples)):
            raise ValueError("the stimulus holds NaN or infinite values; every current must be a finite number of nA.")
        check_current_na(float(np.max(np.abs(samples))), what=type(self).__name__)
        return samples

    @property
    def kinds(self) -> frozenset[str]:
        """Names of the kinds it is made of; a sum of several parts also has "Sum"."""
        return frozenset({type(self).__name__})

    def __add__(self, other: Stimulus) -> Stimulus:
        from noble.stimuli.combine import Sum

        if not isinstance(other, Stimulus):
            return NotImplemented
        parts = (part.parts if isinstance(part, Sum) else (part,) for part in (self, other))
        return Sum(tuple(stimulus for group in parts for stimulus in group))

    def __radd__(self, other: object) -> Stimulus:
        return self if other == 0 else NotImplemented  # `sum` begins with 0

    def __sub__(self, other: Stimulus) -> Stimulus:
        return self + -other

    def __mul__(self, factor: float) -> Stimulus:
        from noble.stimuli.combine import Scaled

        if not isinstance(factor, Real):
            return NotImplemented
        if isinstance(self, Scaled):
            return Scaled(self.stimulus, self.factor * float(factor))
        return Scaled(self, float(factor))

    __rmul__ = __mul__

    def __neg__(self) -> Stimulus:
        return self * -1.0

    def __repr__(self) -> str:
        values = ", ".join(f"{item.name}={getattr(self, item.name):.6g}" for item in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({values})"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description; `from_dict` reads it back."""
        description: dict[str, Any] = {"kind": type(self).__name__}
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            description[item.name] = value.tolist() if isinstance(value, np.ndarray) else value
        return description

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """The stimulus of a description without its kind."""
        return cls(**parameters)


def check_finite(stimulus: Stimulus) -> None:
    """Refuse what is no number, NaN and infinity in any parameter, and a support that ends before it starts."""
    for item in fields(stimulus):  # type: ignore[arg-type]
        value = getattr(stimulus, item.name)
        if not isinstance(value, Real | np.ndarray) or not np.all(np.isfinite(np.asarray(value, dtype=float))):
            raise ValueError(f"{type(stimulus).__name__}.{item.name} is {shortened(value)}; expected a finite number.")
    start, stop = getattr(stimulus, "start_ms", 0.0), getattr(stimulus, "stop_ms", np.inf)
    if start < 0 or stop <= start:
        raise ValueError(
            f"{type(stimulus).__name__} runs from {start:g} to {stop:g} ms; expected 0 <= start_ms < stop_ms."
        )


@dataclass(frozen=True, repr=False)
class Interval(Stimulus):
    """A current confined to [start_ms, stop_ms)."""

    start_ms: float
    stop_ms: float

    def __post_init__(self) -> None:
        check_finite(self)

    @property
    def end_ms(self) -> float:
        return self.stop_ms

    def shifted(self, by_ms: float) -> Stimulus:
        return replace(self, start_ms=self.start_ms + by_ms, stop_ms=self.stop_ms + by_ms)

    def current_na(self, times_ms: np.ndarray) -> np.ndarray:
        # A sample within a billionth of a ms of an edge is on it: grids are products, not sums, of dt.
        inside = (times_ms >= self.start_ms - 1e-9) & (times_ms < self.stop_ms - 1e-9)
        return np.where(inside, self._inside_na(times_ms - self.start_ms), 0.0)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Jumps at both edges, and between them the current every `ENVELOPE_DT_MS` from the start."""
        length_ms = self.stop_ms - self.start_ms
        since = np.arange(int(np.ceil(length_ms / ENVELOPE_DT_MS)) + 1) * ENVELOPE_DT_MS
        since = since[self.start_ms + since < self.stop_ms]
        currents = self._inside_na(np.append(since, length_ms))
        return between_jumps(self.start_ms + since, currents[:-1], self.stop_ms, currents[-1])

    @abstractmethod
    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        """Current as a function of the time since the start; values outside the interval are ignored."""


def between_jumps(
    times_ms: np.ndarray | list[float], currents_na: np.ndarray | list[float], end_ms: float, last_na: float
) -> tuple[np.ndarray, np.ndarray]:
    """An envelope that jumps from 0 to the first of some points, and at the end from `last_na` back to 0."""
    times = np.concatenate([[0.0, times_ms[0]], times_ms, [end_ms, end_ms]])
    return times, np.concatenate([[0.0, 0.0], currents_na, [last_na, 0.0]])
