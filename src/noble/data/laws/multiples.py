"""The first laws: steps, and other kinds whose parameters are multiples of the drawn amplitude."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from noble.data.laws.base import StimulusLaw
from noble.data.stimulus_table import StimulusTable
from noble.stimuli import Stimulus

if TYPE_CHECKING:
    from noble.data.config import GenerationConfig

Columns = Mapping[str, np.ndarray | float]


class _ColumnLaw(StimulusLaw):
    """A law of one of the first kinds, which are written a parameter at a time."""

    kind: str

    @abstractmethod
    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        """The parameters besides the edges."""

    def draw(self, amplitude_na: float, *, rheobase_na: float, seed: int, config: GenerationConfig) -> Stimulus:
        table = StimulusTable.filled(1)
        one = np.zeros(1, dtype=np.int64)
        given = {"rheobases_na": np.array([rheobase_na]), "seeds": np.array([seed])}
        return self.fill(table, one, np.array([amplitude_na]), **given, config=config)[0]

    def fill(
        self,
        table: StimulusTable,
        rows: np.ndarray,
        amplitudes_na: np.ndarray,
        *,
        rheobases_na: np.ndarray,
        seeds: np.ndarray,
        config: GenerationConfig,
    ) -> StimulusTable:
        edges = {"start_ms": config.onset_ms, "stop_ms": config.onset_ms + config.step_ms}
        table.put(rows, self.kind, {**edges, **self.columns(amplitudes_na, seeds, config)})
        return table


class StepLaw(_ColumnLaw):
    """Steps of the amplitude."""

    kind = "Step"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        """See `_ColumnLaw.columns`."""
        return {"amplitude_na": amplitudes_na}


class RampMultiples(_ColumnLaw):
    """Ramps whose ends are multiples of the amplitude."""

    kind = "Ramp"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        """See `_ColumnLaw.columns`."""
        return {
            "start_na": amplitudes_na * config.mix.ramp_first,
            "stop_na": amplitudes_na * config.mix.ramp_last,
        }


class ChirpMultiples(_ColumnLaw):
    """Chirps whose offset and sine are multiples of the amplitude."""

    kind = "Chirp"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        """See `_ColumnLaw.columns`."""
        return {
            "amplitude_na": np.abs(amplitudes_na) * config.mix.chirp_sine,
            "offset_na": amplitudes_na * config.mix.chirp_offset,
            "f0_hz": config.mix.chirp_first_hz,
            "f1_hz": config.mix.chirp_last_hz,
        }


class NoiseMultiples(_ColumnLaw):
    """Noise whose mean and standard deviation are multiples of the amplitude."""

    kind = "OrnsteinUhlenbeck"

    def columns(self, amplitudes_na: np.ndarray, seeds: np.ndarray, config: GenerationConfig) -> Columns:
        """See `_ColumnLaw.columns`."""
        return {
            "mean_na": amplitudes_na * config.mix.noise_mean,
            "sd_na": np.abs(amplitudes_na) * config.mix.noise_sd,
            "tau_ms": config.mix.noise_tau_ms,
            "seed": seeds.astype(np.float64),
        }
