"""The compiled recurrence against the formula, and its gradient against finite differences."""

import pytest
import torch
from torch import Tensor

from noble.operator.feedback.recurrence import _by_doubling, linear_recurrence


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_formula(decay: Tensor, gain: Tensor, before: Tensor) -> Tensor:
    state, states = before, []
    for bin in range(gain.shape[1]):
        state = (decay if decay.ndim == 1 else decay[:, bin]) * state + gain[:, bin]
        states.append(state)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize("shape", [(3,), (2, 7, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_formula(shape, dtype):
    decay, gain, before = numbers(*shape).to(dtype), numbers(2, 7, 3, seed=1).to(dtype), numbers(2, 3, seed=2).to(dtype)
    torch.testing.assert_close(linear_recurrence(decay, gain, before), by_formula(decay, gain, before))


def test_where_nothing_is_compiled_doubling_gives_the_same():
    decay, gain = numbers(2, 13, 3), numbers(2, 13, 3, seed=1)
    torch.testing.assert_close(_by_doubling(decay, gain), linear_recurrence(decay, gain, gain.new_zeros(2, 3)))


@pytest.mark.parametrize("shape", [(3,), (2, 7, 3)])
def test_its_gradient_is_right(shape):
    given = numbers(*shape), numbers(2, 7, 3, seed=1), numbers(2, 3, seed=2)
    assert torch.autograd.gradcheck(linear_recurrence, tuple(item.requires_grad_() for item in given))
