"""What decimation costs each e-feature, next to how far the hall itself is from the recording: it justifies a data set's dt.

It stands here and not beside the data sets, since it needs the simulator's low-pass, e-features and a recording's targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from noble.cells import CellModel, HallOfFame
from noble.features import FEATURE_NAMES, unit_of
from noble.features.windows import measure_step
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.results import Result, finite_mean
from noble.simulators import SolverSettings
from noble.simulators.numerics import decimate
from noble.targets.efeatures import features_at
from noble.targets.targets import Targets
from noble.traces import TimeGrid, TraceBatch

if TYPE_CHECKING:
    import pandas as pd

FACTORS: Final = (1, 2, 3, 5, 8, 12)
"""Decimation factors that are tried unless told otherwise."""
AMPLITUDES_NA: Final = (-0.11, -0.05, 0.2, 0.28)
"""Steps that are tried where no targets say which: in the paper's range, two below rest and two that most cells fire at."""
NEGLIGIBLE_PART: Final = 0.1
"""A decimation error up to this part of the hall's error is negligible."""


@dataclass(frozen=True, repr=False)
class HallFeature(Result):
    """One e-feature of the simulations.

    Attributes:
        unit: the feature's unit.
        hall_error: mean distance of the models from the recording over traces, in that unit; None without targets.
        traces: number of traces that have the feature.
    """

    unit: str
    hall_error: float | None
    traces: int


@dataclass(frozen=True, repr=False)
class SamplingError(Result):
    """What a sampling costs one e-feature.

    Attributes:
        error: mean distance from the undecimated traces, in the feature's unit.
        of_hall_error: the same over the hall's error; None where the latter is 0 or unknown.
        lost: number of traces of which only the decimated or only the undecimated one has the feature.
    """

    error: float | None
    of_hall_error: float | None
    lost: int


@dataclass(frozen=True, repr=False)
class SamplingErrors(Result):
    """What a sampling costs all e-features.

    Attributes:
        factor: every how many samples one is kept.
        dt_ms: distance of the samples that are kept, ms.
        low_pass: whether the traces pass a low-pass first.
        features: the errors by e-feature.
        not_negligible: features whose error is too large a part of the hall's, or that are lost; None without targets.
    """

    factor: int
    dt_ms: float
    low_pass: bool
    features: Mapping[str, SamplingError]
    not_negligible: tuple[str, ...] | None


@dataclass(frozen=True, repr=False)
class JustifiedInterval(Result):
    """The largest sampling interval up to which every error is negligible, ms, with the low-pass and without it."""

    low_pass: float
    decimation_alone: float

    def of(self, *, low_pass: bool) -> float:
        """The interval with the low-pass or without it, ms."""
        return self.low_pass if low_pass else self.decimation_alone


@dataclass(frozen=True, repr=False)
class SubsamplingStudy(Result):
    """What decimation costs each e-feature, next to the hall's own error.

    Attributes:
        hall: name of the hall.
        targets: name of the targets; None without.
        native_dt_ms: sampling interval of the simulations, ms.
        step_ms: length of the steps, ms.
        models: indices of the models in the hall.
        amplitudes_na: amplitudes of the steps, nA.
        part: up to this part of the hall's error, a decimation error is negligible.
        features: the simulations' e-features by name.
        samplings: errors of each factor, first with the low-pass, then without.
        justified_dt_ms: the largest interval that costs nothing; None without targets.
    """

    hall: str
    targets: str | None
    native_dt_ms: float
    step_ms: float
    models: tuple[int, ...]
    amplitudes_na: tuple[float, ...]
    part: float
    features: Mapping[str, HallFeature]
    samplings: tuple[SamplingErrors, ...]
    justified_dt_ms: JustifiedInterval | None

    def of(self, *, low_pass: bool) -> tuple[SamplingErrors, ...]:
        """The samplings with the low-pass or those without it, ascending by interval."""
        return tuple(row for row in self.samplings if row.low_pass == low_pass)

    def to_frame(self) -> pd.DataFrame:
        """A row a feature, a column a sampling, by `low_pass` and `dt_ms`: errors in the features' units."""
        import pandas as pd

        rows = [[row.features[name].error for row in self.samplings] for name in self.features]
        columns = pd.MultiIndex.from_tuples(
            [(row.low_pass, row.dt_ms) for row in self.samplings], names=["low_pass", "dt_ms"]
        )
        return pd.DataFrame(rows, index=pd.Index(list(self.features), name="feature"), columns=columns, dtype=float)


class Sampling(NamedTuple):
    """How a simulated trace becomes a sampled one: every `factor`-th sample, after the low-pass or without it."""

    factor: int
    low_pass: bool


class _Step(NamedTuple):
    """A step, what is measured at it, and what the recording says."""

    amplitude_na: float
    wanted: Mapping[str, float]


@dataclass(frozen=True)
class _Measured:
    """One e-feature of all traces.

    Attributes:
        wanted: the recording's, shape (traces,); NaN where unknown.
        found: the models', by sampling, each of shape (traces,); NaN where there is none.
    """

    wanted: np.ndarray
    found: Mapping[Sampling, np.ndarray]

    @property
    def native(self) -> np.ndarray:
        """Measured on every sample of the simulation."""
        return self.found[Sampling(1, False)]

    @property
    def hall_error(self) -> float | None:
        """Mean distance of the models from the recording; None where nothing is known."""
        return finite_mean(np.abs(self.native - self.wanted))

    def errors(self, sampling: Sampling) -> SamplingError:
        """What a sampling costs the feature."""
        error, hall_error = finite_mean(np.abs(self.found[sampling] - self.native)), self.hall_error
        return SamplingError(
            error=error,
            of_hall_error=error / hall_error if hall_error and error is not None else None,
            lost=int(np.sum(np.isfinite(self.found[sampling]) != np.isfinite(self.native))),
        )


def subsampling_study(
    hall: HallOfFame,
    responder: Responder[CellModel],
    *,
    targets: Targets | None = None,
    factors: Sequence[int] = FACTORS,
    models: int = 10,
    amplitudes_na: Sequence[float] | None = None,
    part: float = NEGLIGIBLE_PART,
    progress: Progress | None = None,
) -> SubsamplingStudy:
    """Simulate models once at the native dt, decimate by each factor, and measure each of the sixteen e-features again.

    Features are measured as targets are (`measure_step`), with eFEL's interpolation step at the decimated dt.

    Args:
        hall: whose models.
        responder: simulates them; its integration step must be that of `SolverSettings()`.
        targets: of the recording. They say which steps and which features at each; if None, the paper's step of 400 ms at
            `AMPLITUDES_NA`, and there is no hall's error.
        factors: of decimation; 1 is the reference and may be named or not.
        models: how many, evenly spaced over the hall.
        amplitudes_na: only these steps, nA.
        part: up to this part of the hall's error, a decimation error is negligible.
        progress: called with models done and models in all.

    Raises:
        ValueError: for factors, models or a part out of range, or an amplitude at which there are no targets.
    """
    wanted_factors = sorted(set(factors) - {1})
    if min(factors, default=0) < 1 or not wanted_factors or not 1 <= models <= len(hall) or not 0 < part < 1:
        raise ValueError(
            f"factors are {list(factors)}, models {models} and part {part:g}; expected whole factors of at least 1 and one above "
            f"it, 1 to {len(hall)} models, and a part between 0 and 1."
        )
    steps = _steps(targets, amplitudes_na)
    chosen = np.unique(np.linspace(0, len(hall) - 1, models).round().astype(int)).tolist()
    samplings = [Sampling(1, False), *(Sampling(factor, low) for low in (True, False) for factor in wanted_factors)]
    step_ms = StepProtocol.step_ms if targets is None else targets.step_ms
    window_ms = StepProtocol.onset_ms + step_ms + 100.0  # as an assay has it
    protocol = StepProtocol(step_ms=step_ms, window_ms=window_ms, dt_ms=SolverSettings().dt_ms)
    report = progress or (lambda done, total: None)
    report(0, len(chosen))
    by_model = []
    for done, index in enumerate(chosen, 1):
        stimuli = [protocol.stimulus(step.amplitude_na) for step in steps]
        fine = responder.respond([hall.cell_model(index)] * len(steps), stimuli, protocol.grid)
        by_model.append({sampling: _measure(sample(fine, sampling), steps, protocol) for sampling in samplings})
        report(done, len(chosen))
    measured = _by_feature(by_model, steps)
    rows = tuple(_errors_of(sampling, measured, part, judged=targets is not None) for sampling in samplings[1:])
    return SubsamplingStudy(
        hall=hall.name,
        targets=None if targets is None else targets.name,
        native_dt_ms=protocol.dt_ms,
        step_ms=step_ms,
        models=tuple(chosen),
        amplitudes_na=tuple(step.amplitude_na for step in steps),
        part=part,
        features={
            name: HallFeature(unit_of(name), item.hall_error, int(np.isfinite(item.native).sum()))
            for name, item in measured.items()
        },
        samplings=rows,
        justified_dt_ms=None if targets is None else _justified(rows, protocol.dt_ms),
    )


def sample(fine: TraceBatch, sampling: Sampling) -> TraceBatch:
    """Traces of a simulation as a data set of another dt would hold them."""
    factor = sampling.factor
    count = fine.grid.count // factor
    if sampling.low_pass:
        voltage_mv = decimate(fine.voltage_mv[:, : count * factor], factor, count=count)
    else:
        voltage_mv = fine.voltage_mv[:, ::factor][:, :count]
    return TraceBatch(TimeGrid(fine.grid.dt_ms * factor, count), voltage_mv, fine.current_na[:, ::factor][:, :count])


def _steps(targets: Targets | None, amplitudes_na: Sequence[float] | None) -> list[_Step]:
    """The steps with those of the sixteen features that make sense at each."""
    if targets is None:
        # A trace that stays silent has no features of spikes, and drops out.
        return [
            _Step(amplitude, {name: np.nan for name in features_at(amplitude, fires=True) if name in FEATURE_NAMES})
            for amplitude in amplitudes_na or AMPLITUDES_NA
        ]
    chosen = targets.steps if amplitudes_na is None else [targets.step(amplitude) for amplitude in amplitudes_na]
    return [
        _Step(step.amplitude_na, {name: step.features[name].mean for name in FEATURE_NAMES if name in step.features})
        for step in chosen
    ]


def _measure(batch: TraceBatch, steps: Sequence[_Step], protocol: StepProtocol) -> list[dict[str, np.ndarray]]:
    """The features of each step, by the steps' traces."""
    return [
        measure_step(
            batch.take([row]),
            onset_ms=protocol.onset_ms,
            offset_ms=protocol.offset_ms,
            step_ms=protocol.step_ms,
            names=tuple(step.wanted),
        )
        for row, step in enumerate(steps)
    ]


def _by_feature(
    by_model: Sequence[Mapping[Sampling, Sequence[Mapping[str, np.ndarray]]]], steps: Sequence[_Step]
) -> dict[str, _Measured]:
    """Each of the sixteen that some trace has."""
    measured = {}
    for name in FEATURE_NAMES:
        rows = [row for row, step in enumerate(steps) if name in step.wanted]
        found = {
            sampling: np.array([float(of_model[sampling][row][name][0]) for of_model in by_model for row in rows])
            for sampling in by_model[0]
        }
        if any(np.isfinite(values).any() for values in found.values()):
            measured[name] = _Measured(np.tile([steps[row].wanted[name] for row in rows], len(by_model)), found)
    return measured


def _errors_of(sampling: Sampling, measured: Mapping[str, _Measured], part: float, *, judged: bool) -> SamplingErrors:
    """A sampling's row of the results."""
    features = {name: item.errors(sampling) for name, item in measured.items()}
    above = tuple(
        name
        for name, item in measured.items()
        if features[name].lost or (features[name].error or 0.0) > part * (item.hall_error or 0.0)
    )
    return SamplingErrors(
        factor=sampling.factor,
        dt_ms=round(sampling.factor * SolverSettings().dt_ms, 9),
        low_pass=sampling.low_pass,
        features=features,
        not_negligible=above if judged else None,
    )


def _justified(rows: Sequence[SamplingErrors], native_dt_ms: float) -> JustifiedInterval:
    """The largest interval up to which nothing is above the part; the simulation's own costs nothing.

    A larger one may pass by luck, where samples happen to fall on the peaks; it does not count.
    """

    def largest(low_pass: bool) -> float:
        passed = native_dt_ms
        for row in sorted((row for row in rows if row.low_pass == low_pass), key=lambda row: row.dt_ms):
            if row.not_negligible:
                break
            passed = max(passed, row.dt_ms)
        return passed

    return JustifiedInterval(low_pass=largest(True), decimation_alone=largest(False))
