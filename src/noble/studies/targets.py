"""What targets hold of a recording, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noble.results import Result

if TYPE_CHECKING:
    from noble.recordings import Recording
    from noble.targets import Targets


@dataclass(frozen=True, repr=False)
class StepSummary(Result):
    """One step of the targets.

    Attributes:
        amplitude_na: amplitude of the step, nA.
        trials: number of trials.
        spike_counts: spikes of each trial.
        features: number of e-features that have a target.
        left_out: e-features without a target, and why.
    """

    amplitude_na: float
    trials: int
    spike_counts: tuple[int, ...]
    features: int
    left_out: Mapping[str, str]


@dataclass(frozen=True, repr=False)
class TargetsSummary(Result):
    """Targets and the recording that they were measured on.

    Attributes:
        recording: name of the file.
        sweeps: number of sweeps that are used.
        step_ms: length of the steps, ms.
        junction_potential_mv: what was subtracted from the recorded voltage, mV.
        digest: digest of the targets.
        steps: the steps of the targets.
        unusable: sweeps that are not used, and why.
    """

    recording: str
    sweeps: int
    step_ms: float
    junction_potential_mv: float
    digest: str
    steps: tuple[StepSummary, ...]
    unusable: Mapping[str, str]


def summarise_targets(targets: Targets, recording: Recording) -> TargetsSummary:
    """Steps of the targets, and what became of the recording's sweeps."""
    return TargetsSummary(
        recording=recording.source,
        sweeps=len(recording.sweeps),
        step_ms=targets.step_ms,
        junction_potential_mv=recording.junction_potential_mv,
        digest=targets.digest,
        steps=tuple(
            StepSummary(
                amplitude_na=step.amplitude_na,
                trials=len(step.spike_counts),
                spike_counts=tuple(step.spike_counts),
                features=len(step.features),
                left_out=step.left_out,
            )
            for step in targets.steps
        ),
        unusable=recording.unusable,
    )
