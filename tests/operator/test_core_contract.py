"""What holds for every core and every configuration of one."""

import numpy as np
import pytest
import torch

from noble.operator import PRESETS, AbstractCore, FeatureSpec, LossConfig
from noble.operator.core import Examples
from noble.operator.trials import MOST_LIKELY
from noble.traces import TimeGrid
from noble.train import OptimiserConfig

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))
GRID = TimeGrid.spanning(60.0, dt_ms=0.5)
SCALED = torch.tensor([[1.0, 2.0], [2.5, 1.5]])
CURRENT = 0.2 * torch.ones(2, GRID.count)


@pytest.fixture(params=sorted(PRESETS))
def config(request):
    return PRESETS[request.param]


def test_a_configuration_builds_its_core_and_says_how_to_train_it(config):
    core = config.build(SPEC, GRID)
    assert isinstance(core, AbstractCore)
    assert OptimiserConfig.model_validate(config.training.optimiser) != OptimiserConfig()
    assert "training" not in config.model_dump()


def test_the_window_of_training_is_answered_in_one_piece(config):
    core = config.build(SPEC, GRID).eval()
    core.check_window(GRID.count, GRID.dt_ms)
    with torch.no_grad():
        voltage = core(SCALED, CURRENT, GRID.dt_ms)
        times = core.spike_times_ms(SCALED, CURRENT, GRID.dt_ms)
        _, response = core.advance(core.rest(SCALED), CURRENT, GRID.dt_ms)
    assert voltage.shape == CURRENT.shape
    assert times.shape[0] == 2
    settled = response.voltage_mv.shape[1]
    assert response.start_ms == 0
    assert settled == GRID.count or settled * GRID.dt_ms > GRID.duration_ms - core.latency_ms
    torch.testing.assert_close(response.voltage_mv, voltage[:, :settled], rtol=0, atol=1e-3)


def test_a_finite_latency_means_any_window(config):
    core = config.build(SPEC, GRID)
    if np.isfinite(core.latency_ms):
        core.check_window(3, 0.1)
    else:
        with pytest.raises(ValueError, match="trained on 60 ms"):
            core.check_window(3, 0.1)


def test_a_core_draws_trials_or_says_that_it_does_not(config):
    core = config.build(SPEC, GRID).eval()
    keys = torch.tensor([3, MOST_LIKELY])
    for ask in (
        lambda keys: core.rest(SCALED, keys=keys),
        lambda keys: core(SCALED, CURRENT, GRID.dt_ms, keys=keys),
        lambda keys: core.spike_times_ms(SCALED, CURRENT, GRID.dt_ms, keys=keys),
    ):
        if core.draws_trials:
            ask(keys)
        else:
            with pytest.raises(ValueError, match="does not know how likely a spike is, so it draws no trials"):
                ask(keys)
    if core.draws_trials:
        for wrong in (keys[:1], keys.float(), keys - 1):
            with pytest.raises(ValueError, match=r"for 2 neurons; expected \(2,\) whole numbers \(int64\) from -1"):
                core.check_keys(wrong, 2)


def test_the_objective_has_a_gradient(config):
    core = config.build(SPEC, GRID)
    spikes = torch.tensor([[20.0, 40.0], [30.0, torch.inf]])
    examples = Examples(SCALED, CURRENT, -70 + torch.rand(2, GRID.count), spikes, GRID.dt_ms)
    losses = core.objective(examples, LossConfig(waveform_points=16), torch.Generator().manual_seed(0))
    losses["loss"].backward()
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in core.parameters())


def test_a_core_that_lacks_a_part_cannot_be_made():
    class Half(AbstractCore[None]):
        def forward(self, scaled_features, current_na, dt_ms):
            return current_na

    with pytest.raises(TypeError, match=r"abstract methods .*advance.*latency_ms.*objective.*rest.*spike_times_ms"):
        Half()  # type: ignore[abstract]
