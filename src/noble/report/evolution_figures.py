"""What the figures of an evolution show: taken from its run folder, its targets and its hall, and a few simulations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.cells import HallOfFame
from noble.evolve import Evolution
from noble.evolve.assay import Assay
from noble.evolve.space import Axis
from noble.features.catalogue import LATENT_FEATURES, unit_of
from noble.plots.evolution import (
    Answer,
    answers_figure,
    deviations_figure,
    generations_figure,
    ranges_figure,
    rates_figure,
)
from noble.plots.operator import latent_plane_figure
from noble.protocols import StepProtocol
from noble.recordings import SAME_STEP_MS, Recording
from noble.simulators import ArborSimulator, SolverSettings
from noble.targets import Targets
from noble.units import MS_PER_SECOND

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The best models whose traces are shown.
_SHOWN: Final = 3
# Steps of recording and targets are the same to this, nA.
_SAME_STEP_NA: Final = 0.0005


def evolution_figures(
    evolution: Evolution, hall: HallOfFame, recording: Recording | None
) -> Iterator[tuple[str, Figure, str]]:
    """Name, figure and caption of everything that a report of an evolution shows, one after the other.

    Raises:
        ValueError: if the recording is not the one of the targets, or if a model of the hall has no final check.
    """
    checks = _checks(hall)
    shown = f"Answers of the {min(_SHOWN, len(hall))} best models (blue) to steps of current, and the shape of the first spike."
    under = " Black: the first trial of the recording; it lies under the models where nothing fires, and under the first spike."
    yield "traces", _answers(evolution, hall, recording), shown + (under if recording else "")
    yield (
        "firing_rates",
        _rates(evolution, checks),
        "Firing rates of all models in the final check. Circles: the recording, with the range of its trials. Grey: how far a "
        "model may be off.",
    )
    names, deviations = _deviations(checks)
    yield (
        "deviations",
        deviations_figure(names, deviations, evolution.config.hall.accept),
        "Deviation from the recording in the final check, by feature: every model (dots), quartiles (boxes) and median (bars). "
        f"Dotted: the largest mean over all features of a model of the hall, {evolution.config.hall.accept:g}.",
    )
    yield (
        "generations",
        generations_figure(_scores(evolution)),
        "Mean |z| by generation against the targets of each stage: the best model so far (filled) and the generation's median "
        "(open).",
    )
    held_out = np.array([model.held_out for model in hall.models])
    yield (
        "parameters",
        ranges_figure(*_ranges(evolution, hall), held_out),
        "Where between its bounds each parameter of each model lies; a density's lower bound of 0 is drawn at a millionth of its "
        "upper one.",
    )
    units = [unit_of(name) for name in LATENT_FEATURES]
    yield (
        "latent_plane",
        latent_plane_figure(hall.feature_table(LATENT_FEATURES), LATENT_FEATURES, units, held_out),
        "The hall in the plane of rheobase and F-I gain, and the hull of the training models.",
    )


def check_recording(recording: Recording, targets: Targets) -> None:
    """Refuse a recording that is not the one that targets were measured on, as they were measured.

    Raises:
        ValueError: if it is of another file, or has another junction potential subtracted.
    """
    if recording.sha256 != targets.recording_sha256:
        raise ValueError(
            f"{recording.source} is not the recording of the targets {targets.name}, which is {targets.source} with SHA-256 "
            f"{targets.recording_sha256[:12]}…; give that file."
        )
    if recording.junction_potential_mv != targets.junction_potential_mv:
        raise ValueError(
            f"{recording.source} was read with a junction potential of {recording.junction_potential_mv:g} mV, but the targets "
            f"{targets.name} were measured with {targets.junction_potential_mv:g} mV; read it with the latter."
        )


def _checks(hall: HallOfFame) -> list[Mapping[str, Any]]:
    """The final check of every model."""
    checks = [model.check for model in hall.models if model.check is not None]
    if len(checks) < len(hall):
        raise ValueError(
            f"hall {hall.name} has {len(hall) - len(checks)} models without a final check; expected the hall that this "
            "evolution gathered."
        )
    return checks


def _answers(evolution: Evolution, hall: HallOfFame, recording: Recording | None) -> Figure:
    """Simulate the best models at a few steps; take the recording's first trial of each."""
    targets = evolution.check_targets
    amplitudes = _shown_amplitudes(targets)
    assay = Assay(evolution.cell, targets, SolverSettings(), evolution.data_folder)
    protocol, shown = assay.protocol, range(min(_SHOWN, len(hall)))
    recorded = None if recording is None else _recorded(recording, targets, amplitudes, protocol)
    responder = ArborSimulator(numerics=assay.numerics, data_folder=assay.data_folder)
    held = [targets.step(amplitude).held_na for amplitude in amplitudes]
    models = [hall.cell_model(index).held_by(holding_na) for index in shown for holding_na in held]
    stimuli = [protocol.stimulus(amplitude) for _ in shown for amplitude in amplitudes]
    batch = responder.respond(models, stimuli, protocol.grid)
    times = protocol.grid.times_ms - protocol.onset_ms
    answers = {
        f"model {index}: mean |z| {hall.models[index].score:.2f}": [
            Answer(times, batch.voltage_mv[index * len(amplitudes) + step]) for step in range(len(amplitudes))
        ]
        for index in shown
    }
    return answers_figure(amplitudes, answers, recorded)


def _shown_amplitudes(targets: Targets) -> list[float]:
    """The lowest step, the first that fires and the highest, as far as there are these."""
    amplitudes = sorted(step.amplitude_na for step in targets.steps)
    firing = sorted(step.amplitude_na for step in targets.firing)
    return list(dict.fromkeys([amplitudes[0], *firing[:1], amplitudes[-1]]))


def _recorded(
    recording: Recording, targets: Targets, amplitudes: Sequence[float], protocol: StepProtocol
) -> list[Answer | None]:
    """The first trial of each step, in the window of the protocol."""
    check_recording(recording, targets)
    groups = recording.by_amplitude()
    answers: list[Answer | None] = []
    for wanted in amplitudes:
        sweep = next((group[0] for found, group in groups.items() if abs(found - wanted) <= _SAME_STEP_NA), None)
        if sweep is None:
            answers.append(None)
            continue
        times = sweep.trace.grid.times_ms - sweep.onset_ms
        longer = sweep.step_ms > targets.step_ms + SAME_STEP_MS
        last_ms = targets.step_ms if longer else protocol.window_ms - protocol.onset_ms
        near = (times >= -protocol.onset_ms) & (times <= last_ms)
        answers.append(Answer(times[near], sweep.trace.voltage_mv[near]))
    return answers


def _rates(evolution: Evolution, checks: Sequence[Mapping[str, Any]]) -> Figure:
    """F-I curves over the steps above 0."""
    targets, rules = evolution.check_targets, evolution.config.hall
    steps = sorted((step for step in targets.steps if step.amplitude_na > 0), key=lambda step: step.amplitude_na)
    per_second = MS_PER_SECOND / targets.step_ms
    counts = np.array([[check["spike_counts"][f"{step.amplitude_na:g}"] for step in steps] for check in checks])
    tolerance = [rules.count_tolerance(step.typical_count) if step.fires else np.nan for step in steps]
    return rates_figure(
        np.array([step.amplitude_na for step in steps]),
        counts * per_second,
        [[count * per_second for count in step.spike_counts] for step in steps],
        np.array(tolerance) * per_second,
    )


def _deviations(checks: Sequence[Mapping[str, Any]]) -> tuple[list[str], np.ndarray]:
    """Feature names, and each model's mean |z| over the steps with the feature, shape (models, features)."""
    names = list(dict.fromkeys(key.partition("@")[0] for key in checks[0]["z"]))
    rows = [
        [np.mean([z for key, z in check["z"].items() if key.partition("@")[0] == name]) for name in names]
        for check in checks
    ]
    return names, np.array(rows)


def _scores(evolution: Evolution) -> dict[str, dict[int, list[np.ndarray]]]:
    """Mean |z| of all candidates by stage, seed and generation."""
    return {
        stage.name: {
            seed: [
                np.array([candidate.score.mean for candidate in generation])
                for generation in evolution.generations(seed, stage.name)
            ]
            for seed in evolution.config.seeds
        }
        for stage in evolution.config.stages
    }


def _ranges(evolution: Evolution, hall: HallOfFame) -> tuple[list[tuple[str, str, str]], np.ndarray, np.ndarray]:
    """Labels, positions of every model between the bounds, and the positions that the evolution could reach."""
    axes = evolution.space.axes
    labels = []
    for axis in axes:
        item = axis.parameter
        labels.append((item.name, _short(item.low), f"{_short(item.high)} {_typeset(item.unit)}".rstrip()))
    values = [hall.cell_model(index).values for index in range(len(hall))]
    positions = [[_position(axis, of_model[axis.parameter.name]) for axis in axes] for of_model in values]
    reach = [[_position(axis, axis.value(limit)) for limit in (axis.low, axis.high)] for axis in axes]
    return labels, np.array(positions), np.array(reach)


def _short(value: float) -> str:
    """1e-07 as 1e-7, with the typographic minus."""
    return re.sub(r"e-0*", "e-", f"{value:.4g}").replace("-", "\N{MINUS SIGN}")


def _typeset(unit: str) -> str:
    """Units as they are printed: uF/cm2 as µF/cm²."""
    return unit.replace("uF", "µF").replace("cm2", "cm²").replace("Ohm", "Ω")


def _position(axis: Axis, value: float) -> float:
    """0 at a parameter's lower bound, 1 at its upper, along its axis."""
    low, high = axis.coordinate(axis.parameter.low), axis.coordinate(axis.parameter.high)
    return float(np.clip((axis.coordinate(value) - low) / (high - low), 0, 1))
