"""A neuron's trials beside those of an operator: how alike spikes and voltage are, and whether its chances are calibrated."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch

from noble.comparison.calibration import Calibration, calibration, rescaled_intervals
from noble.comparison.reliability import Reliability, reliability
from noble.comparison.repeats import Repeats
from noble.comparison.subthreshold import voltage_explained
from noble.features.neurons import Neurons
from noble.operator import Operator
from noble.operator.core import Examples
from noble.operator.feedback.core import EDGE_MS
from noble.operator.scope import OutsideTrainingWarning
from noble.results import UNWRITTEN, Result, plain
from noble.stimuli import Sampled

# Of drawn trials among themselves, so many are compared pair by pair at most.
_MOST_COMPARED: Final = 40
_FEWEST_INTERVALS: Final = 20


@dataclass(frozen=True, repr=False)
class TrialComparison(Result):
    """Repeats of a neuron, and an operator beside them.

    Attributes:
        source: name of the recording.
        sweeps: names of the repeats.
        start_ms, duration_ms: the part of them that is looked at.
        reliability: of the neuron, with the operator's deterministic answer and its drawn trials beside it.
        drawn: the drawn trials among themselves; None without an operator.
        variance_explained: of the voltage of a repeat by the deterministic answer, spikes cut out.
        variance_explained_by_repeats: by another repeat.
        calibration: of the chance of spikes, given those before.
        repeats: what was compared.
        deterministic_ms, drawn_ms: spikes of the operator, from the start of the part, ms.
        voltage_mv: of the deterministic answer, from the first sample of the sweeps on, mV.
        training_minutes: of a twin.
    """

    source: str
    sweeps: tuple[str, ...]
    start_ms: float
    duration_ms: float
    reliability: Reliability
    drawn: Reliability | None = None
    variance_explained: float | None = None
    variance_explained_by_repeats: float | None = None
    calibration: Calibration | None = None
    training_minutes: float | None = None
    repeats: Repeats | None = field(default=None, metadata=UNWRITTEN)
    deterministic_ms: np.ndarray | None = field(default=None, metadata=UNWRITTEN)
    drawn_ms: tuple[np.ndarray, ...] = field(default=(), metadata=UNWRITTEN)
    voltage_mv: np.ndarray | None = field(default=None, metadata=UNWRITTEN)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, flat: the neuron's numbers, `twin_` before those of the drawn trials among themselves."""
        told = {key: plain(getattr(self, key)) for key in ("source", "sweeps", "start_ms", "duration_ms")}
        told |= self.reliability.to_dict()
        if self.drawn is None:
            return told
        told |= {
            f"twin_{key}": value for key, value in self.drawn.to_dict().items() if not key.startswith("coincidence")
        }
        explained, by_repeats = self.variance_explained, self.variance_explained_by_repeats
        return told | {
            "variance_explained": explained,
            "variance_explained_by_repeats": by_repeats,
            "variance_explained_share": explained / by_repeats if explained is not None and by_repeats else None,
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "training_minutes": self.training_minutes,
        }


def compare_trials(
    repeats: Repeats, operator: Operator | None = None, *, trials: int = 100, seed: int = 0
) -> TrialComparison:
    """How reliable a neuron is, and how near an operator of it comes.

    Args:
        repeats: answers of the neuron to one current.
        operator: of one neuron that has no features; None for the neuron alone.
        trials: to draw from it, at least two.
        seed: of the trials.

    Raises:
        ValueError: for an operator of a family, or one that draws no trials.
    """
    own = repeats.spikes_ms
    facts = repeats.source, tuple(sweep.name for sweep in repeats.sweeps), repeats.start_ms, repeats.duration_ms
    if operator is None:
        return TrialComparison(*facts, reliability(own, duration_ms=repeats.duration_ms), repeats=repeats)
    if len(operator.spec):
        raise ValueError(
            f"{operator.name or 'the operator'} is one of a family of neurons; expected the twin of one, as noble twin makes it."
        )
    neuron, grid = Neurons((), np.empty((1, 0))), repeats.grid
    stimulus = Sampled(repeats.current_na - operator.holding_na, grid.dt_ms)
    voltage = operator.respond(neuron, [stimulus], grid).voltage_mv[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideTrainingWarning)  # the current is the one that was warned of
        (deterministic,) = operator.spike_times(neuron, [stimulus], grid)
        (drawn,) = operator.spike_trials(neuron, [stimulus], grid, trials=trials, seed=seed)
    fired, several = repeats.counted(deterministic), tuple(repeats.counted(train) for train in drawn)
    part = slice(round(repeats.start_ms / grid.dt_ms), None)
    explained = voltage_explained(repeats.voltage_mv[:, part], own, voltage[part], fired, dt_ms=grid.dt_ms)
    return TrialComparison(
        *facts,
        reliability(own, duration_ms=repeats.duration_ms, deterministic=fired, drawn=several),
        drawn=reliability(several[:_MOST_COMPARED], duration_ms=repeats.duration_ms),
        variance_explained=explained.model,
        variance_explained_by_repeats=explained.repeats,
        calibration=_calibration(operator, repeats, seed),
        training_minutes=(operator.provenance.get("recording") or {}).get("training_minutes"),
        repeats=repeats,
        deterministic_ms=fired,
        drawn_ms=several,
        voltage_mv=voltage,
    )


def _calibration(operator: Operator, repeats: Repeats, seed: int) -> Calibration | None:
    """Of the chances that the operator gives when it is told each repeat's own spikes; None for few spikes."""
    count, dt_ms = len(repeats.sweeps), repeats.grid.dt_ms
    trains = [sweep.peaks[sweep.peaks < repeats.grid.count] * dt_ms for sweep in repeats.sweeps]
    spikes = np.full((count, max(1, *(train.size for train in trains))), np.inf, dtype=np.float32)
    for row, train in zip(spikes, trains, strict=True):
        row[: train.size] = train
    current = torch.from_numpy((repeats.current_na - operator.holding_na).astype(np.float32)).expand(count, -1)
    told = Examples(
        scaled_features=torch.zeros(count, 0),
        current_na=current,
        voltage_mv=torch.zeros(count, current.shape[1]),
        spikes_ms=torch.from_numpy(spikes),
        dt_ms=dt_ms,
    )
    with operator.predicting(current.numel()):
        integrated, bin_ms = operator.core.hazards(told)
    hazards = integrated.numpy() / bin_ms
    generator = np.random.default_rng(seed)
    intervals = []
    for hazard, train in zip(hazards, trains, strict=True):
        counted = train[(train >= repeats.start_ms) & (train < repeats.stop_ms)]
        bins = np.floor((counted + EDGE_MS) / bin_ms) * bin_ms
        intervals.append(rescaled_intervals(hazard, bins, dt_ms=bin_ms, generator=generator))
    return calibration(intervals) if sum(map(len, intervals)) >= _FEWEST_INTERVALS else None
