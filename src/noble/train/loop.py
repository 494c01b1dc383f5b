"""The epochs of a run, on one device or several: step, validate, keep, report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from noble.train.batches import Batch
from noble.train.checkpoint import newest_whole, write_checkpoint
from noble.train.curves import CURVES, total_seconds, write_curves
from noble.train.dataset import StoreData
from noble.train.folder import CHECKPOINTS
from noble.train.learner import Learner
from noble.train.optimiser import optimiser_for, schedule_for

if TYPE_CHECKING:
    from lightning_fabric import Fabric

TrainProgress = Callable[[int, int, Mapping[str, float]], None]
"""Called after each epoch with epochs done, epochs in all and the latest logged values."""

_SCORE: Final = "val/score"


@dataclass(frozen=True)
class Best:
    """The epoch that is chosen.

    Attributes:
        epoch: its number, the first is 1.
        score: its validation score; lower is better.
        weights: the operator's tensors after it, on the CPU.
    """

    epoch: int
    score: float
    weights: dict[str, Tensor]


class Training:
    """A run between its epochs: weights, optimiser, schedule, curves and the best epoch; one checkpoint holds all of it.

    Args:
        learner: its operator is trained in place.
        data: what it learns from.
        folder: folder of the run; the newest undamaged checkpoint in it is where the run goes on.
        fabric: gives the device and the processes that share the work; it is launched.

    Raises:
        ValueError: if the folder's checkpoints are all damaged or of another run.
    """

    def __init__(self, learner: Learner, data: StoreData, folder: Path, *, fabric: Fabric) -> None:
        self.config = learner.config
        self._learner, self._data, self._folder, self._fabric = learner.to(fabric.device), data, folder, fabric
        self._optimiser = optimiser_for(learner, self.config.optimiser)
        steps = self.config.epochs * data.training.steps(self.config.batch_size * fabric.world_size)
        self._schedule = schedule_for(self._optimiser, self.config, steps=steps)
        self.epoch = self._step = 0
        self.best: Best | None = None
        self.curves: list[dict[str, float]] = []
        checkpoint = newest_whole(folder / CHECKPOINTS)
        if checkpoint is not None:
            self._restore(checkpoint)
        self._forward = fabric.setup_module(learner)

    def run(self, progress: TrainProgress | None) -> None:
        """Train until the epochs or the minutes of the configuration are used up.

        Raises:
            ValueError: if the loss or a weight is no longer finite; the folder keeps the epoch before.
        """
        if self._fabric.is_global_zero:  # the file may be older than the checkpoint, or newer
            write_curves(self._folder / CURVES, self.curves)
        while self.epoch < self.config.epochs and not self._time_is_up():
            self._data.load()  # before the clock starts
            started = time.monotonic()
            values = self._train_epoch()
            if (self.epoch + 1) % self.config.validate_every == 0:
                values |= self._validate()
            self.epoch += 1
            if _SCORE in values and not (self.best is not None and values[_SCORE] >= self.best.score):
                self.best = Best(self.epoch, values[_SCORE], self._weights())
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            self.curves.append({"epoch": self.epoch, "seconds": round(time.monotonic() - started, 3), **finite})
            if self._fabric.is_global_zero:
                write_checkpoint(self._folder / CHECKPOINTS, self._state())
                write_curves(self._folder / CURVES, self.curves)
                if progress is not None:
                    progress(self.epoch, self.config.epochs, finite)

    def _train_epoch(self) -> dict[str, float]:
        """One pass over the training split; returns the mean of each loss."""
        config, fabric = self.config, self._fabric
        order = self._data.training.shuffled(
            seed=config.seed, epoch=self.epoch, unit=config.batch_size * fabric.world_size
        )
        order = [_share(positions, fabric.global_rank, fabric.world_size) for positions in order]
        self._learner.train()
        means = _Means()
        for batch in self._batches(self._data.training.batches(order, config.batch_size)):
            losses = self._forward(batch, step=self._step, rank=fabric.global_rank)
            self._optimiser.zero_grad()
            fabric.backward(losses["loss"])
            if config.optimiser.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self._learner.parameters(), config.optimiser.clip_norm)
            self._optimiser.step()
            if isinstance(self._schedule, torch.optim.lr_scheduler.LambdaLR):
                self._schedule.step()
            self._step += 1
            means.add(losses, len(batch.index))
        values = {f"train/{name}": value for name, value in means.over_all(fabric).items()}
        self._check_finite(values["train/loss"])
        return values

    def _validate(self) -> dict[str, float]:
        """Loss and summary of the validation traces; lowers the rate of a plateau schedule if it is time."""
        fabric, data = self._fabric, self._data.validation
        self._learner.eval()
        means, rows = _Means(["loss"]), np.zeros((len(data), self._learner.quantities))
        order = [positions[fabric.global_rank :: fabric.world_size] for positions in data.in_order()]
        for number, batch in enumerate(self._batches(data.batches(order, self.config.batch_size))):
            loss, observed = self._learner.validate(batch, number)
            means.add({"loss": loss}, len(batch.index))
            rows[batch.index.cpu().numpy()] = observed
        loss = means.over_all(fabric)["loss"]
        if isinstance(self._schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._schedule.step(loss)
        summary = self._learner.summary(_sum_over_all(torch.as_tensor(rows), fabric).cpu().numpy())
        return {"val/loss": loss, **{f"val/{name}": value for name, value in summary.items()}}

    def _batches(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        return (batch.to(self._fabric.device) for batch in batches)

    def _check_finite(self, loss: float) -> None:
        if math.isfinite(loss) and all(bool(torch.isfinite(weight).all()) for weight in self._learner.parameters()):
            return
        settings = self.config.optimiser
        raise ValueError(
            f"training diverged in epoch {self.epoch + 1}: the mean loss is {loss:g} or a weight is not finite; lower "
            f"optimiser.learning_rate (it is {settings.learning_rate:g}) or optimiser.clip_norm (it is {settings.clip_norm})."
        )

    def _time_is_up(self) -> bool:
        """Whether the next epochs, up to a validation, would end after the run's time, as the same for all processes.

        Time is that of the curves and not of a clock, so that a run that was resumed, even one that had ended, has no more.
        """
        minutes, every, done = self.config.max_minutes, self.config.validate_every, self.epoch
        if minutes is None or done == 0 or done % every:  # an epoch that is not validated cannot be chosen
            return False
        late = total_seconds(self.curves) * (done + every) / done > 60 * minutes
        return bool(self._fabric.broadcast(late))

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self._learner.operator.state_dict().items()}

    def _state(self) -> dict[str, Any]:
        """What a checkpoint holds: numbers, tensors, text, and dictionaries and lists of these."""
        return {
            "epoch": self.epoch,
            "step": self._step,
            "weights": self._weights(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "best": vars(self.best) if self.best is not None else None,
            "curves": self.curves,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        try:
            self.epoch, self._step = int(state["epoch"]), int(state["step"])
            self._learner.operator.load_state_dict(state["weights"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._schedule.load_state_dict(state["schedule"])
            self.best = Best(**state["best"]) if state["best"] is not None else None
            self.curves = [dict(row) for row in state["curves"]]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"the checkpoint in {self._folder / CHECKPOINTS} is of another run ({error}); train into another folder."
            ) from error


class _Means:
    """Means of named losses over traces."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._sums = {name: torch.tensor(0.0) for name in names}
        self._count = 0

    def add(self, losses: Mapping[str, Tensor], count: int) -> None:
        """Mean losses of a batch of `count` traces."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach() * count
        self._count += count

    def over_all(self, fabric: Fabric) -> dict[str, float]:
        """The means over the batches of all processes."""
        count = _sum_over_all(torch.tensor(self._count), fabric).cpu()
        return {name: float(_sum_over_all(value, fabric).cpu() / count) for name, value in self._sums.items()}


def _share(positions: np.ndarray, rank: int, devices: int) -> np.ndarray:
    """One device's part of some positions; where they do not come out even, the first come twice, so that all step together."""
    share = -(-len(positions) // devices)
    return np.resize(positions, share * devices)[rank::devices]


def _sum_over_all(value: Tensor, fabric: Fabric) -> Tensor:
    """The sum of a tensor over all processes."""
    if fabric.world_size == 1:
        return value
    total = fabric.all_reduce(value.to(fabric.device), reduce_op="sum")
    assert isinstance(total, Tensor)
    return total
