"""What a recording asks of a model: e-features of its steps, with how far they scatter."""

from noble.targets.targets import StepTargets, Target, Targets, measure_targets

__all__ = ["StepTargets", "Target", "Targets", "measure_targets"]
