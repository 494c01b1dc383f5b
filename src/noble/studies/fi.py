"""The F-I curves of a whole family: the operator's, beside a simulator's, a recording's and what the hall measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from noble.comparison.comparable import comparable_sweeps
from noble.evaluation.answers import outside_hull_expected
from noble.family import family_features, family_models
from noble.features.neurons import Neurons
from noble.progress import Tracking, untracked
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.results import INLINE, UNWRITTEN, Result
from noble.studies.fi_curves import (
    FamilyCurves,
    ModelCurve,
    SimulatedRates,
    compare_curves,
    family_rates_hz,
    fi_amplitudes_na,
    recorded_points,
    summarise_curves,
)

if TYPE_CHECKING:
    import pandas as pd

    from noble.cells import CellModel, HallOfFame
    from noble.operator import Operator
    from noble.recordings import Recording


@dataclass(frozen=True, repr=False)
class RecordedCurve(Result):
    """The F-I curve of a recording.

    Attributes:
        source, sha256: name and SHA-256 of the file.
        junction_potential_mv: what was subtracted from the recorded voltage, mV.
        step_ms: median length of the steps, ms.
        rated_ms: how much of each step the rates are taken over, ms.
        points: amplitude (nA) and rate (Hz) of each sweep, shape (sweeps, 2).
        unusable: sweeps that are not used, and why.
    """

    source: str
    sha256: str
    junction_potential_mv: float
    step_ms: float
    rated_ms: float
    points: np.ndarray
    unusable: Mapping[str, str]


@dataclass(frozen=True, repr=False)
class FIStudy(Result):
    """F-I curves of a family, and how right they are.

    Attributes:
        models: the family: `hall`, `hull` or `disc:MODEL:RADIUS`.
        neurons: number of neurons.
        seed: seed of their draw.
        seconds: time that predicting the curves took, s.
        step_ms: length of the steps, ms.
        curves: the family's curves in a few numbers.
        per_model: predicted curves of the hall's models beside what was measured and simulated of these.
        recording: curve of the recording; None without one.
        rates_hz: the predicted rates, shape (neurons, amplitudes), Hz.
        simulated: the simulated rates; None where nothing was simulated.
    """

    models: str
    neurons: int
    seed: int
    seconds: float
    step_ms: float
    curves: FamilyCurves = field(metadata=INLINE)
    per_model: tuple[ModelCurve, ...]
    recording: RecordedCurve | None
    rates_hz: np.ndarray = field(metadata=UNWRITTEN)
    simulated: SimulatedRates | None = field(metadata=UNWRITTEN)

    def to_frame(self) -> pd.DataFrame:
        """Predicted rates in Hz: a row an amplitude (nA), a column a neuron."""
        import pandas as pd

        amplitudes = pd.Index(self.curves.amplitudes_na, name="amplitude_na")
        return pd.DataFrame(self.rates_hz.T, index=amplitudes).rename_axis(columns="neuron")


def fi_study(
    operator: Operator,
    hall: HallOfFame,
    *,
    models: str = "hall",
    count: int = 50,
    seed: int = 0,
    amplitudes: int = 500,
    low_na: float | None = None,
    high_na: float | None = None,
    simulator: Responder[CellModel] | None = None,
    simulated_amplitudes: int = 12,
    recording: Recording | None = None,
    protocol: StepProtocol | None = None,
    tracking: Tracking = untracked,
) -> FIStudy:
    """Predict the F-I curves of a family, and compare them with what is known.

    Args:
        operator: who answers.
        hall: the models that it learned.
        models: the family: `hall` (its training models), `hull`, or `disc:MODEL:RADIUS`; see `noble.family.family_features`.
        count: neurons to draw from hull or disc.
        seed: seed of their draw.
        amplitudes: number of step amplitudes.
        low_na, high_na: lowest and highest amplitude, nA; if None, such that every curve is seen whole.
        simulator: simulates the training models, or the disc's model; nothing is simulated if None.
        simulated_amplitudes: at how many of the amplitudes.
        recording: its firing rates are shown, too.
        protocol: the step; the paper's if None.
        tracking: lends a progress to each part of the work.

    Raises:
        ValueError: for a family that does not exist, amplitudes out of order, or a recording without a comparable sweep.
    """
    recording = None if recording is None else comparable_sweeps(recording, holding_na=operator.holding_na)
    step = protocol or StepProtocol()
    neurons = family_features(operator.spec, hall, models, count=count, seed=seed)
    among = family_models(hall, models)
    thresholds = hall.feature_table(("rheobase", "fi_gain"))[[*hall.train, *among], 0]
    amplitudes_na = fi_amplitudes_na(thresholds, count=amplitudes, low_na=low_na, high_na=high_na)
    if high_na is None and recording is not None:  # every point of the recording has its place
        highest = max([float(amplitudes_na[-1]), *recording.by_amplitude()])
        amplitudes_na = fi_amplitudes_na(thresholds, count=amplitudes, low_na=low_na, high_na=highest)
    started = time.perf_counter()
    rates = _predicted(operator, neurons, amplitudes_na, step, tracking)
    seconds = time.perf_counter() - started
    simulated = None
    if simulator is not None:
        simulated = _simulated(simulator, hall, among, amplitudes_na, simulated_amplitudes, step, tracking)
    # No neuron of the hull is a model, so models are predicted beside it only where they are simulated.
    compared = () if models == "hull" and simulated is None else among
    own = rates
    if models != "hall":
        known = hall.neurons(operator.feature_names, compared)
        own = _predicted(operator, known, amplitudes_na, step, tracking)
    rheobase_na, gain = hall.feature_table(("rheobase", "fi_gain"))[list(compared)].T
    requested = dict(zip(neurons.names, neurons.values.T, strict=True))
    return FIStudy(
        models=models,
        neurons=len(neurons),
        seed=seed,
        seconds=seconds,
        step_ms=step.step_ms,
        curves=summarise_curves(amplitudes_na, rates, requested=requested),
        per_model=compare_curves(compared, amplitudes_na, own, rheobase_na, gain, simulated=simulated),
        recording=None if recording is None else _recorded(recording, step.step_ms),
        rates_hz=rates,
        simulated=simulated,
    )


def _predicted(
    operator: Operator, neurons: Neurons, amplitudes_na: np.ndarray, step: StepProtocol, tracking: Tracking
) -> np.ndarray:
    """Firing rates that the operator predicts of neurons, shape (neurons, amplitudes), Hz."""
    if len(neurons) == 0:
        return np.empty((0, len(amplitudes_na)))
    with outside_hull_expected(), tracking("predicting") as progress:
        return family_rates_hz(operator, neurons, amplitudes_na, step, progress=progress)


def _simulated(
    simulator: Responder[CellModel],
    hall: HallOfFame,
    models: tuple[int, ...],
    amplitudes_na: np.ndarray,
    count: int,
    step: StepProtocol,
    tracking: Tracking,
) -> SimulatedRates:
    """Firing rates of some of the hall's models at amplitudes that are spread evenly over the curve."""
    indices = np.unique(np.linspace(0, len(amplitudes_na) - 1, count).round().astype(int))
    cells = [hall.cell_model(index) for index in models]
    with tracking("simulating") as progress:
        rates = family_rates_hz(simulator, cells, amplitudes_na[indices], step, progress=progress)
    return SimulatedRates(indices, amplitudes_na[indices], rates)


def _recorded(recording: Recording, step_ms: float) -> RecordedCurve:
    """Points of the recording's curve over as much of its steps as was predicted."""
    return RecordedCurve(
        source=recording.source,
        sha256=recording.sha256,
        junction_potential_mv=recording.junction_potential_mv,
        step_ms=float(np.median([sweep.step_ms for sweep in recording.sweeps])),
        rated_ms=min(step_ms, *(sweep.step_ms for sweep in recording.sweeps)),
        points=recorded_points(recording, step_ms),
        unusable=recording.unusable,
    )
