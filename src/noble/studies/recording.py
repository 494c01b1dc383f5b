"""A family of neurons beside a recording, and where the comparison leaves what the operator has learned."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noble.comparison.recording import RecordingComparison, compare_recording
from noble.evaluation.answers import outside_hull_expected
from noble.family import ONE_NEURON, family_features, usual_family
from noble.progress import Progress
from noble.results import IF_KNOWN, INLINE, Result

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.operator import Operator
    from noble.recordings import Recording


@dataclass(frozen=True, repr=False)
class RecordingStudy(Result):
    """A family beside a recording.

    Attributes:
        models: the family: `hall`, `hull`, `disc:MODEL:RADIUS` or `one neuron`.
        seed: seed of the draw; None for the hall and for one neuron, of which nothing is drawn.
        beyond_training_na: amplitudes outside the range of the training currents, nA.
        trained_step_ms: length of the steps of the training, ms; None where it is not known, or was not one length.
        comparison: family and recording, step by step.
    """

    models: str
    seed: int | None = field(metadata=IF_KNOWN)
    beyond_training_na: tuple[float, ...]
    trained_step_ms: float | None
    comparison: RecordingComparison = field(metadata=INLINE)

    @property
    def longer_than_trained(self) -> bool:
        """Whether the recording's steps last longer than those of the training."""
        return self.trained_step_ms is not None and self.comparison.protocol.step_ms > self.trained_step_ms


def recording_study(
    operator: Operator,
    hall: HallOfFame | None,
    recording: Recording,
    *,
    models: str | None = None,
    count: int = 50,
    seed: int = 0,
    progress: Progress | None = None,
) -> RecordingStudy:
    """Let a family answer the steps of a recording, and compare.

    Args:
        operator: who answers.
        hall: the models that it learned; None for an operator of one neuron.
        recording: its sweeps; those that cannot be answered alike are left out and listed.
        models: the family: `hall` (its training models), `hull`, or `disc:MODEL:RADIUS`; see `noble.family.family_features`. If
            None, the one neuron of an operator without features, or else the training models.
        count: neurons to draw from hull or disc.
        seed: seed of their draw.
        progress: called with steps done and steps in all.

    Raises:
        ValueError: for a family that does not exist, no sweep that can be compared, or an operator that cannot answer in such
            a window.
    """
    models = models or usual_family(operator.spec)
    neurons = family_features(operator.spec, hall, models, count=count, seed=seed)
    with outside_hull_expected():
        comparison = compare_recording(operator, neurons, recording, progress=progress)
    scope = operator.scope
    low_na, high_na = (-math.inf, math.inf) if scope is None else (scope.lowest_na, scope.highest_na)
    return RecordingStudy(
        models=models,
        seed=None if models in ("hall", ONE_NEURON) else seed,
        beyond_training_na=tuple(
            step.amplitude_na for step in comparison.steps if not low_na <= step.amplitude_na <= high_na
        ),
        trained_step_ms=None if scope is None else scope.step_ms,
        comparison=comparison,
    )
