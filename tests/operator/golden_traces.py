"""Golden traces: what simulated neurons answered, kept in a file a hall, and how far an operator is from them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from noble.cells import HallOfFame
from noble.features import extract
from noble.features.neurons import Neurons
from noble.operator import Operator
from noble.protocols import StepProtocol
from noble.spikes import spike_times_ms
from noble.stimuli import Step, Stimulus, from_dict
from noble.traces import TraceBatch

FOLDER: Final = Path(__file__).parent / "golden"
PROTOCOL: Final = StepProtocol()
FEATURES: Final = ("AP1_width", "AP1_peak", "AHP_depth", "steady_state_voltage", "voltage_base")

# Every fourth sample (0.24 ms) shows a spike of 0.5 ms; a hundredth of a millivolt is below every error that is bounded.
KEPT_EVERY: Final = 4
MV_PER_CODE: Final = 0.01


@dataclass(frozen=True)
class Golden:
    """Simulated answers of models of one hall.

    Attributes:
        models: index in the hall of the model behind each trace, shape (traces,).
        scores: score of that model, which tells another hall of the same name apart, shape (traces,).
        stimuli: the current of each trace.
        voltage_mv: every `KEPT_EVERY`-th sample of the window of `PROTOCOL`, shape (traces, samples), mV.
        spikes_ms: spike times of each trace, ms.
        features: e-features in the order of `FEATURES`, NaN where there is none, shape (traces, features).
    """

    models: np.ndarray
    scores: np.ndarray
    stimuli: tuple[Stimulus, ...]
    voltage_mv: np.ndarray
    spikes_ms: tuple[np.ndarray, ...]
    features: np.ndarray

    @property
    def steps(self) -> np.ndarray:
        """Indices of the traces under a current step."""
        return np.flatnonzero([isinstance(stimulus, Step) for stimulus in self.stimuli])

    @property
    def others(self) -> np.ndarray:
        """Indices of the traces under any other current."""
        return np.flatnonzero([not isinstance(stimulus, Step) for stimulus in self.stimuli])


def save(name: str, hall: HallOfFame, models: np.ndarray, stimuli: Iterable[Stimulus], traces: TraceBatch) -> Path:
    """Write the golden file of a hall: what was simulated, and what was measured in it."""
    spikes = [spike_times_ms(row, dt_ms=traces.grid.dt_ms) for row in traces.voltage_mv]
    path = FOLDER / f"{name}.npz"
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        models=models,
        scores=[hall.models[index].score for index in models],
        stimuli=[json.dumps(stimulus.to_dict()) for stimulus in stimuli],
        voltage_codes=np.round(traces.voltage_mv[:, ::KEPT_EVERY] / MV_PER_CODE).astype(np.int16),
        spikes_ms=np.concatenate(spikes),
        spike_counts=[row.size for row in spikes],
        features=_features(traces),
        feature_names=FEATURES,
        made_by=json.dumps(dict(traces.provenance)),
    )
    return path


def load(name: str) -> Golden:
    """Read the golden file of a hall."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as content:
        assert tuple(content["feature_names"]) == FEATURES
        return Golden(
            models=content["models"],
            scores=content["scores"],
            stimuli=tuple(from_dict(json.loads(str(text))) for text in content["stimuli"]),
            voltage_mv=content["voltage_codes"] * MV_PER_CODE,
            spikes_ms=tuple(np.split(content["spikes_ms"], np.cumsum(content["spike_counts"])[:-1])),
            features=content["features"],
        )


def answers(operator: Operator, hall: HallOfFame, golden: Golden, rows: np.ndarray) -> TraceBatch:
    """What an operator answers where the golden traces in these rows were simulated."""
    neurons = hall.feature_table(operator.spec.names)[golden.models[rows]]
    return operator.respond(
        Neurons(operator.feature_names, neurons), [golden.stimuli[row] for row in rows], PROTOCOL.grid
    )


def errors(answered: TraceBatch, golden: Golden, rows: np.ndarray) -> dict[str, float]:
    """How far answers are from the golden traces in these rows.

    Returns:
        relative_l2_percent: mean over traces of the norm of the error over the norm of the voltage.
        wrong_counts: number of traces with another number of spikes.
        spike_time_median_ms, spike_time_p90_ms: of the distance of the k-th spikes, over all spikes of all traces.
        AP1_width and the other `FEATURES`: mean absolute error over the traces that have the feature; infinite if the answer to
            one of these lacks it.
    """
    voltage_mv = golden.voltage_mv[rows]
    error = np.linalg.norm(answered.voltage_mv[:, ::KEPT_EVERY] - voltage_mv, axis=1)
    ours = [spike_times_ms(row, dt_ms=answered.grid.dt_ms) for row in answered.voltage_mv]
    theirs = [golden.spikes_ms[row] for row in rows]
    times = np.concatenate([np.abs(a[: b.size] - b[: a.size]) for a, b in zip(ours, theirs, strict=True)])
    differences = np.abs(_features(answered) - golden.features[rows])
    known = np.isfinite(golden.features[rows])
    differences[known & np.isnan(differences)] = np.inf
    return {
        "relative_l2_percent": float(np.mean(100 * error / np.linalg.norm(voltage_mv, axis=1))),
        "wrong_counts": sum(a.size != b.size for a, b in zip(ours, theirs, strict=True)),
        "spike_time_median_ms": float(np.median(times)) if times.size else np.inf,
        "spike_time_p90_ms": float(np.quantile(times, 0.9)) if times.size else np.inf,
        **{name: float(differences[known[:, k], k].mean()) for k, name in enumerate(FEATURES)},
    }


def _features(traces: TraceBatch) -> np.ndarray:
    """E-features of each trace, shape (traces, features); NaN where there is none."""
    found = extract(traces, onset_ms=PROTOCOL.onset_ms, offset_ms=PROTOCOL.offset_ms, names=FEATURES)
    return np.stack([found[name] for name in FEATURES], axis=1)
