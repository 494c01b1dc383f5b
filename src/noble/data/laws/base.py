"""What a law of stimuli is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from noble.data.stimulus_table import StimulusTable
from noble.stimuli import Stimulus

if TYPE_CHECKING:
    from noble.data.config import GenerationConfig


class StimulusLaw(ABC):
    """How the stimuli of one share are made, from an amplitude and a seed each."""

    @abstractmethod
    def draw(self, amplitude_na: float, *, rheobase_na: float, seed: int, config: GenerationConfig) -> Stimulus:
        """One stimulus that starts at the onset and ends within the window.

        Args:
            amplitude_na: drawn from the data set's distribution, nA.
            rheobase_na: of the neuron that it is for, nA; NaN if the hall has not measured it.
            seed: below 2**32, of whatever else is random in it.
            config: onset, length of the step, and the mix's parameters.
        """

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
        """The table with drawn stimuli in some rows; one after the other, unless a law knows better."""
        drawn = [
            self.draw(float(amplitude), rheobase_na=float(rheobase), seed=int(seed), config=config)
            for amplitude, rheobase, seed in zip(amplitudes_na, rheobases_na, seeds, strict=True)
        ]
        return table.replaced(rows, StimulusTable.of(drawn)) if drawn else table
