"""A current as it comes, in bins: what is complete, and what waits for the next piece."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


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
        return _nanoseconds(samples * self.dt_ms) // _nanoseconds(self.bin_ms)

    def filling(self, bins: int) -> int:
        """Samples that so many bins need."""
        return -(-_nanoseconds(bins * self.bin_ms) // _nanoseconds(self.dt_ms))

    def first_sample(self, bin: int) -> int:
        """The sample that holds at the beginning of a bin."""
        return _nanoseconds(bin * self.bin_ms) // _nanoseconds(self.dt_ms)

    def part_means(
        self, current_na: Float[Tensor, "neuron time"], first: int, bins: range
    ) -> Float[Tensor, "neuron bin part"]:
        """Mean current in the parts of some bins, exact for charge.

        Args:
            current_na: samples that cover the bins.
            first: number of the first of them.
            bins: which.
        """
        charge = torch.nn.functional.pad(torch.cumsum(current_na.double(), dim=1), (1, 0))
        edges = torch.arange(bins.start * self.parts, bins.stop * self.parts + 1, device=current_na.device)
        positions = edges.double() * (self.bin_ms / (self.parts * self.dt_ms)) - first
        whole = positions.floor().clamp(0, current_na.shape[1] - 1).long()
        at_edges = charge[:, whole] + (positions - whole) * current_na.double()[:, whole]
        means = torch.diff(at_edges, dim=1) * (self.parts * self.dt_ms / self.bin_ms)
        return means.to(current_na.dtype).unflatten(1, (-1, self.parts))


def _nanoseconds(duration_ms: float) -> int:
    """A time as a whole number compares without rounding errors."""
    return round(duration_ms * 1e6)
