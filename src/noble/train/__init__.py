"""Training: configurations, losses, and the run from a store to a trained operator. Needs the extra `train`."""

from noble.operator.losses import LossConfig
from noble.train.config import OptimiserConfig, TrainConfig
from noble.train.curves import read_curves, training_seconds
from noble.train.finetune import FineTuneConfig, fine_tune, fine_tune_config, hyperpolarising_indices
from noble.train.run import fit, is_first_process
from noble.train.soft_features import SOFT_FEATURES

__all__ = [
    "SOFT_FEATURES",
    "FineTuneConfig",
    "LossConfig",
    "OptimiserConfig",
    "TrainConfig",
    "fine_tune",
    "fine_tune_config",
    "fit",
    "hyperpolarising_indices",
    "is_first_process",
    "read_curves",
    "training_seconds",
]
