"""What is random in the stimuli of a data set, and the stimuli that its laws make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from noble.data.laws import law_named
from noble.data.stimulus_table import StimulusTable

if TYPE_CHECKING:
    from noble.data.config import GenerationConfig


@dataclass(frozen=True)
class Draws:
    """What is random in a data set's stimuli, one entry a sample.

    Attributes:
        amplitude_na: nA.
        rheobase_na: of the neuron, nA; NaN where the hall has not measured it.
        law: position among `names`.
        seed: below 2**32.
        names: of the laws.
    """

    amplitude_na: np.ndarray
    rheobase_na: np.ndarray
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
            given = {"rheobases_na": self.rheobase_na[rows], "seeds": self.seed[rows]}
            table = law_named(name).fill(table, rows, self.amplitude_na[rows], **given, config=config)
        return table
