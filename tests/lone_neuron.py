"""An operator of one neuron: no feature, a recording in place of a hall; untrained, silent at rest, firing under a step."""

from __future__ import annotations

from pathlib import Path

import torch

from noble.operator import FeatureSpec, Operator, Scope
from noble.operator.feedback.config import SpikeFeedbackConfig
from noble.operator.feedback.core import SpikeFeedbackCore
from noble.traces import TimeGrid

SPEC = FeatureSpec(names=(), units=(), minimum=(), maximum=())
GRID = TimeGrid.spanning(150.0, dt_ms=0.1)
CONFIG = SpikeFeedbackConfig(
    width=8, hidden=8, blocks=1, filters=6, cell=8, averages=5, address=4, shapes=3, shape_width=8
)
SCOPE = Scope(kinds=("Sampled",), lowest_na=-0.2, highest_na=0.4, duration_ms=1000.0, step_ms=None, dt_ms=0.1)
RECORDING = {"source": "cell.nwb", "sha256": "0" * 64, "holding_na": 0.0}


def lone_neuron(*, spec: FeatureSpec = SPEC, scope: Scope | None = SCOPE, recorded: bool = True) -> Operator:
    """The operator; not `recorded`, one that took all models of an unknown hall for one."""
    provenance = {"recording": dict(RECORDING)} if recorded else {}
    operator = Operator.build(CONFIG, spec, GRID, seed=11, scope=scope, provenance=provenance).eval()
    core = core_of(operator)
    with torch.no_grad():
        core.cell.decision.weight *= 100
        core.cell.decision.weight[1] *= 0.02  # so that spikes fall within their bins, not at an edge
        core.cell.decision.weight[3] = 0.0
        core.cell.decision.bias.copy_(torch.tensor([-3.0, 0.0, -1.0, -6.0]))
        core.weigh.weight *= -0.6
    return operator


def core_of(operator: Operator) -> SpikeFeedbackCore:
    assert isinstance(operator.core, SpikeFeedbackCore)
    return operator.core


def lone_bundle(folder: Path, **options: bool) -> Path:
    """A bundle of it, with a card."""
    from noble.evaluation.card import model_card

    operator = lone_neuron(**options)
    operator.save(folder, card=model_card(operator, {}))
    return folder
