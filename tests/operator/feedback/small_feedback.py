"""A small spike-feedback operator that fires, and what it is asked, for the tests of this folder."""

import numpy as np
import torch
from torch import Tensor

from noble.operator import FeatureSpec, Operator
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.operator.feedback.core import SpikeFeedbackCore
from noble.stimuli import OrnsteinUhlenbeck, Stimulus
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(
    np.array([[0.1, 300.0, 90.0], [0.3, 300.0, 100.0], [0.1, 900.0, 110.0]]),
    ("rheobase", "fi_gain", "input_resistance"),
    ("nA", "Hz/nA", "MOhm"),
)
GRID = TimeGrid.spanning(150.0, dt_ms=0.06)
CONFIG = SpikeFeedbackConfig(
    width=8, hidden=8, blocks=2, filters=6, cell=8, averages=5, address=8, shapes=3, shape_width=8
)
NEURONS = {"rheobase": np.array([0.12, 0.15]), "fi_gain": np.array([600.0, 500.0]), "input_resistance": 100.0}
NOISE = OrnsteinUhlenbeck(start_ms=0.0, stop_ms=150.0, mean_na=0.25, sd_na=0.05, tau_ms=3.0, seed=3)


def operator_of(config: SpikeFeedbackConfig = CONFIG) -> Operator:
    """Untrained, but firing often, and moved by the current and by its own spikes."""
    operator = Operator.build(config, SPEC, GRID, seed=3).eval()
    core = core_of(operator)
    with torch.no_grad():
        core.cell.decision.weight *= 30
        core.cell.decision.weight[1] *= 0.2  # so that spikes fall within their bins, not at an edge
        core.cell.decision.bias[0] = -1.5
        core.slow.weight *= 5
    return operator


def core_of(operator: Operator) -> SpikeFeedbackCore:
    assert isinstance(operator.core, SpikeFeedbackCore)
    return operator.core


def scaled_of(count: int = 2) -> Tensor:
    table = np.column_stack([np.broadcast_to(NEURONS[name], 2) for name in SPEC.names])
    return SPEC.scale(torch.as_tensor(table, dtype=torch.float32))[:count]


def current_of(stimulus: Stimulus = NOISE, grid: TimeGrid = GRID) -> Tensor:
    return torch.as_tensor(stimulus.sample(grid), dtype=torch.float32)[None]
