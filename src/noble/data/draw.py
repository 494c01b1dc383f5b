"""How each kind of stimulus is drawn for a data set: laws by the names that `GenerationConfig.mix` gives shares to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.data.stimulus_table import StimulusTable
from noble.stimuli import Stimulus

if TYPE_CHECKING:
    from noble.data.config import GenerationConfig

Columns = Mapping[str, np.ndarray | float]


class StimulusLaw(ABC):
    """How the stimuli of one share are made, from an amplitude and a seed each."""

    @abstractmethod
    def draw(self, amplitude_na: float, *, seed: int, config: GenerationConfig) -> Stimulus:
        """One stimulus that starts at the onset and ends within the window.

        Args:
            amplitude_na: drawn from the data set's distribution, nA.
            seed: below 2**32, of whatever else is random in it.
            config: onset, length of the step, and the mix's parameters.
        """

    def fill(
        self,
        table: StimulusTable,
        rows: np.ndarray,
        amplitudes_na: np.ndarray,
        *,
        seeds: np.ndarray,
        config: GenerationConfig,
    ) -> StimulusTable:
        """The table with drawn stimuli in some rows; one after the other, unless a law knows better."""
        drawn = [
            self.draw(float(amplitude), seed=int(seed), config=config)
            for amplitude, seed in zip(amplitudes_na, seeds, strict=True)
        ]
        return table.replaced(rows, StimulusTable.of(drawn)) if drawn else table


class _ColumnLaw(StimulusLaw):
    """A law of one of the first kinds, which are written a parameter at a time."""

    kind: str

    @abstractmethod
    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        """The parameters besides the edges."""

    def draw(self, amplitude_na: float, *, seed: int, config: GenerationConfig) -> Stimulus:
        table = StimulusTable.filled(1)
        one = np.zeros(1, dtype=np.int64)
        return self.fill(table, one, np.array([amplitude_na]), seeds=np.array([seed]), config=config)[0]

    def fill(
        self,
        table: StimulusTable,
        rows: np.ndarray,
        amplitudes_na: np.ndarray,
        *,
        seeds: np.ndarray,
        config: GenerationConfig,
    ) -> StimulusTable:
        edges = {"start_ms": config.onset_ms, "stop_ms": config.onset_ms + config.step_ms}
        table.put(rows, self.kind, {**edges, **self.columns(amplitudes_na, seeds, config)})
        return table


class _Steps(_ColumnLaw):
    kind = "Step"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        return {"amplitude_na": amplitudes_na}


class _Ramps(_ColumnLaw):
    kind = "Ramp"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        return {
            "start_na": amplitudes_na * config.mix.ramp_first,
            "stop_na": amplitudes_na * config.mix.ramp_last,
        }


class _Chirps(_ColumnLaw):
    kind = "Chirp"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        return {
            "amplitude_na": np.abs(amplitudes_na) * config.mix.chirp_sine,
            "offset_na": amplitudes_na * config.mix.chirp_offset,
            "f0_hz": config.mix.chirp_first_hz,
            "f1_hz": config.mix.chirp_last_hz,
        }


class _Noises(_ColumnLaw):
    kind = "OrnsteinUhlenbeck"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        return {
            "mean_na": amplitudes_na * config.mix.noise_mean,
            "sd_na": np.abs(amplitudes_na) * config.mix.noise_sd,
            "tau_ms": config.mix.noise_tau_ms,
            "seed": seeds.astype(np.float64),
        }


# By the name of the share, in the order in which a kind is drawn; `register_law` adds to it.
LAWS: Final[dict[str, StimulusLaw]] = {
    "step": _Steps(),
    "ramp": _Ramps(),
    "chirp": _Chirps(),
    "ornstein_uhlenbeck": _Noises(),
}


def register_law(name: str, law: StimulusLaw) -> None:
    """Let `mix` of a configuration give a share to a law of one's own; the law must be the same when a run goes on.

    Raises:
        ValueError: if the name is taken.
    """
    from noble.data.config import StimulusMix  # which knows this module

    if name in LAWS or name in StimulusMix.model_fields:
        raise ValueError(f"a share {name} of stimuli is already known; give the law another name.")
    LAWS[name] = law


@dataclass(frozen=True)
class Draws:
    """What is random in a data set's stimuli, one entry a sample.

    Attributes:
        amplitude_na: nA.
        law: position among `names`.
        seed: below 2**32.
        names: of the laws.
    """

    amplitude_na: np.ndarray
    law: np.ndarray
    seed: np.ndarray
    names: tuple[str, ...]

    def stimuli(self, config: GenerationConfig) -> StimulusTable:
        """The stimuli.

        Raises:
            ValueError: for a share whose law is not known.
        """
        table = StimulusTable.filled(self.amplitude_na.size)
        for position, name in enumerate(self.names):
            rows = np.flatnonzero(self.law == position)
            table = law_named(name).fill(table, rows, self.amplitude_na[rows], seeds=self.seed[rows], config=config)
        return table


def law_named(name: str) -> StimulusLaw:
    """The law of a share.

    Raises:
        ValueError: if it is not known.
    """
    if name not in LAWS:
        raise ValueError(
            f"mix gives a share to {name}, which no law draws; expected {', '.join(LAWS)}, or a law that "
            "`noble.data.register_law` made known before."
        )
    return LAWS[name]
