"""What currents an operator has learned, and a warning for those that it has not.

Features have a hull (`FeatureSpec.outside_hull`); this is its counterpart for currents. An operator answers any current, but
only of those within its scope is known how well: under a kind of current that it has not seen, spike times may be at chance.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from noble.configs import Frozen
from noble.stimuli import OrnsteinUhlenbeck, Sampled, Scaled, Step, Stimulus, Sum
from noble.traces import TimeGrid

# Coloured noise has no bounds; beyond so many standard deviations lies one of 16,000 independent values.
_NOISE_REACH_SD: Final = 4.0
# Far below any current that matters, far above what rounding to float32 adds.
_ROUNDING_NA: Final = 1e-6
# Steps last equally long to this: edges of recorded ones lie on samples.
_SAME_STEP_MS: Final = 1.0

_Bounded = Annotated[float, Field(ge=-1000, le=1000)]
_Duration = Annotated[float, Field(gt=0, le=1e8)]


class OutsideTrainingWarning(UserWarning):
    """An operator was asked for what lies outside its training: a neuron (`OutsideHullWarning`) or a current."""


class OutsideScopeWarning(OutsideTrainingWarning):
    """Some currents are not such as the operator has learned; how good its answers to them are is unknown."""


@dataclass(frozen=True)
class Departure:
    """One way in which currents depart from what was learned.

    Attributes:
        aspect: what departs: a current's kind, its highest or lowest value, the length of the window or of a step.
        count: number of currents that depart in this way.
        value: the kind, or the farthest value, nA or ms.
        excess: how far the farthest lies outside, as a share of the learned range of currents or of the learned length;
            infinite for a kind.
        text: the farthest beside what was learned, in words.
    """

    aspect: Literal["kind", "highest", "lowest", "window", "step"]
    count: int
    value: str | float
    excess: float
    text: str


class Scope(Frozen):
    """The currents that an operator has learned from.

    Attributes:
        kinds: names of the kinds of stimulus, sorted; "Sum" among them if several at once were learned.
        lowest_na, highest_na: range of the current, nA; of unbounded noise, mean and four standard deviations.
        duration_ms: length of the longest window, ms.
        step_ms: length of the steps, ms, if there was nothing but steps of one length; else None.
        dt_ms: sampling interval of the training, ms.
    """

    kinds: tuple[str, ...] = Field(min_length=1, max_length=1000)
    lowest_na: _Bounded
    highest_na: _Bounded
    duration_ms: _Duration
    step_ms: _Duration | None
    dt_ms: _Duration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest_na >= self.highest_na:
            raise ValueError(f"currents from {self.lowest_na} to {self.highest_na} nA; expected lowest_na < highest_na")
        return self

    @classmethod
    def of_generation(cls, generation: Mapping[str, Any]) -> Self:
        """The scope of a data set that was drawn by a configuration (`noble.data.GenerationConfig`, as JSON).

        Raises:
            ValueError: if the configuration lacks something, or has no kind of current that is known here.
        """
        try:
            drawn = _Generation.model_validate(generation)
            kinds = {kind: multiples(drawn.mix) for share, (kind, multiples) in _KINDS.items() if drawn.mix.get(share)}
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"the configuration that data were drawn by is wrong: {place}: {first['msg']}.") from error
        except KeyError as error:
            raise ValueError(f"the configuration that data were drawn by lacks mix.{error.args[0]}.") from error
        if not kinds:
            raise ValueError(
                f"the configuration that data were drawn by has no share of {', '.join(_KINDS)}; expected at least one."
            )
        multiples = np.concatenate(list(kinds.values()))
        currents = np.outer(multiples, [drawn.amplitude.low_na, drawn.amplitude.high_na])
        return cls(
            kinds=tuple(sorted(kinds)),
            lowest_na=float(currents.min()),
            highest_na=float(currents.max()),
            duration_ms=drawn.window_ms,
            step_ms=drawn.step_ms if set(kinds) == {Step.__name__} else None,
            dt_ms=drawn.dt_ms,
        )

    @classmethod
    def of_stimuli(cls, stimuli: Iterable[Stimulus], grid: TimeGrid, *, duration_ms: float) -> Self:
        """The scope of given currents: their kinds, and the range in which they are.

        Args:
            stimuli: what is learned from, at least one.
            grid: where to sample them.
            duration_ms: length of the window that is learned, ms.

        Raises:
            ValueError: for no stimuli, or if no current ever flows.
        """
        kinds: set[str] = set()
        lengths_ms: set[float] = set()
        lowest = highest = 0.0
        for stimulus in stimuli:
            current = stimulus.sample(grid)
            lowest, highest = min(lowest, float(current.min())), max(highest, float(current.max()))
            kinds |= stimulus.kinds
            lengths_ms |= {round(length, 6) for length in _step_lengths_ms(stimulus)}
        if not kinds:
            raise ValueError("an operator is to learn from no current; expected at least one stimulus.")
        only_steps = kinds == {Step.__name__} and len(lengths_ms) == 1
        return cls(
            kinds=tuple(sorted(kinds)),
            lowest_na=lowest,
            highest_na=highest,
            duration_ms=duration_ms,
            step_ms=lengths_ms.pop() if only_steps else None,
            dt_ms=grid.dt_ms,
        )

    def united(self, other: Scope) -> Scope:
        """The scope of an operator that has learned from both: one that was fine-tuned."""
        return Scope(
            kinds=tuple(sorted({*self.kinds, *other.kinds})),
            lowest_na=min(self.lowest_na, other.lowest_na),
            highest_na=max(self.highest_na, other.highest_na),
            duration_ms=max(self.duration_ms, other.duration_ms),
            step_ms=self.step_ms if self.step_ms == other.step_ms else None,
            dt_ms=other.dt_ms,
        )

    def describe(self) -> str:
        """What was learned, in a few words: `steps of 400 ms from -0.11 to 0.28 nA`."""
        range_na = f"from {self.lowest_na:.3g} to {self.highest_na:.3g} nA"
        if self.step_ms is not None:
            return f"steps of {self.step_ms:g} ms {range_na}"
        kinds = "sampled currents" if self._only_sampled else ", ".join(self.kinds)
        return f"{kinds} {range_na}, at most {self.duration_ms:g} ms long"

    def departures(self, stimuli: Sequence[Stimulus], current_na: np.ndarray, dt_ms: float) -> tuple[Departure, ...]:
        """What of some currents was not learned, and how far from it they are.

        Args:
            stimuli: n currents.
            current_na: the same, sampled, shape (n, time), nA.
            dt_ms: sampling interval, ms.

        Returns:
            One for each kind that was not learned, and at most one for each other aspect.
        """
        if len(stimuli) == 0:
            return ()
        found = [self._kind(kind) for stimulus in stimuli for kind in stimulus.kinds]
        found += [self._step(_step_lengths_ms(stimulus)) for stimulus in stimuli]
        found.append(self._window(current_na.shape[1] * dt_ms, dt_ms, len(stimuli)))
        return merged([*(departure for departure in found if departure is not None), *self.beyond(current_na)])

    def beyond(self, current_na: np.ndarray) -> tuple[Departure, ...]:
        """Where some currents leave the learned range, whatever their kind.

        Args:
            current_na: shape (n, time), nA.
        """
        # Outside its support every current is zero, so zero is in every range.
        found = [
            self._reaches("highest", value, value - max(self.highest_na, 0.0))
            for value in current_na.max(axis=1, initial=0.0).tolist()
        ]
        found += [
            self._reaches("lowest", value, min(self.lowest_na, 0.0) - value)
            for value in current_na.min(axis=1, initial=0.0).tolist()
        ]
        return merged(departure for departure in found if departure is not None)

    @property
    def _only_sampled(self) -> bool:
        """Whether all that was learned is samples, as of a recording; these may have been of any kind, so no kind is another."""
        return self.kinds == (Sampled.__name__,)

    def _kind(self, kind: str) -> Departure | None:
        # Samples are of no kind of their own: who has learned noise is ready for whatever was recorded.
        ready = kind == Sampled.__name__ and OrnsteinUhlenbeck.__name__ in self.kinds
        if kind in self.kinds or self._only_sampled or ready:
            return None
        return Departure("kind", 1, kind, math.inf, f"kind {kind} (learned: {', '.join(self.kinds)})")

    def _step(self, lengths_ms: frozenset[float]) -> Departure | None:
        """Of the steps in one current, the one whose length is farthest from the learned one."""
        if self.step_ms is None or not lengths_ms:
            return None
        excess, length_ms = max((abs(length / self.step_ms - 1), length) for length in lengths_ms)
        if excess * self.step_ms <= _SAME_STEP_MS:
            return None
        return Departure("step", 1, length_ms, excess, f"steps of {length_ms:.4g} ms (learned: {self.step_ms:g} ms)")

    def _window(self, length_ms: float, dt_ms: float, count: int) -> Departure | None:
        # A grid ends up to one sample before or after the window that it spans.
        if length_ms <= self.duration_ms + max(dt_ms, self.dt_ms) + 1e-6:
            return None
        excess = length_ms / self.duration_ms - 1
        text = f"a window of {length_ms:g} ms (learned: up to {self.duration_ms:g} ms)"
        return Departure("window", count, length_ms, excess, text)

    def _reaches(self, aspect: Literal["highest", "lowest"], value_na: float, beyond_na: float) -> Departure | None:
        if beyond_na <= _ROUNDING_NA:
            return None
        excess = beyond_na / (self.highest_na - self.lowest_na)
        learned = f"learned: {self.lowest_na:.4g} to {self.highest_na:.4g} nA, {excess:.0%} of that range beyond"
        return Departure(aspect, 1, value_na, excess, f"{value_na:.4g} nA ({learned})")


def merged(found: Iterable[Departure]) -> tuple[Departure, ...]:
    """One departure for each kind and each other aspect, from those of several currents or batches: the farthest counts."""
    together: dict[tuple[str, str], Departure] = {}
    for departure in found:
        key = departure.aspect, str(departure.value) if departure.aspect == "kind" else ""
        before = together.get(key)
        if before is not None:
            farthest = departure if departure.excess > before.excess else before
            departure = replace(farthest, count=before.count + departure.count)
        together[key] = departure
    return tuple(together.values())


def warn_outside_scope(departures: Iterable[Departure], count: int, *, stacklevel: int = 3) -> None:
    """Warn, in one sentence, of all ways in which some of `count` currents depart from what was learned, if there are any.

    Warns:
        OutsideScopeWarning: with each way, how many currents depart so, and how far.
    """
    parts = [f"{departure.text} in {departure.count} of {count}" for departure in merged(departures)]
    if parts:
        warnings.warn(
            f"the operator has not learned such currents, so that its spikes above all may be wrong: {'; '.join(parts)}.",
            OutsideScopeWarning,
            stacklevel=stacklevel,
        )


def _step_lengths_ms(stimulus: Stimulus) -> frozenset[float]:
    """How long the steps of a stimulus last, ms."""
    if isinstance(stimulus, Sum):
        return frozenset().union(*(_step_lengths_ms(part) for part in stimulus.parts))
    if isinstance(stimulus, Scaled):
        return _step_lengths_ms(stimulus.stimulus)
    return frozenset({stimulus.stop_ms - stimulus.start_ms}) if isinstance(stimulus, Step) else frozenset()


class _Amplitude(BaseModel):
    low_na: float
    high_na: float


class _Generation(BaseModel):
    """The part of a generation's configuration that decides which currents are drawn."""

    amplitude: _Amplitude
    mix: dict[str, float]
    step_ms: float
    window_ms: float
    dt_ms: float


def _around(middle: float, reach: float) -> tuple[float, float]:
    return middle - reach, middle + reach


# For each share of `noble.data.StimulusMix`: the kind, and the extremes of its current as multiples of the drawn amplitude.
_KINDS: Final = {
    "step": ("Step", lambda mix: (1.0,)),
    "ramp": ("Ramp", lambda mix: (mix["ramp_first"], mix["ramp_last"])),
    "chirp": ("Chirp", lambda mix: _around(mix["chirp_offset"], mix["chirp_sine"])),
    "ornstein_uhlenbeck": (
        "OrnsteinUhlenbeck",
        lambda mix: _around(mix["noise_mean"], _NOISE_REACH_SD * mix["noise_sd"]),
    ),
}

RANGED_SHARES: Final = frozenset(_KINDS)
"""The shares of a configuration's mix whose kind and range `Scope.of_generation` knows."""
