"""Linear recurrences along time, the only thing that crosses time bins in training: `y_t = a_t y_(t-1) + x_t`.

A compiled loop takes a millisecond where the parallel rounds of doubling take fifty, and its gradient is a loop of the same kind.
Where there is no compiled loop, on another device than the CPU, doubling it is.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import Tensor


def linear_recurrence(
    decay: Float[Tensor, ...], gain: Float[Tensor, "batch bin channel"], before: Float[Tensor, "batch channel"]
) -> Float[Tensor, "batch bin channel"]:
    """`y_t = decay_t y_(t-1) + gain_t`, with `y_(-1) = before`; differentiable in all three.

    Args:
        decay: shape (channel,), or that of the gain.
        gain: what each bin adds.
        before: where it starts.
    """
    # The start is a gain of the first bin, so that the loops need not know of it.
    first = gain[:, :1] + (decay if decay.ndim == 1 else decay[:, :1]) * before[:, None]
    gain = torch.cat([first, gain[:, 1:]], dim=1)
    if gain.device.type != "cpu":
        return _by_doubling(decay.expand_as(gain), gain)
    if not torch.is_grad_enabled() or not (decay.requires_grad or gain.requires_grad):
        return _summed(decay.detach().to(gain.dtype), gain.detach())
    return _Recurrence.apply(decay.to(gain.dtype), gain)  # type: ignore[no-any-return]


def _summed(decay: Tensor, gain: Tensor) -> Tensor:
    gain = gain.contiguous()
    result = torch.empty_like(gain)
    loop = _forward_constant if decay.ndim == 1 else _forward
    loop(decay.contiguous().numpy(), gain.numpy(), result.numpy())
    return result


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, decay: Tensor, gain: Tensor) -> Tensor:
        result = _summed(decay.detach(), gain.detach())
        ctx.save_for_backward(decay, result)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        decay, result = ctx.saved_tensors
        given = grads[0].contiguous()
        of_gain = torch.empty_like(given)
        loop = _backward_constant if decay.ndim == 1 else _backward
        loop(decay.contiguous().numpy(), given.numpy(), of_gain.numpy())
        of_decay = of_gain[:, 1:] * result[:, :-1]
        if decay.ndim == 1:
            return of_decay.sum((0, 1)), of_gain
        return torch.nn.functional.pad(of_decay, (0, 0, 1, 0)), of_gain


def _by_doubling(decay: Tensor, gain: Tensor) -> Tensor:
    span = 1
    while span < gain.shape[1]:
        reached = torch.addcmul(gain[:, span:], decay[:, span:], gain[:, :-span])
        gain = torch.cat([gain[:, :span], reached], dim=1)
        decay = torch.cat([decay[:, :span], decay[:, span:] * decay[:, :-span]], dim=1)
        span *= 2
    return gain


@njit(fastmath=True, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _forward(decay: np.ndarray, gain: np.ndarray, result: np.ndarray) -> None:
    rows, bins, channels = gain.shape
    for row in range(rows):
        result[row, 0] = gain[row, 0]
        for bin in range(1, bins):
            for channel in range(channels):
                carried = decay[row, bin, channel] * result[row, bin - 1, channel]
                result[row, bin, channel] = carried + gain[row, bin, channel]


@njit(fastmath=True, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _forward_constant(decay: np.ndarray, gain: np.ndarray, result: np.ndarray) -> None:
    rows, bins, channels = gain.shape
    for row in range(rows):
        result[row, 0] = gain[row, 0]
        for bin in range(1, bins):
            for channel in range(channels):
                result[row, bin, channel] = decay[channel] * result[row, bin - 1, channel] + gain[row, bin, channel]


@njit(fastmath=True, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _backward(decay: np.ndarray, given: np.ndarray, result: np.ndarray) -> None:
    rows, bins, channels = given.shape
    for row in range(rows):
        result[row, bins - 1] = given[row, bins - 1]
        for bin in range(bins - 2, -1, -1):
            for channel in range(channels):
                carried = decay[row, bin + 1, channel] * result[row, bin + 1, channel]
                result[row, bin, channel] = carried + given[row, bin, channel]


@njit(fastmath=True, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _backward_constant(decay: np.ndarray, given: np.ndarray, result: np.ndarray) -> None:
    rows, bins, channels = given.shape
    for row in range(rows):
        result[row, bins - 1] = given[row, bins - 1]
        for bin in range(bins - 2, -1, -1):
            for channel in range(channels):
                result[row, bin, channel] = decay[channel] * result[row, bin + 1, channel] + given[row, bin, channel]
