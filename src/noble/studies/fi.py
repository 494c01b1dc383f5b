"""The F-I curves of a whole family: the operator's, beside a simulator's, a recording's and what the hall measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.comparison.comparable import comparable_sweeps
from noble.evaluation.answers import outside_hull_expected
from noble.family import ONE_NEURON, family_features, family_models, usual_family
from noble.features.excitability import rheobase
from noble.features.neurons import Neurons
from noble.progress import Tracking, untracked
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.results import IF_KNOWN, INLINE, UNWRITTEN, Result
from noble.studies.fi_curves import (
    FamilyCurves,
    ModelCurve,
    SimulatedRates,
    compare_curves,
    estimate,
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

# The threshold of one neuron is looked for up to here at least; one that never fires is shown from 0 on.
_SEARCHED_NA: Final = 0.5
_NEVER_FIRES_NA: Final = 0.01


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
        models: the family: `hall`, `hull`, `disc:MODEL:RADIUS` or `one neuron`.
        neurons: number of neurons.
        seed: seed of their draw.
        seconds: time that predicting the curves took, s.
        step_ms: length of the steps, ms.
        curves: the family's curves in a few numbers.
        per_model: predicted curves of the hall's models beside what was measured and simulated of these.
        recording: curve of the recording; None without one.
        rates_hz: the predicted rates, shape (neurons, amplitudes), Hz.
        simulated: the simulated rates; None where nothing was simulated.
        rheobase_na, fi_gain_hz_per_na: of one neuron without features, estimated from its curve; None where it shows none.
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
    rheobase_na: float | None = field(default=None, metadata=IF_KNOWN)
    fi_gain_hz_per_na: float | None = field(default=None, metadata=IF_KNOWN)

    def to_frame(self) -> pd.DataFrame:
        """Predicted rates in Hz: a row an amplitude (nA), a column a neuron."""
        import pandas as pd

        amplitudes = pd.Index(self.curves.amplitudes_na, name="amplitude_na")
        return pd.DataFrame(self.rates_hz.T, index=amplitudes).rename_axis(columns="neuron")


def fi_study(
    operator: Operator,
    hall: HallOfFame | None,
    *,
    models: str | None = None,
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
        hall: the models that it learned; None for an operator of one neuron.
        models: the family: `hall` (its training models), `hull`, or `disc:MODEL:RADIUS`; see `noble.family.family_features`. If
            None, the one neuron of an operator without features, or else the training models.
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
        ValueError: for a family that does not exist, amplitudes out of order, a recording without a comparable sweep, or a
            simulator beside one neuron.
    """
    recording = None if recording is None else comparable_sweeps(recording, holding_na=operator.holding_na)
    step = protocol or StepProtocol()
    models = models or usual_family(operator.spec)
    neurons = family_features(operator.spec, hall, models, count=count, seed=seed)
    if models == ONE_NEURON:
        hall = None  # whose models are none of it
    if simulator is not None:
        operator.spec.check_family("a comparison with simulated models")
    among = () if hall is None else family_models(hall, models)
    thresholds = _thresholds_na(operator, hall, among, step)
    amplitudes_na = fi_amplitudes_na(thresholds, count=amplitudes, low_na=low_na, high_na=high_na)
    if high_na is None and recording is not None:  # every point of the recording has its place
        highest = max([float(amplitudes_na[-1]), *recording.by_amplitude()])
        amplitudes_na = fi_amplitudes_na(thresholds, count=amplitudes, low_na=low_na, high_na=highest)
    started = time.perf_counter()
    rates = _predicted(operator, neurons, amplitudes_na, step, tracking)
    seconds = time.perf_counter() - started
    simulated = None
    if simulator is not None and hall is not None:
        simulated = _simulated(simulator, hall, among, amplitudes_na, simulated_amplitudes, step, tracking)
    per_model: tuple[ModelCurve, ...] = ()
    if hall is not None:
        # No neuron of the hull is a model, so models are predicted beside it only where they are simulated.
        compared = () if models == "hull" and simulated is None else among
        own = rates
        if models != "hall":
            known = hall.neurons(operator.feature_names, compared)
            own = _predicted(operator, known, amplitudes_na, step, tracking)
        rheobase_na, gain = hall.feature_table(("rheobase", "fi_gain"))[list(compared)].T
        per_model = compare_curves(compared, amplitudes_na, own, rheobase_na, gain, simulated=simulated)
    requested = dict(zip(neurons.names, neurons.values.T, strict=True))
    return FIStudy(
        models=models,
        neurons=len(neurons),
        seed=seed,
        seconds=seconds,
        step_ms=step.step_ms,
        curves=summarise_curves(amplitudes_na, rates, requested=requested),
        per_model=per_model,
        recording=None if recording is None else _recorded(recording, step.step_ms),
        rates_hz=rates,
        simulated=simulated,
        **(_own_estimates(amplitudes_na, rates) if models == ONE_NEURON else {}),
    )


def _own_estimates(amplitudes_na: np.ndarray, rates_hz: np.ndarray) -> dict[str, float | None]:
    """Threshold and slope of the one neuron, from its curve."""
    found = estimate(amplitudes_na, rates_hz)
    pair = {"rheobase_na": found.rheobase_na[0], "fi_gain_hz_per_na": found.fi_gain_hz_per_na[0]}
    return {name: float(value) if np.isfinite(value) else None for name, value in pair.items()}


def _thresholds_na(
    operator: Operator, hall: HallOfFame | None, among: tuple[int, ...], step: StepProtocol
) -> np.ndarray:
    """Rheobases that the amplitudes are spread round, nA: the hall's, or that of the one neuron, as the operator answers."""
    if hall is not None:
        return hall.feature_table(("rheobase", "fi_gain"))[[*hall.train, *among], 0]
    highest_na = _SEARCHED_NA if operator.scope is None else max(_SEARCHED_NA, operator.scope.highest_na)
    with outside_hull_expected():
        [found] = rheobase(operator, operator.neurons(), step, low_na=0.0, high_na=highest_na)
    return np.array([found if np.isfinite(found) else _NEVER_FIRES_NA])


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
