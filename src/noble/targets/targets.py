"""Targets of an evolution: e-features of a recording, mean and standard deviation over trials at each step.

Which features make sense at a step, and how close a model can be asked to come, is said in `efeatures.py`; the file is
described in `docs/targets.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from noble.features import FeatureSettings
from noble.features.windows import AFTER_MS, BEFORE_MS, measure_step
from noble.files import content_sha256, number, read_json, write_json
from noble.recordings import NEGLIGIBLE_HOLDING_NA, SAME_STEP_MS, Recording, Sweep, mean_na, same_step_ms
from noble.spikes import spike_times_ms, within
from noble.targets.efeatures import TARGET_FEATURES, features_at, floor_of
from noble.targets.soundness import check_sound
from noble.traces import TimeGrid, Trace, TraceBatch

SCHEMA: Final = "noble-targets"
SCHEMA_VERSION: Final = 1

# `depol_block` is 1 for a block in this package and 1 for none in eFEL, whose `depol_block_bool` is meant.
_USUAL_TRIALS: Final = 2
_EFEL_FEATURES: Final = {"depol_block": "depol_block_bool"}


@dataclass(frozen=True)
class Target:
    """What one feature should be.

    Attributes:
        mean: over trials, in the unit of the catalogue.
        std: sample standard deviation over trials, at least the floor.
        trials: how many trials have the feature.
    """

    mean: float
    std: float
    trials: int


@dataclass(frozen=True)
class StepTargets:
    """What should happen at one step.

    Attributes:
        amplitude_na: height of the step above holding, nA.
        holding_na: holding current, nA, to 1 pA.
        spike_counts: spikes within the step, one number a trial.
        features: name -> target.
        left_out: name -> why a feature of this kind of step has no target.
    """

    amplitude_na: float
    holding_na: float
    spike_counts: tuple[int, ...]
    features: Mapping[str, Target]
    left_out: Mapping[str, str]

    @property
    def typical_count(self) -> float:
        """Spikes of the median trial."""
        return float(np.median(self.spike_counts))

    @property
    def fires(self) -> bool:
        """Whether the median trial fires."""
        return self.typical_count > 0

    @property
    def is_held(self) -> bool:
        """Whether the step was recorded under a holding current."""
        return abs(self.holding_na) > NEGLIGIBLE_HOLDING_NA

    @property
    def held_na(self) -> float:
        """What a model is held by to answer this step, nA: its holding current, or nothing where that is a bias."""
        return self.holding_na if self.is_held else 0.0

    @property
    def label(self) -> str:
        """Name of the step in the file, such as `Step_0.18`."""
        return f"Step_{self.amplitude_na:g}"


@dataclass(frozen=True)
class Targets:
    """Targets at every step of a recording.

    Attributes:
        name: of the recorded cell.
        source, recording_sha256: file name and checksum of the recording.
        step_ms: length of the step that features are measured in, ms.
        junction_potential_mv: what was subtracted from the recorded voltage, mV.
        steps: ascending by amplitude.
        settings: how features were measured: windows, eFEL's settings, floors.
    """

    name: str
    source: str
    recording_sha256: str
    step_ms: float
    junction_potential_mv: float
    steps: tuple[StepTargets, ...]
    settings: Mapping[str, Any]

    def step(self, amplitude_na: float) -> StepTargets:
        """The step of this amplitude, to 0.5 pA.

        Raises:
            ValueError: if there is none.
        """
        for step in self.steps:
            if abs(step.amplitude_na - amplitude_na) <= 0.0005:
                return step
        amplitudes = ", ".join(f"{step.amplitude_na:g}" for step in self.steps)
        raise ValueError(f"there is no step of {amplitude_na:g} nA among the targets; expected one of {amplitudes} nA.")

    @property
    def firing(self) -> tuple[StepTargets, ...]:
        """The steps that fire."""
        return tuple(step for step in self.steps if step.fires)

    @property
    def silent(self) -> tuple[StepTargets, ...]:
        """The steps that do not."""
        return tuple(step for step in self.steps if not step.fires)

    @property
    def holding_na(self) -> float:
        """The holding current of the median step, to 1 pA, nA; 0 for a bias of the amplifier.

        Every step is answered under its own (`StepTargets.held_na`); this one stands for the cell where there is no step.
        """
        typical = float(np.median([step.holding_na for step in self.steps]))
        return round(typical, 3) if abs(typical) > NEGLIGIBLE_HOLDING_NA else 0.0

    @property
    def digest(self) -> str:
        """Checksum of everything in the file."""
        return content_sha256(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; see `docs/targets.md`."""
        before_ms, after_ms = self.settings["before_ms"], self.settings["after_ms"]
        total_ms = before_ms + self.step_ms + after_ms
        efeatures, protocols, steps = {}, {}, {}
        for step in self.steps:
            efeatures[step.label] = {
                "soma.v": [
                    {
                        "feature": _EFEL_FEATURES.get(name, name),
                        "efeature_name": name,
                        "val": [target.mean, target.std],
                        "n": target.trials,
                    }
                    for name, target in step.features.items()
                ]
            }
            protocols[step.label] = {
                "step": {
                    "delay": before_ms,
                    "amp": step.amplitude_na,
                    "duration": self.step_ms,
                    "totduration": total_ms,
                },
                "holding": {"delay": 0.0, "amp": step.holding_na, "duration": total_ms, "totduration": total_ms},
            }
            steps[step.label] = {"spike_counts": list(step.spike_counts), "left_out": dict(step.left_out)}
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "source": self.source,
            "recording_sha256": self.recording_sha256,
            "step_ms": self.step_ms,
            "junction_potential_mv": self.junction_potential_mv,
            "settings": dict(self.settings),
            "steps": steps,
            "efeatures": efeatures,
            "protocols": protocols,
        }

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Read back what `to_dict` made.

        Raises:
            ValueError: if it is of another schema, lacks a part or holds a value that cannot be.
        """
        kind = (content.get("schema"), content.get("schema_version")) if isinstance(content, dict) else content
        if kind != (SCHEMA, SCHEMA_VERSION):
            raise ValueError(f"expected targets ({SCHEMA} version {SCHEMA_VERSION}); got {kind!r}.")
        try:
            steps = tuple(
                StepTargets(
                    amplitude_na=number(content["protocols"][label]["step"]["amp"], what=f"amp of {label}"),
                    holding_na=number(content["protocols"][label]["holding"]["amp"], what=f"holding of {label}"),
                    spike_counts=tuple(int(number(item, what=f"a count of {label}")) for item in own["spike_counts"]),
                    features={
                        str(item["efeature_name"]): _read_target(item, f"{item['efeature_name']} of {label}")
                        for item in content["efeatures"][label]["soma.v"]
                    },
                    left_out=dict(own["left_out"]),
                )
                for label, own in content["steps"].items()
            )
            targets = cls(
                name=content["name"],
                source=content["source"],
                recording_sha256=content["recording_sha256"],
                step_ms=number(content["step_ms"], what="step_ms"),
                junction_potential_mv=number(content["junction_potential_mv"], what="junction_potential_mv"),
                steps=steps,
                settings=content["settings"],
            )
            check_sound(targets)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"the targets lack a part or hold a wrong one ({error!r}).") from error
        return targets

    def save(self, path: str | Path) -> None:
        """Write the JSON file."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the JSON file.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: if it is not JSON, of another schema or lacks a part.
        """
        try:
            content = read_json(path, expected="a file of targets")
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"there is no file of targets {path}; noble targets makes one from a recording."
            ) from error
        try:
            return cls.from_dict(content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _read_target(item: Mapping[str, Any], what: str) -> Target:
    """One feature of a file."""
    mean, std = (number(item["val"][index], what=f"val of {what}") for index in (0, 1))
    return Target(mean, std, int(number(item["n"], what=f"n of {what}")))


def measure_targets(
    recording: Recording,
    *,
    step_ms: float | None = None,
    names: Sequence[str] | None = None,
    min_trials: int | None = None,
    name: str | None = None,
) -> Targets:
    """Measure every step of a recording.

    Args:
        recording: its sweeps.
        step_ms: measure as if the step had ended then, ms; as recorded if None.
        names: eFEL names, each measured at the steps where it makes sense, and at every step if `efeatures.py` does not
            know it; all that it knows if None.
        min_trials: least number of trials of a step, and of trials that have a feature. None takes a step of one trial as it
            is, with the documented floors for its deviations, and asks for two trials of a feature where there are more.
        name: of the targets; the recording's file name without its ending if None.

    Raises:
        ValueError: if a step has fewer than `min_trials` trials, if steps or sampling intervals differ, if `step_ms` is
            longer than the recorded step, or if eFEL does not know a feature or one asked for by name is at no step.
    """
    if min_trials is not None and min_trials < 1:
        raise ValueError(f"min_trials is {min_trials}; expected at least 1.")
    groups = recording.with_steps().by_amplitude()
    needed = min(_USUAL_TRIALS, *map(len, groups.values())) if min_trials is None else min_trials
    _check(recording, groups, needed)
    recorded_ms = round(float(np.median([sweep.step_ms for sweep in recording.sweeps])), 6)
    step_ms = recorded_ms if step_ms is None else float(step_ms)
    if not 0 < step_ms <= recorded_ms + SAME_STEP_MS:
        raise ValueError(
            f"step_ms is {step_ms:g} but the steps of {recording.source} last {recorded_ms:g} ms; expected at most that."
        )
    dt_ms = recording.sweeps[0].trace.grid.dt_ms
    before_ms = min(BEFORE_MS, *(sweep.onset_ms for sweep in recording.sweeps))
    after_ms = min(AFTER_MS, *(sweep.trace.grid.duration_ms - dt_ms - sweep.offset_ms for sweep in recording.sweeps))
    settings = FeatureSettings(spike_threshold_mv=recording.spike_threshold_mv)
    steps = []
    for amplitude_na, sweeps in groups.items():
        batch, onset_ms = _aligned(sweeps, before_ms=before_ms, after_ms=after_ms)
        counts = tuple(_spikes_within(trace, onset_ms, step_ms, recording.spike_threshold_mv) for trace in batch)
        values = measure_step(
            batch,
            onset_ms=onset_ms,
            offset_ms=onset_ms + recorded_ms,
            step_ms=step_ms,
            names=_names_at(amplitude_na, counts, names),
            settings=settings,
        )
        steps.append(
            StepTargets(
                amplitude_na,
                mean_na(sweeps, "holding_na"),
                counts,
                *_over_trials(values, min(_USUAL_TRIALS, len(sweeps)) if min_trials is None else min_trials),
            )
        )
    missing = [other for other in names or () if not any(other in step.features for step in steps)]
    if missing:
        raise ValueError(
            f"feature {', '.join(map(repr, missing))} was asked for but at no step of {recording.source} do {needed} "
            "trials have it; leave it out."
        )
    return Targets(
        name=name or Path(recording.source).stem,
        source=recording.source,
        recording_sha256=recording.sha256,
        step_ms=step_ms,
        junction_potential_mv=recording.junction_potential_mv,
        steps=tuple(steps),
        settings={
            "before_ms": round(before_ms, 6),
            "after_ms": round(after_ms, 6),
            "recorded_step_ms": recorded_ms,
            "min_trials": needed,
            "efel": settings.to_dict(),
            "floors": _floors(steps),
        },
    )


def _check(recording: Recording, groups: Mapping[float, Sequence[Sweep]], min_trials: int) -> None:
    """Refuse too few trials and sweeps that are not one protocol."""
    few = [f"{amplitude:g} nA has {len(sweeps)}" for amplitude, sweeps in groups.items() if len(sweeps) < min_trials]
    if few:
        raise ValueError(
            f"{recording.source}: {', '.join(few)} of the {min_trials} trials that a step needs; "
            "drop the step, or allow fewer trials with min_trials (--min-trials)."
        )
    for what, unit, tolerance, values in (
        ("sampling interval", "ms", 1e-6, [sweep.trace.grid.dt_ms for sweep in recording.sweeps]),
        (
            "length of the step",
            "ms",
            same_step_ms(max(sweep.step_ms for sweep in recording.sweeps)),
            [sweep.step_ms for sweep in recording.sweeps],
        ),
    ):
        low, high = int(np.argmin(values)), int(np.argmax(values))
        if values[high] - values[low] > tolerance:
            raise ValueError(
                f"{recording.source}: the {what} is {values[low]:g} {unit} in {recording.sweeps[low].name} and "
                f"{values[high]:g} {unit} in {recording.sweeps[high].name}; expected the same in all, so choose by "
                "protocol or length (Recording.of_protocol, of_step_ms; --protocol, --step-ms)."
            )


def _aligned(sweeps: Sequence[Sweep], *, before_ms: float, after_ms: float) -> tuple[TraceBatch, float]:
    """The sweeps from `before_ms` before the step to `after_ms` after it, and the onset in them, ms."""
    dt_ms = sweeps[0].trace.grid.dt_ms
    before = round(before_ms / dt_ms)
    starts = [round(sweep.onset_ms / dt_ms) - before for sweep in sweeps]
    step = max(round(sweep.step_ms / dt_ms) for sweep in sweeps)
    count = min(
        before + step + round(after_ms / dt_ms) + 1,
        *(sweep.trace.grid.count - start for sweep, start in zip(sweeps, starts, strict=True)),
    )
    rows = [
        (sweep.trace.voltage_mv[start : start + count], sweep.trace.current_na[start : start + count])
        for sweep, start in zip(sweeps, starts, strict=True)
    ]
    voltage, current = (np.stack(columns) for columns in zip(*rows, strict=True))
    return TraceBatch(TimeGrid(dt_ms, count), voltage, current), before * dt_ms


def _spikes_within(trace: Trace, onset_ms: float, step_ms: float, threshold_mv: float) -> int:
    """Spikes that peak within the step."""
    times = spike_times_ms(trace.voltage_mv, dt_ms=trace.grid.dt_ms, threshold_mv=threshold_mv)
    return within(times, onset_ms, onset_ms + step_ms).size


def _names_at(amplitude_na: float, counts: Sequence[int], names: Sequence[str] | None) -> list[str]:
    """Features that make sense at this step: of those asked for, or all."""
    table = features_at(amplitude_na, fires=float(np.median(counts)) > 0)
    if names is None:
        return list(table)
    return [name for name in names if name in table or name not in TARGET_FEATURES]


def _over_trials(values: Mapping[str, np.ndarray], min_trials: int) -> tuple[dict[str, Target], dict[str, str]]:
    """Target of every feature that enough trials have, and what the others are left out for."""
    features, left_out = {}, {}
    for name, column in values.items():
        found = column[np.isfinite(column)]
        if found.size < min_trials:
            left_out[name] = f"{found.size} of {column.size} trials have it"
        else:
            features[name] = _target(name, found)
    return features, left_out


def _target(name: str, found: np.ndarray) -> Target:
    """Numbers of nine digits, far below any resolution, so that a file does not depend on the order of sums."""
    mean = float(f"{found.mean():.9g}")
    scatter = float(found.std(ddof=1)) if found.size > 1 else 0.0
    absolute, relative = floor_of(name)
    return Target(mean, float(f"{max(scatter, absolute, relative * abs(mean)):.9g}"), int(found.size))


def _floors(steps: Sequence[StepTargets]) -> dict[str, list[float]]:
    """Floors of all features with a target."""
    return {name: list(floor_of(name)) for name in sorted({name for step in steps for name in step.features})}
