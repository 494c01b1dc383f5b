"""Small targets, configurations and a made-up landscape that the tests of this folder share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from noble.evolve import EvolutionConfig
from noble.evolve.assay import Assay, Score
from noble.targets import StepTargets, Target, Targets

SETTINGS: Final = {"before_ms": 50.0, "after_ms": 100.0, "min_trials": 2, "efel": {}, "floors": {}}
PASSIVE_STEP: Final = StepTargets(
    -0.1, 0.0, (0, 0), {"voltage_base": Target(-84.0, 1.0, 2), "voltage_deflection_vb_ssse": Target(-10.0, 1.0, 2)}, {}
)
FIRING_STEP: Final = StepTargets(
    0.3, 0.0, (4, 4), {"Spikecount": Target(4.0, 1.0, 2), "AP1_peak": Target(20.0, 2.0, 2)}, {}
)

# Each feature of the made-up landscape is a matter of one parameter, and right at one value of it.
GOALS: Final = {
    "voltage_base": ("e_pas.all", -84.0),
    "voltage_deflection_vb_ssse": ("g_pas.all", 1.2e-4),
    "Spikecount": ("gbar_NaV.soma", 0.3),
    "AP1_peak": ("gbar_Kv3_1.soma", 0.4),
}
START: Final = {
    "e_pas.all": [-81.0, 2.0],
    "g_pas.all": [2e-4, 0.4],
    "gbar_NaV.soma": [0.5, 0.4],
    "gbar_Kv3_1.soma": [0.7, 0.4],
}
PASSIVE_STAGE: Final = {
    "name": "passive",
    "free": ["e_pas", "g_pas"],
    "amplitudes_na": [-0.1],
    "population": 8,
    "generations": 2,
    "dt_ms": 0.06,
    "equilibration_ms": 20,
}
ACTIVE_STAGE: Final = {"name": "active", "population": 8, "generations": 3, "dt_ms": 0.06, "equilibration_ms": 20}


def small_targets(*steps: StepTargets, **changes: Any) -> Targets:
    """Targets at a step of 60 ms: one below and one above threshold if not told otherwise."""
    facts = {"name": "small", "source": "small.nwb", "recording_sha256": "0" * 64, "step_ms": 60.0}
    facts |= {"junction_potential_mv": 0.0, "steps": steps or (PASSIVE_STEP, FIRING_STEP), "settings": SETTINGS}
    return Targets(**facts | changes)


def small_config(folder: Path, *, targets: Targets | None = None, **changes: Any) -> EvolutionConfig:
    """A configuration of two stages, loaded from YAML in a folder that also gets its targets."""
    (targets or small_targets()).save(folder / "targets.json")
    content = {
        "name": "small",
        "cell": "stylised-pv",
        "targets": "targets.json",
        "seeds": [1],
        "start": START,
        "stages": [PASSIVE_STAGE, ACTIVE_STAGE],
        "hall": {"per_seed": 2, "candidates": 4, "distance": 0.05, "held_out": 0},
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
    return EvolutionConfig.load(path)


def one_stage(**changes: Any) -> list[dict[str, Any]]:
    """Stages of a configuration: the active one alone, with some changes."""
    return [ACTIVE_STAGE | changes]


def assert_one_sentence(error: BaseException) -> None:
    """What a user is told is one line that ends like a sentence."""
    message = str(error)
    assert "\n" not in message
    assert message.endswith(".") or message.endswith("-o.")
    assert not message.endswith("..")


class Landscape:
    """Stands in for `evaluate`: scores by formula, nothing simulated, and remembers what it was asked."""

    def __init__(self, before: Callable[[int], None] | None = None) -> None:
        self.calls: list[list[Mapping[str, float]]] = []
        self.assays: list[Assay] = []
        self._before = before or (lambda call: None)

    def __call__(
        self, assay: Assay, values: Sequence[Mapping[str, float]], pool: Any, *, per_run: int = 4, progress: Any = None
    ) -> list[Score]:
        self._before(len(self.calls))
        self.calls.append(list(values))
        self.assays.append(assay)
        return [landscape_score(assay.targets, row) for row in values]


def landscape_score(targets: Targets, values: Mapping[str, float]) -> Score:
    """|z| of one candidate, at most 20, rounded as the real ones are; its spike counts are the recording's."""
    z = {}
    for step in targets.steps:
        for feature in step.features:
            name, goal = GOALS[feature]
            off = values[name] - goal if name == "e_pas.all" else 5 * math.log(values[name] / goal)
            z[f"{feature}@{step.amplitude_na:g}"] = round(min(abs(off), 20.0), 4)
    return Score(z, {f"{step.amplitude_na:g}": int(step.typical_count) for step in targets.steps})
