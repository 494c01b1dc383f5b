"""A current as it comes, in bins: what is complete, and what waits for the next piece."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from noble.operator.spiking.adaptive_bins import bin_means
from noble.units import nanoseconds


@dataclass(frozen=True)
class Binning:
    """How samples fall into bins, counted from the start of a stream.

    Attributes:
        bin_ms: length of a bin, ms.
        parts: of a bin, whose mean currents are told apart.
        dt_ms: sampling interval, ms.
    """

    bin_ms: float
    parts: int
    dt_ms: float

    def complete(self, samples: int) -> int:
        """Bins that so many samples fill; each sample lasts until the next."""
        return nanoseconds(samples * self.dt_ms) // nanoseconds(self.bin_ms)

    def filling(self, bins: int) -> int:
        """Samples that so many bins need."""
        return -(-nanoseconds(bins * self.bin_ms) // nanoseconds(self.dt_ms))

    def first_sample(self, bin: int) -> int:
        """The sample that holds at the beginning of a bin."""
        return nanoseconds(bin * self.bin_ms) // nanoseconds(self.dt_ms)

    def part_means(
        self, current_na: Float[Tensor, "neuron time"], first: int, bins: range
    ) -> Float[Tensor, "neuron bin part"]:
        """Mean current in the parts of some bins, exact for charge.

        Args:
            current_na: samples that cover the bins.
            first: number of the first of them.
            bins: which.
        """
        means = bin_means(
            current_na,
            dt_ms=self.dt_ms,
            bin_ms=self.bin_ms / self.parts,
            bins=len(bins) * self.parts,
            first_bin=bins.start * self.parts,
            first_sample=first,
        )
        return means.unflatten(1, (-1, self.parts))
