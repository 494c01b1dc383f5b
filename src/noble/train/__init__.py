"""Training: configurations, losses, and the run from a store to a trained operator. Needs Lightning (extra `train`)."""

from noble.train.config import LossConfig, OptimiserConfig, TrainConfig
from noble.train.fit import fit, is_first_process, read_curves, training_seconds
from noble.train.losses import phase_losses, pseudo_huber, relative_h1, relative_lp

__all__ = [
    "LossConfig",
    "OptimiserConfig",
    "TrainConfig",
    "fit",
    "is_first_process",
    "phase_losses",
    "pseudo_huber",
    "read_curves",
    "relative_h1",
    "relative_lp",
    "training_seconds",
]
