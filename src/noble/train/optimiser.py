"""The configured optimiser of an operator's weights, and the schedule of its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from noble.train.config import OptimiserConfig, TrainConfig

Schedule = torch.optim.lr_scheduler.LambdaLR | torch.optim.lr_scheduler.ReduceLROnPlateau
"""A cosine is stepped after each step of the optimiser, a plateau with the loss of each validation."""


def optimiser_for(module: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """The configured optimiser of a module's weights."""
    # A layer of the features of neurons that have none is empty, which SOAP does not know.
    weights = [weight for weight in module.parameters() if weight.numel()]
    rate, decay = config.learning_rate, config.weight_decay
    if config.name == "adam":
        return torch.optim.Adam(weights, lr=rate)
    if config.name == "adamw":
        return torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=decay)
    from pytorch_optimizer import SOAP  # takes seconds to import

    return SOAP(weights, lr=rate, betas=(0.95, 0.95), weight_decay=decay, precondition_frequency=10)


def schedule_for(optimiser: torch.optim.Optimizer, config: TrainConfig, *, steps: int) -> Schedule:
    """The configured schedule, which sets the rate of the first step.

    Args:
        optimiser: its rates are the largest.
        config: configuration of the run.
        steps: of the optimiser in the whole run.
    """
    settings = config.optimiser
    if settings.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=settings.plateau_factor, patience=settings.plateau_patience
        )
    warmup = min(steps // 4, int(settings.warmup_epochs * steps / config.epochs)) or 1

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
