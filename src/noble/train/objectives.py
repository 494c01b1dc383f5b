"""A training batch on its way to the objective of an operator's core."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from noble.operator import LossConfig, Operator
from noble.operator.core import Examples
from noble.train.batches import Batch

Objective = Callable[[Operator, Batch, torch.Generator], dict[str, Tensor]]
"""Operator, batch on the training window and a source of random numbers -> named losses, with their sum as `loss`."""


def objective_for(losses: LossConfig) -> Objective:
    """What an operator's core asks for itself: `AbstractCore.objective` on batches of its window."""

    def objective(operator: Operator, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        scaled = operator.spec.scale(batch.features)
        examples = Examples(scaled, batch.current_na, batch.voltage_mv, batch.spikes_ms, batch.window.dt_ms)
        return operator.core.objective(examples, losses, generator)

    return objective
