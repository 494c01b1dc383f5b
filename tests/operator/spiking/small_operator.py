"""A small spike-phase operator that fires, and what it is asked, for the tests of this folder."""

import numpy as np
import torch
from torch import Tensor

from noble.features.neurons import Neurons
from noble.operator import FeatureSpec, Operator
from noble.operator.spiking.config import SpikePhaseConfig
from noble.operator.spiking.core import SpikePhaseCore
from noble.stimuli import Step
from noble.traces import TimeGrid

SPEC = FeatureSpec.fit(np.array([[0.1, 100.0], [0.3, 100.0], [0.1, 300.0]]), ("i_thr", "s_thr"), ("nA", "Hz/nA"))
GRID = TimeGrid.spanning(100.0, dt_ms=0.06)
CONFIG = SpikePhaseConfig(
    width=8, hidden=8, slow_width=8, filters=6, address=8, shapes=3, shape_width=8, feature_frequencies=1
)
NEURON = np.array([[0.15, 150.0]])
NAMED = Neurons(SPEC.names, NEURON)  # the same by name
STEP = Step(start_ms=15.0, stop_ms=60.0, amplitude_na=0.2)
SILENT, FIRING = 1e-4, 0.12  # spikes a ms


def operator_of(*, rate: float = FIRING, config: SpikePhaseConfig = CONFIG, spec: FeatureSpec = SPEC) -> Operator:
    """Untrained, but with so many spikes a ms within the step, and moved noticeably by the current; double precision."""
    operator = Operator.build(config, spec, GRID, seed=3).double().eval()
    core = core_of(operator)
    middle = torch.full((1, len(spec)), 2.0, dtype=torch.float64)
    with torch.no_grad():
        weight = core.timing.leave.weight
        weight += (
            0.1
            / core.drive.uncertainty
            * torch.randn(weight.shape, generator=torch.Generator().manual_seed(3)).double()
        )
        for _ in range(3):  # more than once, since rates have bounds
            rates = core.encode(middle, current_of(STEP), GRID.dt_ms).rate_per_ms[0]
            during = rates[int(20 / config.bin_ms) : int(55 / config.bin_ms)]
            core.timing.leave.bias += torch.log(rate / during.mean()) / core.drive.uncertainty
    return operator


def core_of(operator: Operator) -> SpikePhaseCore:
    assert isinstance(operator.core, SpikePhaseCore)
    return operator.core


def current_of(stimulus, grid: TimeGrid = GRID) -> Tensor:
    return torch.as_tensor(stimulus.sample(grid))[None]
