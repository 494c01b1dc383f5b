"""What must hold of targets that come from a file, beyond having all parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from noble.files import number, shortened
from noble.units import check_current_na

if TYPE_CHECKING:
    from noble.targets.targets import StepTargets, Targets

# A step of 100 s is no protocol of current clamp, and would be simulated as it stands.
_LONGEST_STEP_MS: Final = 100_000.0
_MOST_SPIKES: Final = 1_000_000


def check_sound(targets: Targets) -> None:
    """Refuse what no recording gives and no simulation could answer.

    Raises:
        ValueError: naming the first value that cannot be.
    """
    for name in ("name", "source", "recording_sha256"):
        if not isinstance(value := getattr(targets, name), str):
            raise ValueError(f"{name} is {shortened(value)}; expected text.")
    if not 0 < targets.step_ms <= _LONGEST_STEP_MS:
        raise ValueError(f"step_ms is {targets.step_ms:g}; expected a step of up to {_LONGEST_STEP_MS:g} ms.")
    for name in ("before_ms", "after_ms"):
        if not 0 <= number(targets.settings[name], what=f"{name} of the settings") <= _LONGEST_STEP_MS:
            raise ValueError(
                f"{name} of the settings is {targets.settings[name]}; expected 0 to {_LONGEST_STEP_MS:g} ms."
            )
    if not targets.steps:
        raise ValueError("there are no steps; expected at least one.")
    amplitudes = [step.amplitude_na for step in targets.steps]
    if len(set(amplitudes)) < len(amplitudes):
        raise ValueError("two steps have the same amplitude; expected each once.")
    for step in targets.steps:
        _check_step(step)


def _check_step(step: StepTargets) -> None:
    check_current_na(step.amplitude_na, what=f"the step {step.label}")
    check_current_na(step.holding_na, what=f"the holding current of {step.label}")
    if not step.spike_counts or not all(0 <= count <= _MOST_SPIKES for count in step.spike_counts):
        raise ValueError(
            f"spike_counts of {step.label} are {shortened(step.spike_counts)}; expected one count a trial, none below 0."
        )
    for name, target in step.features.items():
        if not target.std > 0 or target.trials < 1:
            raise ValueError(
                f"{name} of {step.label} has a standard deviation of {target.std:g} over {target.trials} trials; expected a "
                "positive one over at least one trial."
            )
