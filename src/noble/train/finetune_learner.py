"""Training with a term for one feature on hyperpolarising steps: the paper's composite loss, and an epoch chosen by both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from noble.operator import Operator
from noble.train.batches import Batch
from noble.train.learner import Learner
from noble.train.objectives import Objective
from noble.train.soft_features import SoftFeature, hyperpolarising_steps

if TYPE_CHECKING:
    from noble.train.finetune import FineTuneConfig


@dataclass(frozen=True)
class FeatureTerm:
    """What is asked of one feature.

    Attributes:
        feature: which.
        weight: of the mean squared relative error beside the operator's own objective.
        scale: what errors are relative to, in the feature's unit; see `feature_scale`.
    """

    feature: SoftFeature
    weight: float
    scale: float

    def relative_errors(
        self,
        predicted_mv: Float[Tensor, "steps time"],
        reference_mv: Float[Tensor, "steps time"],
        onset_ms: Float[Tensor, " steps"],
        offset_ms: Float[Tensor, " steps"],
        dt_ms: float,
    ) -> tuple[Float[Tensor, " known"], Bool[Tensor, " steps"]]:
        """Error over scale of the traces whose reference has the feature, and which traces these are."""
        asked = self.feature.values(reference_mv, onset_ms, offset_ms, dt_ms)
        known = torch.isfinite(asked)
        given = self.feature.values(predicted_mv[known], onset_ms[known], offset_ms[known], dt_ms)
        return (given - asked[known]) / self.scale, known


class CompositeObjective:
    """An operator's own objective, plus a weight times the mean squared relative error of a feature.

    This is the composite loss of Ghafourpour et al. (2025, arXiv 2506.04536), `voltage + weight * feature`. Their released code
    divides the squared errors by the sum of squares over a batch; here the scale is that of the whole training split, so that
    a batch of weak currents, whose features are almost zero, does not outweigh the others. They sum the voltage term over a batch
    of 64, so that their weight of 25 is one of 0.4 beside a mean. The mean is over the hyperpolarising steps of a batch; one
    without any adds nothing.

    Args:
        objective: of the operator.
        term: the feature; with a weight of zero it costs no time.
    """

    def __init__(self, objective: Objective, term: FeatureTerm) -> None:
        self._objective, self._term = objective, term

    def __call__(self, operator: Operator, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The objective's losses, with the feature's under its name, and `loss` the sum of both."""
        losses = self._objective(operator, batch, generator)
        if self._term.weight == 0:
            return losses
        dt_ms = batch.window.dt_ms
        steps = hyperpolarising_steps(batch.current_na, dt_ms)
        if not len(steps.rows):
            return {**losses, self._term.feature.name: losses["loss"].detach() * 0}
        # The operator runs freely: what the feature is measured on is what a user would see.
        predicted = operator(batch.features[steps.rows], batch.current_na[steps.rows], dt_ms)
        reference = batch.voltage_mv[steps.rows]
        errors, _ = self._term.relative_errors(predicted, reference, steps.onset_ms, steps.offset_ms, dt_ms)
        squared = (errors**2).sum() / max(1, len(errors))
        return {**losses, "loss": losses["loss"] + self._term.weight * squared, self._term.feature.name: squared}


class FineTuneLearner(Learner):
    """An operator that is fine-tuned to a feature.

    The score that selects the epoch is that of `Learner` plus the feature's error in percent: the root mean square of
    its relative errors over the hyperpolarising validation traces. It is the same whatever the weight.

    Args:
        operator: the operator, changed in place.
        config: configuration of the run.
        term: the feature.
    """

    quantities = Learner.quantities + 1

    def __init__(self, operator: Operator, config: FineTuneConfig, *, term: FeatureTerm) -> None:
        super().__init__(operator, config)
        self._objective = CompositeObjective(self._objective, term)
        self._term = term

    def observed(self, batch: Batch, predicted_mv: Tensor) -> np.ndarray:
        """What every operator is scored by, and the feature's relative error, NaN where the reference lacks the feature."""
        steps = hyperpolarising_steps(batch.current_na, batch.window.dt_ms)
        traces = predicted_mv[steps.rows], batch.voltage_mv[steps.rows]
        errors, known = self._term.relative_errors(*traces, steps.onset_ms, steps.offset_ms, batch.window.dt_ms)
        column = np.full((len(batch.index), 1), np.nan)
        column[steps.rows[known].cpu().numpy(), 0] = errors.nan_to_num(nan=torch.inf).cpu().numpy()
        return np.hstack([super().observed(batch, predicted_mv), column])

    def summary(self, rows: np.ndarray) -> dict[str, float]:
        """With the feature's error, which also counts in the score."""
        summary = super().summary(rows[:, : Learner.quantities])
        errors = rows[:, -1]
        known = torch.as_tensor(errors[~np.isnan(errors)], dtype=torch.float32)
        percent = 100 * float((known**2).mean().sqrt()) if len(known) else 0.0
        return {**summary, f"{self._term.feature.name}_error_percent": percent, "score": summary["score"] + percent}
