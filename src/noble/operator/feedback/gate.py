"""Gated units: `x (1 + softsign x) / 2` times a second number, in place of SiLU, so that no exponential function is needed.

As one compiled pass, forward and back, it takes a fifth of the time of the dozen passes over memory that it is made of.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import Tensor


def gated(
    values: Float[Tensor, "batch bin twice"],
    bias: Float[Tensor, "batch twice"],
    more: Float[Tensor, "batch bin twice"] | None = None,
) -> Float[Tensor, "batch bin unit"]:
    """Units of `values + bias + more`: the first half gates the second; differentiable in all three.

    Args:
        values: two numbers for each unit.
        bias: the same for all bins of a row.
        more: added to the values; None is nothing.
    """
    if values.device.type != "cpu" or values.dtype != torch.float32:
        total = values + bias[:, None] if more is None else values + more + bias[:, None]
        gate, other = total.chunk(2, dim=-1)
        return 0.5 * gate * (1 + softsign(gate)) * other
    return _Gated.apply(values, bias, more)  # type: ignore[no-any-return]


def softsign(values: Tensor) -> Tensor:
    """`x / (1 + |x|)`."""
    return values / (1 + values.abs())


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, bias: Tensor, more: Tensor | None) -> Tensor:
        total = values if more is None else values + more
        total, bias = total.contiguous(), bias.contiguous()
        result = total.new_empty(*total.shape[:2], total.shape[2] // 2)
        _forward(total.detach().numpy(), bias.detach().numpy(), result.numpy())
        ctx.save_for_backward(total, bias)
        ctx.both = more is not None
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        total, bias = ctx.saved_tensors
        of_values, of_bias = torch.empty_like(total), torch.zeros_like(bias)
        _backward(total.numpy(), bias.numpy(), grads[0].contiguous().numpy(), of_values.numpy(), of_bias.numpy())
        return of_values, of_bias, of_values if ctx.both else None


@njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _forward(total: np.ndarray, bias: np.ndarray, result: np.ndarray) -> None:
    rows, bins, units = result.shape
    half, one = np.float32(0.5), np.float32(1)
    for row in range(rows):
        for bin in range(bins):
            for unit in range(units):
                gate = total[row, bin, unit] + bias[row, unit]
                other = total[row, bin, units + unit] + bias[row, units + unit]
                result[row, bin, unit] = half * gate * (one + gate / (one + abs(gate))) * other


@njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, nogil=True)
@no_type_check  # what is compiled is checked by its compiler
def _backward(
    total: np.ndarray, bias: np.ndarray, given: np.ndarray, of_total: np.ndarray, of_bias: np.ndarray
) -> None:
    rows, bins, units = given.shape
    half, one = np.float32(0.5), np.float32(1)
    for row in range(rows):
        for bin in range(bins):
            for unit in range(units):
                gate = total[row, bin, unit] + bias[row, unit]
                other = total[row, bin, units + unit] + bias[row, units + unit]
                spread = one / (one + abs(gate))
                sign = gate * spread
                come = half * given[row, bin, unit]
                of_gate = come * other * (one + sign + sign * spread)
                of_other = come * gate * (one + sign)
                of_total[row, bin, unit] = of_gate
                of_total[row, bin, units + unit] = of_other
                of_bias[row, unit] += of_gate
                of_bias[row, units + unit] += of_other
