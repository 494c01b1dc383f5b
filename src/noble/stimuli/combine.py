"""Stimuli made of stimuli: sums and multiples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from noble.stimuli.base import Stimulus
from noble.stimuli.registry import from_dict, register


@register()
@dataclass(frozen=True, repr=False)
class Sum(Stimulus):
    """Several stimuli at once.

    Attributes:
        parts: at least one.
    """

    parts: tuple[Stimulus, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a Sum got no parts; expected at least one stimulus.")

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))

    @property
    def kinds(self) -> frozenset[str]:
        """Those of the parts, and "Sum" if there are several."""
        return frozenset().union(*(part.kinds for part in self.parts)) | ({"Sum"} if len(self.parts) > 1 else set())

    @property
    def end_ms(self) -> float:
        return max(part.end_ms for part in self.parts)

    def shifted(self, by_ms: float) -> Stimulus:
        return Sum(tuple(part.shifted(by_ms) for part in self.parts))

    def current_na(self, times_ms: np.ndarray) -> np.ndarray:
        return np.sum([part.current_na(times_ms) for part in self.parts], axis=0)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """As exact as the parts': a point wherever one of them has one, a jump wherever one of them jumps."""
        envelopes = [part.envelope() for part in self.parts]
        instants = np.unique(np.concatenate([times for times, _ in envelopes]))
        before, after = (
            np.sum([_limit_na(*envelope, instants, side=side) for envelope in envelopes], axis=0)
            for side in ("left", "right")
        )
        copies = 1 + (before != after)
        currents = np.repeat(before, copies)
        currents[np.cumsum(copies) - 1] = after
        return np.repeat(instants, copies), currents

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "Sum", "parts": [part.to_dict() for part in self.parts]}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Sum:
        """From descriptions of the parts."""
        if set(parameters) != {"parts"} or not isinstance(parameters["parts"], list | tuple):
            raise ValueError(f"Sum got {', '.join(parameters) or 'nothing'}; expected parts, a list of stimuli.")
        return cls(tuple(from_dict(part) for part in parameters["parts"]))


@register()
@dataclass(frozen=True, repr=False)
class Scaled(Stimulus):
    """A stimulus times a number.

    Attributes:
        stimulus: what is multiplied.
        factor: by what.
    """

    stimulus: Stimulus
    factor: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.factor):
            raise ValueError(f"Scaled.factor is {self.factor}; expected a finite number.")

    def __repr__(self) -> str:
        inner = f"({self.stimulus!r})" if isinstance(self.stimulus, Sum) else repr(self.stimulus)
        return f"{self.factor:.6g} * {inner}"

    @property
    def kinds(self) -> frozenset[str]:
        """Those of what is scaled."""
        return self.stimulus.kinds

    @property
    def end_ms(self) -> float:
        return self.stimulus.end_ms

    def shifted(self, by_ms: float) -> Stimulus:
        return Scaled(self.stimulus.shifted(by_ms), self.factor)

    def current_na(self, times_ms: np.ndarray) -> np.ndarray:
        return self.factor * self.stimulus.current_na(times_ms)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """As exact as that of what is scaled."""
        times, currents = self.stimulus.envelope()
        return times, self.factor * currents

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "Scaled", "stimulus": self.stimulus.to_dict(), "factor": self.factor}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Scaled:
        """From a description of what is scaled, and the factor."""
        if set(parameters) != {"stimulus", "factor"}:
            raise ValueError(f"Scaled got {', '.join(parameters) or 'nothing'}; expected stimulus, factor.")
        return cls(from_dict(parameters["stimulus"]), parameters["factor"])


def _limit_na(
    times_ms: np.ndarray, currents_na: np.ndarray, instants_ms: np.ndarray, *, side: Literal["left", "right"]
) -> np.ndarray:
    """An envelope's current just before (left) or just after (right) some instants, shape of `instants_ms`, nA."""
    limits = np.interp(instants_ms, times_ms, currents_na, right=0.0)
    # Of several points at one instant, the first is the limit from the left and the last that from the right.
    points = np.searchsorted(times_ms, instants_ms, side=side) - (side == "right")
    points = np.minimum(points, times_ms.size - 1)
    return np.where(times_ms[points] == instants_ms, currents_na[points], limits)
