"""Laws that draw a stimulus's own parameters around the neuron's rheobase, so that a neuron of any size fires under each kind.

The amplitude that a data set draws for steps plays no part here. Every parameter comes from the sample's seed; currents are in
multiples of the neuron's rheobase `r` where they have to reach it, and in nA where they have to stay near zero. They last from
the onset to the end of the window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.data.laws.base import StimulusLaw
from noble.stimuli import Chirp, OrnsteinUhlenbeck, PulseTrain, Ramp, Step, Stimulus, Sum

if TYPE_CHECKING:
    from noble.data.config import GenerationConfig

_LOWEST_NA: Final = -0.05
_HIGHEST_PULSE_NA: Final = 1.5
# How fast a membrane charges, roughly: a pulse of a tenth of it must be ten times as high to fire a neuron.
_CHARGING_MS: Final = 10.0


@dataclass(frozen=True)
class AroundRheobase(StimulusLaw):
    """A law that needs to know the neuron's rheobase.

    Attributes:
        drawn: makes a stimulus from a generator, the rheobase in nA, and the instants between which it lies, ms.
    """

    drawn: Callable[[np.random.Generator, float, float, float], Stimulus]

    def draw(self, amplitude_na: float, *, rheobase_na: float, seed: int, config: GenerationConfig) -> Stimulus:
        """See `StimulusLaw.draw`.

        Raises:
            ValueError: if the rheobase is not known.
        """
        if not np.isfinite(rheobase_na):
            raise ValueError(
                "a neuron of the hall has no rheobase, which noise, ramps, chirps, pulses and steps on steps are drawn around; "
                "use a hall that has measured it, or a mix of step, ramp, chirp and ornstein_uhlenbeck."
            )
        return self.drawn(np.random.default_rng(seed), rheobase_na, config.onset_ms, config.window_ms)


def noise(generator: np.random.Generator, rheobase_na: float, begin_ms: float, end_ms: float) -> Stimulus:
    """Ornstein-Uhlenbeck noise: mean from -50 pA to 1.3 r, SD 10 to 150 pA, tau 1 to 50 ms, log-uniform.

    The density of the mean grows linearly towards 1.3 r, since a mean far below rheobase seldom makes a neuron fire.
    """
    mean = _LOWEST_NA + (1.3 * rheobase_na - _LOWEST_NA) * max(generator.random(2))
    sd, tau = generator.uniform(0.01, 0.15), _log_uniform(generator, 1.0, 50.0)
    return OrnsteinUhlenbeck(begin_ms, end_ms, float(mean), sd, tau, int(generator.integers(2**32)))


def ramp(generator: np.random.Generator, rheobase_na: float, begin_ms: float, end_ms: float) -> Stimulus:
    """A ramp between -50 pA to 0.6 r and 1.1 to 2.3 r, as often down as up."""
    ends = [generator.uniform(_LOWEST_NA, 0.6 * rheobase_na), generator.uniform(1.1, 2.3) * rheobase_na]
    if generator.random() < 0.5:
        ends.reverse()
    return Ramp(begin_ms, end_ms, *ends)


def chirp(generator: np.random.Generator, rheobase_na: float, begin_ms: float, end_ms: float) -> Stimulus:
    """A chirp between two log-uniform frequencies of 0.5 to 100 Hz, around 0 to 1.2 r, that reaches 1.1 to 2.3 r."""
    offset, peak = generator.uniform(0.0, 1.2), generator.uniform(1.1, 2.3)
    f0, f1 = _log_uniform(generator, 0.5, 100.0), _log_uniform(generator, 0.5, 100.0)
    amplitude = max(peak - offset, 0.2) * rheobase_na
    return Chirp(begin_ms, end_ms, amplitude, offset * rheobase_na, f0, f1)


def pulses(generator: np.random.Generator, rheobase_na: float, begin_ms: float, end_ms: float) -> Stimulus:
    """A train of pulses of 0.5 to 50 ms, 3 to 100 a second, of 0.8 to 3 times the height that a leaky membrane needs to fire."""
    width = _log_uniform(generator, 0.5, 50.0)
    interval = max(_log_uniform(generator, 10.0, 330.0), 1.3 * width)
    needed = rheobase_na / -np.expm1(-width / _CHARGING_MS)
    amplitude = min(needed * generator.uniform(0.8, 3.0), _HIGHEST_PULSE_NA)
    return PulseTrain(begin_ms, end_ms, amplitude, width, interval)


def steps(generator: np.random.Generator, rheobase_na: float, begin_ms: float, end_ms: float) -> Stimulus:
    """Two to six steps, one right after the other, each from -100 pA to 2.3 r."""
    count = int(generator.integers(2, 7))
    inner = np.sort(generator.uniform(begin_ms, end_ms, count - 1))
    edges = [begin_ms, *inner.tolist(), end_ms]
    heights = generator.uniform(-0.1, 2.3 * rheobase_na, count).tolist()
    pieces = zip(edges[:-1], edges[1:], heights, strict=True)
    return Sum(tuple(Step(start, stop, height) for start, stop, height in pieces if stop - start > 1e-3))


def held(generator: np.random.Generator, rheobase_na: float, begin_ms: float, end_ms: float) -> Stimulus:
    """A step or another kind on a holding current of -100 pA to 0.6 r, which begins with the window."""
    holding = Step(0.0, end_ms, generator.uniform(-0.1, 0.6 * rheobase_na))
    chosen = generator.integers(4)
    if chosen == 0:
        return holding + Step(begin_ms, end_ms, generator.uniform(0.3, 2.0) * rheobase_na)
    other = (noise, ramp, pulses)[chosen - 1]
    return holding + other(generator, rheobase_na, begin_ms, end_ms)


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))
