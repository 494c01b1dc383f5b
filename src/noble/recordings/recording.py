"""What a recording holds: answers of one cell to steps of current, grouped by amplitude."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal

import numpy as np

from noble.recordings.raw import RawSweep
from noble.spikes import THRESHOLD_MV
from noble.traces import Trace

SAME_STEP_MS: Final = 1.0
"""Steps whose lengths differ by no more than this last equally long."""
# Nor do those whose lengths differ by this part: an amplifier's clock, or the edge of a small step in noise.
_SAME_STEP_SHARE: Final = 0.015
NEGLIGIBLE_HOLDING_NA: Final = 0.005
"""So much is a bias of the amplifier, not a holding current."""

# Amplitudes are told apart to this, or to so many standard errors where noise was injected.
_AMPLITUDE_RESOLUTION_NA: Final = 0.001
_SAME_AMPLITUDE_ERRORS: Final = 3.0
_NUMBER: Final = re.compile(r"\d[\d.]*(e[-+]?\d+)?")


@dataclass(frozen=True)
class Sweep:
    """One answer to one step of current.

    Attributes:
        name: of the response in the file.
        amplitude_na: height of the step above the holding current, nA; negative for a hyperpolarising step.
        amplitude_error_na: standard error of the amplitude from noise in the current, nA; 0 for a clean step.
        holding_na: current outside the step, the amplifier's bias current included, nA.
        onset_ms, offset_ms: edges of the step from the first sample, ms.
        protocol: what the file calls the stimulus, such as "LongSquare"; empty if nothing.
        trace: voltage, junction potential subtracted, and injected current on the same instants.
    """

    name: str
    amplitude_na: float
    amplitude_error_na: float
    holding_na: float
    onset_ms: float
    offset_ms: float
    protocol: str
    trace: Trace

    @property
    def step_ms(self) -> float:
        """Length of the step, ms."""
        return self.offset_ms - self.onset_ms

    @property
    def is_held(self) -> bool:
        """Whether there is a holding current outside the step."""
        return abs(self.holding_na) > NEGLIGIBLE_HOLDING_NA


@dataclass(frozen=True, repr=False)
class Recording:
    """The usable sweeps of one cell.

    Attributes:
        source: name of the file.
        sha256: of the file.
        sweeps: in the order of the file.
        unusable: name of every sweep that was not used, and why, in one sentence.
        junction_potential_mv: what was subtracted from the recorded voltage, mV.
        spike_threshold_mv: what spikes of this cell cross upwards, and nothing else does, mV.
        raw: everything that could be read, whatever its stimulus, in the order of the file; see `noble.recordings.survey`.
    """

    source: str
    sha256: str
    sweeps: tuple[Sweep, ...]
    unusable: Mapping[str, str]
    junction_potential_mv: float = 0.0
    spike_threshold_mv: float = THRESHOLD_MV
    raw: tuple[RawSweep, ...] = ()

    def __repr__(self) -> str:
        names = ", ".join(sorted({sweep.protocol for sweep in self.sweeps if sweep.protocol})) or "unnamed stimuli"
        return f"<Recording {self.source}: {len(self.sweeps)} sweeps ({names}), {len(self.unusable)} not usable>"

    def by_amplitude(self) -> dict[float, tuple[Sweep, ...]]:
        """Sweeps of each step by its amplitude in nA, rounded to 1 pA, ascending.

        Noise in the current makes the amplitudes measured for one step differ. Neighbours in order belong together where
        they differ by less than 1 pA or by less than three standard errors; the amplitude of all is their mean weighted by
        precision, so that a clean sweep among noisy ones decides.
        """
        order = {id(sweep): index for index, sweep in enumerate(self.sweeps)}
        groups: list[list[Sweep]] = []
        for sweep in sorted(self.sweeps, key=lambda sweep: sweep.amplitude_na):
            if groups and _same_amplitude(groups[-1][-1], sweep):
                groups[-1].append(sweep)
            else:
                groups.append([sweep])
        found: dict[float, list[Sweep]] = {}
        for group in groups:
            found.setdefault(mean_na(group, "amplitude_na"), []).extend(group)
        return {
            amplitude: tuple(sorted(group, key=lambda sweep: order[id(sweep)])) for amplitude, group in found.items()
        }

    def with_steps(self) -> Recording:
        """The recording, if any of its sweeps answers a rectangular step.

        Raises:
            ValueError: if none does; it says why, and how often.
        """
        if not self.sweeps:
            raise ValueError(
                f"{self.source} has no current-clamp step that can be used; {reasons_in_short(self.unusable)}."
            )
        return self

    def of_protocol(self, *protocols: str) -> Recording:
        """The sweeps whose stimulus the file calls by one of these names; the others are listed as unusable.

        Args:
            protocols: names, or patterns such as `"Long*"` (`*` is any text, `?` one character, `[ab]` one of these).

        Raises:
            ValueError: if a name or a pattern is that of no sweep with a step.
        """
        chosen = named_protocols({sweep.protocol for sweep in self.sweeps}, protocols, source=self.source)
        wanted = " or ".join(map(repr, protocols))
        return self._only(
            {
                sweep.name: f"its protocol is {sweep.protocol!r}; {wanted} was asked for."
                for sweep in self.sweeps
                if sweep.protocol not in chosen
            }
        )

    def raw_at(self, positions: Sequence[int] | None) -> tuple[RawSweep, ...]:
        """Sweeps whatever their stimulus, by their positions in `raw`, from 0 on; all for None.

        Raises:
            ValueError: if there is no such sweep.
        """
        if positions is None:
            return self.raw
        count = len(self.raw)
        if wrong := [number for number in positions if not 0 <= number < count]:
            raise ValueError(f"{self.source} has no sweep {wrong[0]}; expected one of 0 to {count - 1}.")
        return tuple(self.raw[number] for number in positions)

    def of_step_ms(self, step_ms: float) -> Recording:
        """The sweeps whose step lasts so long, or, if there are none, longer; the others are listed as unusable.

        Args:
            step_ms: length, to 1 ms or 1.5 %, ms.

        Raises:
            ValueError: if all steps are shorter.
        """
        allowed = same_step_ms(step_ms)
        alike = [sweep for sweep in self.sweeps if abs(sweep.step_ms - step_ms) <= allowed]
        kept = alike or [sweep for sweep in self.sweeps if sweep.step_ms > step_ms]
        if not kept:
            longest = max((sweep.step_ms for sweep in self.sweeps), default=0.0)
            raise ValueError(
                f"{self.source} has no step of {step_ms:g} ms; the longest lasts {longest:.4g} ms. Ask for at most that."
            )
        return self._only(
            {
                sweep.name: f"its step lasts {sweep.step_ms:.4g} ms; {step_ms:g} ms was asked for."
                for sweep in self.sweeps
                if not any(sweep is other for other in kept)
            }
        )

    def _only(self, left_out: Mapping[str, str]) -> Recording:
        """Without these sweeps, which are listed with the reason."""
        kept = tuple(sweep for sweep in self.sweeps if sweep.name not in left_out)
        return replace(self, sweeps=kept, unusable={**self.unusable, **left_out})


def same_step_ms(step_ms: float) -> float:
    """Differences up to which steps of this length last equally long, ms."""
    return max(SAME_STEP_MS, _SAME_STEP_SHARE * step_ms)


def named_protocols(names: Set[str], asked: Sequence[str], *, source: str) -> set[str]:
    """Those of some names of stimuli that are asked for, by name or pattern; see `Recording.of_protocol`.

    Raises:
        ValueError: if a name or a pattern is none of them; `source` is named as their file.
    """
    chosen: set[str] = set()
    for one in asked:
        matching = {one} & names or {name for name in names if name and fnmatchcase(name, one)}
        if not matching:
            known = ", ".join(sorted(filter(None, names))) or "no name at all"
            raise ValueError(f"{source} has no usable sweep of protocol {one!r}; its stimuli have {known}.")
        chosen |= matching
    return chosen


def reasons_in_short(unusable: Mapping[str, str]) -> str:
    """Reasons against sweeps and how often each; those that differ in numbers alone are one, told by the first of them."""
    told: dict[str, str] = {}
    for reason in unusable.values():
        told.setdefault(_NUMBER.sub("#", reason), reason.rstrip("."))
    counts = Counter(told[_NUMBER.sub("#", reason)] for reason in unusable.values())
    return "; ".join(f"{count} sweep(s): {reason}" for reason, count in counts.most_common()) or "it holds no response"


def _same_amplitude(lower: Sweep, upper: Sweep) -> bool:
    error = float(np.hypot(lower.amplitude_error_na, upper.amplitude_error_na))
    # A hundredth of the resolution forgives rounding.
    limit = max(0.99 * _AMPLITUDE_RESOLUTION_NA, _SAME_AMPLITUDE_ERRORS * error)
    return upper.amplitude_na - lower.amplitude_na < limit


def mean_na(sweeps: Sequence[Sweep], quantity: Literal["amplitude_na", "holding_na"]) -> float:
    """Mean over trials of one step weighted by precision, nA, to 1 pA: a clean trial among noisy ones decides."""
    errors = np.array([sweep.amplitude_error_na for sweep in sweeps])
    errors = np.maximum(errors, 0.1 * _AMPLITUDE_RESOLUTION_NA)  # no current is known better than that
    mean = np.average([getattr(sweep, quantity) for sweep in sweeps], weights=errors**-2)
    return round(float(mean), 3) + 0.0  # which makes a zero of -0
