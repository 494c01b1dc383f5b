"""The Lightning module: one step, one validation, the optimiser."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from noble.operator import Operator
from noble.spikes import spike_times_ms
from noble.traces import TimeGrid
from noble.train.config import OptimiserConfig, TrainConfig
from noble.train.datamodule import Batch, shifted_window
from noble.train.objectives import objective_for


class OperatorModule(LightningModule):
    """Trains a `Operator`.

    Validation predicts whole traces and scores them by what a user sees; `val/score` selects the checkpoint: percent of traces
    missed and falsely fired, plus percent of spike-count error, plus median spike-time error in tenths of a ms, plus percent of
    relative L2. Voltage alone would select silence.

    Args:
        operator: the operator, changed in place.
        config: of the run.
        window: of training.
    """

    def __init__(self, operator: Operator, config: TrainConfig, *, window: TimeGrid) -> None:
        super().__init__()
        self.operator = operator
        self.config = config
        self._window = window
        self._objective = objective_for(config.loss, window=window)
        self._scores: list[np.ndarray] = []

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """One step on a batch whose onsets are shifted at random."""
        # Drawn from (seed, step, rank) and not from a running state, so that a resumed run draws the same.
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence([self.config.seed, self.global_step, self.global_rank]).generate_state(1)[0])
        )
        stored = batch.current_na.shape[1] - self._window.count
        largest = min(math.floor(self.config.max_shift_ms / self._window.dt_ms + 1e-9), stored)
        shift = torch.randint(-largest, largest + 1, batch.index.shape, generator=generator).to(batch.index.device)
        losses = self._objective(self.operator, shifted_window(batch, shift, window=self._window), generator)
        for name, value in losses.items():
            self.log(
                f"train/{name}",
                value.detach(),
                on_step=False,
                on_epoch=True,
                batch_size=len(batch.index),
                sync_dist=True,
            )
        return losses["loss"]

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Loss and whole predicted traces, without augmentation."""
        window = self._window
        still = shifted_window(batch, torch.zeros_like(batch.index), window=window)
        losses = self._objective(self.operator, still, torch.Generator().manual_seed(batch_index))
        self.log("val/loss", losses["loss"], batch_size=len(batch.index), sync_dist=True)
        with torch.no_grad():
            self.observe(still, self.operator(still.features, still.current_na, window.dt_ms))

    def observe(self, batch: Batch, predicted_mv: Tensor) -> None:
        """Keep what the summary needs of a validation batch and of its prediction; a subclass may keep more."""
        error = torch.linalg.vector_norm(predicted_mv - batch.voltage_mv, dim=1)
        relative = (100 * error / torch.linalg.vector_norm(batch.voltage_mv, dim=1)).cpu().numpy()
        traces = zip(predicted_mv.cpu().numpy(), batch.spikes_ms.cpu().numpy(), relative, strict=True)
        self._scores.append(np.array([_score_row(*trace, dt_ms=self._window.dt_ms) for trace in traces]))

    def summary(self) -> dict[str, float]:
        """Numbers of the validation traces observed since the last summary, `score` among them."""
        rows = np.concatenate(self._scores)
        self._scores.clear()
        return validation_summary(rows)

    def on_validation_epoch_end(self) -> None:
        """Summarise the validation traces."""
        for name, value in self.summary().items():
            self.log(f"val/{name}", value, sync_dist=True)

    def on_validation_end(self) -> None:
        """Step a plateau schedule here: Lightning would do so after saving the epoch's checkpoint, and not at all on resuming."""
        schedule = self.lr_schedulers() if self.trainer.optimizers else None
        if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            schedule.step(self.trainer.callback_metrics["val/loss"])

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """As Lightning does, but for a plateau schedule, which has been stepped; see `on_validation_end`."""
        if not isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step()

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule of the configuration."""
        config = self.config.optimiser
        optimiser = optimiser_for(self, config)
        if config.schedule == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimiser, factor=config.plateau_factor, patience=config.plateau_patience
            )
            # The loss it watches is there only after a validation.
            watched = {"scheduler": plateau, "monitor": "val/loss", "frequency": self.config.validate_every}
            return {"optimizer": optimiser, "lr_scheduler": watched}
        total = int(self.trainer.estimated_stepping_batches)
        warmup = min(total // 4, int(config.warmup_epochs * total / self.config.epochs)) or 1

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

        cosine = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}


def optimiser_for(module: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """The configured optimiser of a module's weights."""
    weights, rate, decay = module.parameters(), config.learning_rate, config.weight_decay
    if config.name == "adam":
        return torch.optim.Adam(weights, lr=rate)
    if config.name == "adamw":
        return torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=decay)
    from pytorch_optimizer import SOAP  # takes seconds to import

    return SOAP(weights, lr=rate, betas=(0.95, 0.95), weight_decay=decay, precondition_frequency=10)


def _score_row(
    predicted_mv: np.ndarray, spikes_ms: np.ndarray, relative_l2_percent: float, *, dt_ms: float
) -> tuple[float, float, float, float]:
    """True count, predicted count, median error of the k-th spike's time (NaN without a pair), relative L2."""
    true = spikes_ms[np.isfinite(spikes_ms)]
    found = spike_times_ms(predicted_mv, dt_ms=dt_ms)
    pairs = min(true.size, found.size)
    timing = float(np.median(np.abs(found[:pairs] - true[:pairs]))) if pairs else float("nan")
    return float(true.size), float(found.size), timing, float(relative_l2_percent)


def validation_summary(rows: np.ndarray) -> dict[str, float]:
    """Percentages over validation traces and their sum, the score.

    Args:
        rows: shape (traces, 4): true and predicted spike count, timing error in ms, relative L2 in percent.
    """
    true, found, timing, relative = rows.T
    fires = true > 0
    count_error = np.abs(found - true)[fires] / true[fires]
    known = timing[np.isfinite(timing)]
    summary = {
        "missed_percent": 100 * float(np.mean(fires & (found == 0))),
        "false_percent": 100 * float(np.mean(~fires & (found > 0))),
        "spike_count_error_percent": 100 * float(np.mean(count_error)) if fires.any() else 0.0,
        # Where every spike is missed, ten ms: worse than any operator that fires.
        "timing_ms": float(np.median(known)) if known.size else (10.0 if fires.any() else 0.0),
        "relative_l2_percent": float(np.mean(relative)),
    }
    summary["score"] = sum(value * (10 if name == "timing_ms" else 1) for name, value in summary.items())
    return summary
