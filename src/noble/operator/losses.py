"""What is minimised: the weights of a run, and the norms that cores share."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from noble.configs import Frozen


class LossConfig(Frozen):
    """What is minimised.

    Attributes:
        voltage: for operators trained on voltage: relative L2, relative L4 (the paper's) or relative H1.
        timing, intervals, silence, waveform: weights of the spike-phase losses: ms for the first three (see
            `noble.operator.spiking.losses.phase_losses`), mV for the voltage drawn from the true spikes.
        timing_scale_ms: errors of spike times beyond this count by their size, smaller ones by their square.
        firing: weight of the spike-feedback operator's cross-entropy of spikes in bins, nats a spike.
        waveform_points: instants a trace at which the voltage is compared in one step, half of them near spikes.
    """

    voltage: Literal["l2", "l4", "h1"] = "l4"
    timing: float = Field(default=1.0, ge=0)
    intervals: float = Field(default=1.0, ge=0)
    silence: float = Field(default=1.0, ge=0)
    waveform: float = Field(default=1.0, ge=0)
    firing: float = Field(default=1.0, ge=0)
    timing_scale_ms: float = Field(default=0.1, gt=0)
    waveform_points: int = Field(default=384, ge=2)


def relative_lp(
    predicted: Float[Tensor, "batch time"], reference: Float[Tensor, "batch time"], *, p: float = 4.0
) -> Float[Tensor, ""]:
    """Mean over the batch of `||predicted - reference||_p / ||reference||_p`; p = 4 is the paper's training loss."""
    error = torch.linalg.vector_norm(predicted - reference, ord=p, dim=1)
    return (error / torch.linalg.vector_norm(reference, ord=p, dim=1)).mean()


def relative_h1(
    predicted: Float[Tensor, "batch time"], reference: Float[Tensor, "batch time"], *, dt_ms: float
) -> Float[Tensor, ""]:
    """Relative H1 norm: the L2 norms of the function and of its time derivative (per ms), in one root."""

    def squared_norm(values: Tensor) -> Tensor:
        slope = torch.diff(values, dim=1) / dt_ms
        return (values**2).sum(dim=1) + (slope**2).sum(dim=1)

    return torch.sqrt(squared_norm(predicted - reference) / squared_norm(reference)).mean()


def pseudo_huber(error: Tensor, *, scale: float) -> Tensor:
    """`scale (sqrt(1 + (e / scale)^2) - 1)`: quadratic within `scale`, the absolute error beyond (Charbonnier 1994)."""
    return scale * (torch.sqrt(1 + (error / scale) ** 2) - 1)
