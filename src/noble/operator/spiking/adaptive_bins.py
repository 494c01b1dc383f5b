"""Adaptive time bins: whole where the current holds still, in parts where it changes.

Where a step begins within a bin, its mean current says nothing of the firing at its height, nor when firing starts. So where the
current changes, a bin is looked at in parts; elsewhere, which is nearly everywhere for a step, as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

_SAME_CURRENT_NA: Final = 1e-6


@dataclass(frozen=True)
class AdaptiveBins:
    """Consecutive pieces of time, as many in each trace.

    Attributes:
        current_na: mean current of each piece, nA.
        share: how much of its bin each piece is.
        bin: number of that bin.
        bins: how many bins there are.
    """

    current_na: Float[Tensor, "batch piece"]
    share: Float[Tensor, "batch piece"]
    bin: Int[Tensor, "batch piece"]
    bins: int

    def means(self, values: Float[Tensor, "batch piece *value"]) -> Float[Tensor, "batch bin *value"]:
        """Mean of the pieces' values in each bin, weighted by how long they are."""
        extra = [1] * (values.ndim - 2)
        weighted = values * self.share.reshape(*self.share.shape, *extra)
        index = self.bin.reshape(*self.bin.shape, *extra).expand_as(values)
        empty = values.new_zeros(values.shape[0], self.bins, *values.shape[2:])
        return empty.scatter_add(1, index, weighted)


def subdivide(current_na: Float[Tensor, "batch bin part"]) -> AdaptiveBins:
    """AdaptiveBins for the mean currents of each bin's parts.

    All traces get as many pieces as the one whose current changes most, so some of their steady bins are cut, too.
    """
    bins, parts = current_na.shape[1:]
    changes = current_na.amax(dim=2) - current_na.amin(dim=2) > _SAME_CURRENT_NA
    most = int(changes.sum(dim=1).max())  # of steps three or so bins in a hundred
    counts = torch.ones_like(changes, dtype=torch.long)
    counts.scatter_(1, changes.to(torch.uint8).topk(most, dim=1).indices, parts)
    ends = counts.cumsum(dim=1)
    numbers = torch.arange(bins + most * (parts - 1), device=current_na.device).expand(len(current_na), -1)
    bin = torch.searchsorted(ends, numbers.contiguous(), right=True)
    part = numbers - (ends - counts).gather(1, bin)
    whole = counts.gather(1, bin) == 1
    fine, coarse = current_na.flatten(1).gather(1, bin * parts + part), current_na.mean(dim=2).gather(1, bin)
    share = torch.where(whole, 1.0, 1.0 / parts).to(current_na.dtype)
    return AdaptiveBins(torch.where(whole, coarse, fine), share, bin, bins)


def bin_means(
    current_na: Float[Tensor, "batch time"],
    *,
    dt_ms: float,
    bin_ms: float,
    bins: int,
    first_bin: int = 0,
    first_sample: int = 0,
) -> Float[Tensor, "batch bins"]:
    """Mean current in consecutive bins of any length, each sample held until the next; the last one is held to the end.

    Exact for charge: the same current on a finer grid has the same means, up to where a jump falls between samples.

    Args:
        current_na: samples that cover the bins.
        dt_ms, bin_ms: lengths of a sample and of a bin.
        bins: how many bins.
        first_bin, first_sample: numbers of the first of each, from where both begin together.
    """
    count = current_na.shape[1]
    charge = nn.functional.pad(torch.cumsum(current_na.double(), dim=1), (1, 0))
    edges = torch.arange(first_bin, first_bin + bins + 1, device=current_na.device, dtype=torch.float64)
    edges = edges * (bin_ms / dt_ms) - first_sample
    whole = edges.floor().clamp(0, count - 1).long()
    at_edges = charge[:, whole] + (edges - whole) * current_na.double()[:, whole]
    return (torch.diff(at_edges, dim=1) * (dt_ms / bin_ms)).to(current_na.dtype)
