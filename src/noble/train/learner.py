"""What an operator learns from a batch, and what a validation sees of it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from noble.operator import Operator
from noble.train.batches import Batch, shifted_window
from noble.train.config import TrainConfig
from noble.train.objectives import objective_for
from noble.train.scores import score_row, validation_summary


class Learner(nn.Module):
    """An operator with its training objective.

    Validation predicts whole traces and scores them by what a user sees; `score` selects the epoch: percent of traces
    missed and falsely fired, plus percent of spike-count error, plus median spike-time error in tenths of a ms, plus percent of
    relative L2. Voltage alone would select silence.

    Args:
        operator: the operator, changed in place.
        config: configuration of the run.
    """

    quantities = 4
    """Columns of what is observed of a validation trace."""

    def __init__(self, operator: Operator, config: TrainConfig) -> None:
        super().__init__()
        self.operator = operator
        self.config = config
        self._objective = objective_for(config.loss)

    def forward(self, batch: Batch, *, step: int, rank: int) -> dict[str, Tensor]:
        """Named losses of a batch whose onsets are shifted at random; their sum is `loss`.

        Args:
            batch: traces with their tail margin.
            step: steps of the optimiser before this one.
            rank: number of the device among those that train.
        """
        # Drawn from (seed, step, rank) and not from a running state, so that a resumed run draws the same.
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence([self.config.seed, step, rank]).generate_state(1)[0])
        )
        stored = batch.current_na.shape[1] - batch.window.count
        largest = min(math.floor(self.config.max_shift_ms / batch.window.dt_ms + 1e-9), stored)
        shift = torch.randint(-largest, largest + 1, batch.index.shape, generator=generator).to(batch.index.device)
        # A neuron under a holding current is at rest at no time but the first.
        shift = torch.where(batch.current_na[:, 0] == 0, shift, 0)
        return self._objective(self.operator, shifted_window(batch, shift), generator)

    @torch.no_grad()
    def validate(self, batch: Batch, number: int) -> tuple[Tensor, np.ndarray]:
        """Loss, and a row a trace for `summary`, of the batch with this number, without augmentation."""
        still = shifted_window(batch, torch.zeros_like(batch.index))
        losses = self._objective(self.operator, still, torch.Generator().manual_seed(number))
        predicted = self.operator(still.features, still.current_na, still.window.dt_ms)
        return losses["loss"], self.observed(still, predicted)

    def observed(self, batch: Batch, predicted_mv: Tensor) -> np.ndarray:
        """What the summary needs of each trace, shape (batch, quantities); a subclass may add columns."""
        error = torch.linalg.vector_norm(predicted_mv - batch.voltage_mv, dim=1)
        relative = (100 * error / torch.linalg.vector_norm(batch.voltage_mv, dim=1)).cpu().numpy()
        traces = zip(predicted_mv.cpu().numpy(), batch.spikes_ms.cpu().numpy(), relative, strict=True)
        return np.array([score_row(*trace, dt_ms=batch.window.dt_ms) for trace in traces])

    def summary(self, rows: np.ndarray) -> dict[str, float]:
        """Numbers of the validation traces from the rows observed of them, `score` among them."""
        return validation_summary(rows)
