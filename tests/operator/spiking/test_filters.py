"""The causal network over tokens, against the recurrence it stands for."""

import numpy as np
import pytest
import torch

from noble.operator.spiking.filters import ExponentialAverages, FilterNetwork


def averages(channels: int) -> ExponentialAverages:
    return ExponentialAverages(channels, shortest=0.5, longest=300.0).double()


def recurrence(values: np.ndarray, decay: np.ndarray) -> np.ndarray:
    state, rows = values[0], []
    for row in values:
        state = decay * state + (1 - decay) * row
        rows.append(state)
    return np.stack(rows)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("tokens", [1, 2, 64, 65, 199, 299, 301, 700])  # predictions sum at once up to 300
def test_averages_are_the_recurrences(tokens, training):
    module = averages(5).train(training)
    values = np.random.default_rng(0).normal(size=(2, tokens, 5))
    decay = np.exp(-np.exp(-module.log_time.detach().numpy()))
    expected = [recurrence(row, decay) for row in values]
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.as_tensor(values)).detach().numpy(), expected, atol=1e-12)
        single = module.float()(torch.as_tensor(values, dtype=torch.float32))
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.detach().numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("training", [True, False])
def test_averages_are_differentiable_in_values_and_time_constants(training):
    module = averages(3).train(training)
    values = torch.randn(2, 67, 3, dtype=torch.float64, requires_grad=True)

    def run(values: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, {"log_time": times}, (values,))

    assert torch.autograd.gradcheck(run, (values, module.log_time.detach().clone().requires_grad_()))


def test_both_modes_have_the_same_gradients_also_of_windows_whose_weights_nearly_vanish():
    """In evaluation after 290 tokens, the first one counts exp(-580) of the last."""
    values = torch.randn(2, 290, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gradients = []
    for training in (True, False):
        module, inputs = averages(3).train(training), values.clone().requires_grad_()
        module(inputs).square().sum().backward()
        gradients.append((inputs.grad, module.log_time.grad))
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def network() -> FilterNetwork:
    torch.manual_seed(0)
    return FilterNetwork(
        signals=4, address=3, outputs=2, width=8, filters=6, hidden=8, blocks=2, token_ms=2.88
    ).double()


def test_nothing_moves_while_the_signals_do_not():
    signals = torch.randn(2, 1, 4, dtype=torch.float64).expand(2, 150, 4)
    outputs = network()(signals, torch.randn(2, 3, dtype=torch.float64))
    torch.testing.assert_close(outputs, outputs[:, :1].expand_as(outputs), rtol=0, atol=1e-12)


def test_outputs_depend_on_the_past_alone():
    model, address = network(), torch.randn(1, 3, dtype=torch.float64)
    signals = torch.randn(1, 100, 4, dtype=torch.float64)
    changed = signals.clone()
    changed[:, 60] += 1.0
    before, after = model(signals, address), model(changed, address)
    torch.testing.assert_close(before[:, :60], after[:, :60], rtol=0, atol=1e-12)
    assert torch.all((before - after)[:, 60:].abs().sum(dim=2) > 0)


def test_the_address_matters_to_every_token():
    model, signals = network(), torch.randn(1, 20, 4, dtype=torch.float64)
    one, other = (model(signals, torch.full((1, 3), value, dtype=torch.float64)) for value in (0.0, 1.0))
    assert torch.all((one - other).abs().sum(dim=2) > 0)
