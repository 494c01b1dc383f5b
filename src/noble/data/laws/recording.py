"""Currents that were recorded: pieces of the sweeps of a file."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from noble.data.laws.base import StimulusLaw
from noble.stimuli import Sampled, Stimulus

if TYPE_CHECKING:
    from noble.data.config import GenerationConfig


class _Current(NamedTuple):
    samples_na: np.ndarray
    dt_ms: float


class Recorded(StimulusLaw):
    """A piece of a recorded current, any sweep with the probability of its length, times a factor.

    A sweep that is longer than the time from onset to the end of the window gives a piece that begins anywhere in it; a shorter
    one is given whole. The current is what was commanded: without what spikes add to it, the amplifier's bias included.
    """

    def draw(self, amplitude_na: float, *, rheobase_na: float, seed: int, config: GenerationConfig) -> Stimulus:
        """See `StimulusLaw.draw`.

        Raises:
            FileNotFoundError, ValueError: if the recording is not there or cannot be read.
        """
        assert config.recording is not None  # the configuration saw to it
        recorded = config.recording
        currents = currents_of(recorded.path, recorded.protocols, recorded.electrode)
        generator = np.random.default_rng(seed)
        lengths = np.array([current.samples_na.size * current.dt_ms for current in currents])
        current = currents[int(generator.choice(len(currents), p=lengths / lengths.sum()))]
        count = int((config.window_ms - config.onset_ms) / current.dt_ms)
        first = int(generator.integers(max(1, current.samples_na.size - count + 1)))
        factor = generator.uniform(*recorded.factor)
        return Sampled(factor * current.samples_na[first : first + count], current.dt_ms, start_ms=config.onset_ms)


@lru_cache(maxsize=4)
def currents_of(path: str, protocols: tuple[str, ...], electrode: str | None) -> tuple[_Current, ...]:
    """The currents of the chosen sweeps; see `RecordedCurrents`.

    Raises:
        FileNotFoundError, ValueError: if the recording is not there, cannot be read, or has no such stimulus.
    """
    from noble.recordings import named_protocols, read_sweeps

    read = read_sweeps(path, electrode=electrode)
    names = {sweep.protocol for sweep in read.sweeps}
    chosen = named_protocols(names, protocols, source=read.source) if protocols else names
    sweeps = [sweep for sweep in read.sweeps if sweep.protocol in chosen and sweep.trace.grid.count > 1]
    if not sweeps:
        raise ValueError(f"{path} has no sweep in current clamp; noble recording says what is in it.")
    return tuple(_Current(sweep.commanded_na, sweep.trace.grid.dt_ms) for sweep in sweeps)
