"""Injected currents as functions of time.

A stimulus knows its current at any instant; nothing downstream takes a bare amplitude. Simulators read it as a piecewise
linear envelope (exact for steps and ramps), operators as samples on a grid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

import numpy as np

from noble.traces import TimeGrid
from noble.units import MS_PER_SECOND, check_current_na

# Fine enough to follow an Ornstein-Uhlenbeck current of 1 ms or a 500 Hz chirp; the simulators' own step.
ENVELOPE_DT_MS: Final = 0.02


class Stimulus(ABC):
    """A current in nA as a function of time in ms; zero outside its support."""

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

    def __add__(self, other: Stimulus) -> Sum:
        return Sum((self, other))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description; `from_dict` reads it back."""
        description: dict[str, Any] = {"kind": type(self).__name__}
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            description[item.name] = value.tolist() if isinstance(value, np.ndarray) else value
        return description


def _check_finite(stimulus: Stimulus) -> None:
    """Refuse NaN and infinity in any parameter, and a support that ends before it starts."""
    for item in fields(stimulus):  # type: ignore[arg-type]
        value = getattr(stimulus, item.name)
        if not np.all(np.isfinite(value)):
            raise ValueError(f"{type(stimulus).__name__}.{item.name} is {value}; expected a finite number.")
    start, stop = getattr(stimulus, "start_ms", 0.0), getattr(stimulus, "stop_ms", np.inf)
    if start < 0 or stop <= start:
        raise ValueError(
            f"{type(stimulus).__name__} runs from {start:g} to {stop:g} ms; expected 0 <= start_ms < stop_ms."
        )


@dataclass(frozen=True)
class _Interval(Stimulus):
    """A current confined to [start_ms, stop_ms)."""

    start_ms: float
    stop_ms: float

    def __post_init__(self) -> None:
        _check_finite(self)

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
        return _between_jumps(self.start_ms + since, currents[:-1], self.stop_ms, currents[-1])

    @abstractmethod
    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        """Current as a function of the time since the start; values outside the interval are ignored."""


def _between_jumps(
    times_ms: np.ndarray | list[float], currents_na: np.ndarray | list[float], end_ms: float, last_na: float
) -> tuple[np.ndarray, np.ndarray]:
    """An envelope that jumps from 0 to the first of some points, and at the end from `last_na` back to 0."""
    times = np.concatenate([[0.0, times_ms[0]], times_ms, [end_ms, end_ms]])
    return times, np.concatenate([[0.0, 0.0], currents_na, [last_na, 0.0]])


@dataclass(frozen=True)
class Step(_Interval):
    """A constant current between two instants: the rectangular step of a patch-clamp protocol.

    Attributes:
        start_ms, stop_ms: edges, ms.
        amplitude_na: height, nA.
    """

    amplitude_na: float

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        return np.full_like(since_start_ms, self.amplitude_na)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact: two edges."""
        return _between_jumps([self.start_ms], [self.amplitude_na], self.stop_ms, self.amplitude_na)


@dataclass(frozen=True)
class Ramp(_Interval):
    """A current that grows linearly from `first_na` to `last_na`."""

    first_na: float
    last_na: float

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        fraction = since_start_ms / (self.stop_ms - self.start_ms)
        return self.first_na + (self.last_na - self.first_na) * fraction

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact: two edges and a slope."""
        return _between_jumps([self.start_ms], [self.first_na], self.stop_ms, self.last_na)


@dataclass(frozen=True)
class Chirp(_Interval):
    """A sine whose frequency rises linearly, around an offset.

    Attributes:
        amplitude_na: amplitude of the sine, nA.
        offset_na: constant added to it, nA.
        first_hz, last_hz: instantaneous frequency at the two edges, Hz.
    """

    amplitude_na: float
    offset_na: float = 0.0
    first_hz: float = 1.0
    last_hz: float = 50.0

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        seconds = since_start_ms / MS_PER_SECOND
        sweep_hz_per_s = (self.last_hz - self.first_hz) / ((self.stop_ms - self.start_ms) / MS_PER_SECOND)
        phase = 2 * np.pi * (self.first_hz * seconds + 0.5 * sweep_hz_per_s * seconds**2)
        return self.offset_na + self.amplitude_na * np.sin(phase)


@dataclass(frozen=True)
class OrnsteinUhlenbeck(_Interval):
    """Coloured noise around a mean, drawn once from its seed: the same seed gives the same current on any grid.

    The exact discretisation of `dI = (mean - I) / tau dt + sd sqrt(2 / tau) dW` on a lattice of `ENVELOPE_DT_MS`, started
    from its stationary distribution and interpolated linearly (Uhlenbeck and Ornstein, Phys. Rev. 36, 1930).

    Attributes:
        mean_na, sd_na: stationary mean and standard deviation, nA.
        tau_ms: correlation time, ms.
        seed: of the numpy generator.
    """

    mean_na: float
    sd_na: float
    tau_ms: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau_ms <= 0 or self.sd_na < 0:
            raise ValueError(f"tau_ms is {self.tau_ms} and sd_na {self.sd_na}; expected tau_ms > 0 and sd_na >= 0.")

    def _inside_na(self, since_start_ms: np.ndarray) -> np.ndarray:
        from scipy.signal import lfilter

        count = int(np.ceil((self.stop_ms - self.start_ms) / ENVELOPE_DT_MS)) + 2
        decay = np.exp(-ENVELOPE_DT_MS / self.tau_ms)
        noise = np.random.default_rng(self.seed).standard_normal(count)
        noise[1:] *= np.sqrt(1 - decay**2)
        lattice = self.mean_na + self.sd_na * np.asarray(lfilter([1.0], [1.0, -decay], noise))
        return np.interp(since_start_ms, np.arange(count) * ENVELOPE_DT_MS, lattice)


@dataclass(frozen=True, eq=False)
class Sampled(Stimulus):
    """A current given by samples, for example one that was recorded; linear between samples.

    Attributes:
        samples_na: shape (count,), nA.
        dt_ms: distance between samples, ms.
        start_ms: instant of the first sample, ms.
    """

    samples_na: np.ndarray
    dt_ms: float
    start_ms: float = 0.0

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples_na, dtype=float)
        object.__setattr__(self, "samples_na", samples)
        _check_finite(self)
        if samples.ndim != 1 or samples.size < 2 or self.dt_ms <= 0:
            raise ValueError(
                f"samples of shape {samples.shape} at dt {self.dt_ms} ms; expected at least two samples in one row and dt > 0."
            )

    @property
    def end_ms(self) -> float:
        return self.start_ms + self.samples_na.size * self.dt_ms

    def shifted(self, by_ms: float) -> Stimulus:
        return replace(self, start_ms=self.start_ms + by_ms)

    def current_na(self, times_ms: np.ndarray) -> np.ndarray:
        inside = (times_ms >= self.start_ms - 1e-9) & (times_ms < self.end_ms - 1e-9)
        return np.where(inside, np.interp(times_ms, self._own_times_ms, self.samples_na), 0.0)

    def envelope(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact: the samples, the last one held for its `dt_ms`."""
        return _between_jumps(self._own_times_ms, self.samples_na, self.end_ms, self.samples_na[-1])

    @property
    def _own_times_ms(self) -> np.ndarray:
        return self.start_ms + np.arange(self.samples_na.size) * self.dt_ms


@dataclass(frozen=True)
class Sum(Stimulus):
    """Several stimuli at once."""

    parts: tuple[Stimulus, ...]

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


def _limit_na(
    times_ms: np.ndarray, currents_na: np.ndarray, instants_ms: np.ndarray, *, side: Literal["left", "right"]
) -> np.ndarray:
    """An envelope's current just before (left) or just after (right) some instants, shape of `instants_ms`, nA."""
    limits = np.interp(instants_ms, times_ms, currents_na, right=0.0)
    # Of several points at one instant, the first is the limit from the left and the last that from the right.
    points = np.searchsorted(times_ms, instants_ms, side=side) - (side == "right")
    points = np.minimum(points, times_ms.size - 1)
    return np.where(times_ms[points] == instants_ms, currents_na[points], limits)


STIMULUS_KINDS: Final[dict[str, type[Stimulus]]] = {
    kind.__name__: kind for kind in (Step, Ramp, Chirp, OrnsteinUhlenbeck, Sampled, Sum)
}


def from_dict(description: Mapping[str, Any]) -> Stimulus:
    """Read back what `Stimulus.to_dict` wrote.

    Raises:
        ValueError: for what describes no stimulus, an unknown kind or parameter.
    """
    if not isinstance(description, Mapping):
        raise ValueError(
            f'a stimulus is described by {description!r}; expected an object such as {{"kind": "Step", ...}}.'
        )
    parameters = dict(description)
    kind = parameters.pop("kind", None)
    if kind not in STIMULUS_KINDS:
        raise ValueError(f"stimulus kind {kind!r} is unknown; expected one of {', '.join(STIMULUS_KINDS)}.")
    if kind == "Sum":
        if set(parameters) != {"parts"} or not isinstance(parameters["parts"], Sequence):
            raise ValueError(f"Sum got {', '.join(parameters) or 'nothing'}; expected parts, a list of stimuli.")
        return Sum(tuple(from_dict(part) for part in parameters["parts"]))
    try:
        return STIMULUS_KINDS[kind](**parameters)
    except TypeError as error:
        expected = ", ".join(item.name for item in fields(STIMULUS_KINDS[kind]))  # type: ignore[arg-type]
        raise ValueError(f"{kind} got {', '.join(parameters) or 'nothing'}; expected {expected}.") from error
