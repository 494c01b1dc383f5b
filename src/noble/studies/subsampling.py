"""What decimation costs each e-feature, next to how far the hall itself is from the recording: it justifies a data set's dt.

It stands here and not beside the data sets, since it needs the simulator's low-pass, e-features and a recording's targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from noble.cells import CellModel, HallOfFame
from noble.features import FEATURE_NAMES, feature
from noble.features.windows import measure_step
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.simulators import SolverSettings
from noble.simulators.numerics import decimate
from noble.targets.efeatures import features_at
from noble.targets.targets import Targets
from noble.traces import TimeGrid, TraceBatch

FACTORS: Final = (1, 2, 3, 5, 8, 12)
"""Decimation factors that are tried unless told otherwise."""
AMPLITUDES_NA: Final = (-0.11, -0.05, 0.2, 0.28)
"""Steps that are tried where no targets say which: in the paper's range, two below rest and two that most cells fire at."""
NEGLIGIBLE_PART: Final = 0.1
"""A decimation error up to this part of the hall's error is negligible."""


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
        return _mean(np.abs(self.native - self.wanted))

    def errors(self, sampling: Sampling) -> dict[str, Any]:
        """`error`, `of_hall_error` and `lost` of a sampling, see `subsampling_errors`."""
        error, hall_error = _mean(np.abs(self.found[sampling] - self.native)), self.hall_error
        return {
            "error": error,
            "of_hall_error": error / hall_error if hall_error and error is not None else None,
            "lost": int(np.sum(np.isfinite(self.found[sampling]) != np.isfinite(self.native))),
        }


def subsampling_errors(
    hall: HallOfFame,
    responder: Responder[CellModel],
    *,
    targets: Targets | None = None,
    factors: Sequence[int] = FACTORS,
    models: int = 10,
    amplitudes_na: Sequence[float] | None = None,
    part: float = NEGLIGIBLE_PART,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
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

    Returns:
        JSON-ready:

        - `hall`, `targets` (names), `native_dt_ms`, `step_ms`, `models` (indices), `amplitudes_na`, `part`;
        - `features`: for each its `unit`, `hall_error` (mean |difference| of model and recording over traces, in that unit; None
          without targets) and `traces` that have it;
        - `samplings`: for each factor, with and without low-pass, `factor`, `dt_ms`, `low_pass`, `features` (for each its
          `error`, the mean |difference| from factor 1; `of_hall_error`, that over the hall's error, None where the latter is 0 or
          unknown; `lost`, traces of which only one of the two has the feature) and `not_negligible`, the features whose error is
          above the part or that are lost (None without targets);
        - `justified_dt_ms`: the largest dt at which all are negligible, under `low_pass` and `decimation_alone`; None without
          targets.

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
    rows = [_summary_of(sampling, measured, part, judged=targets is not None) for sampling in samplings[1:]]
    return {
        "hall": hall.name,
        "targets": None if targets is None else targets.name,
        "native_dt_ms": protocol.dt_ms,
        "step_ms": step_ms,
        "models": chosen,
        "amplitudes_na": [step.amplitude_na for step in steps],
        "part": part,
        "features": {
            name: {
                "unit": feature(name).unit,
                "hall_error": item.hall_error,
                "traces": int(np.isfinite(item.native).sum()),
            }
            for name, item in measured.items()
        },
        "samplings": rows,
        "justified_dt_ms": None
        if targets is None
        else {
            "low_pass": _largest_dt(rows, protocol.dt_ms, low_pass=True),
            "decimation_alone": _largest_dt(rows, protocol.dt_ms, low_pass=False),
        },
    }


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


def _summary_of(sampling: Sampling, measured: Mapping[str, _Measured], part: float, *, judged: bool) -> dict[str, Any]:
    """A sampling's row of the results."""
    features = {name: item.errors(sampling) for name, item in measured.items()}
    above = [
        name
        for name, item in measured.items()
        if features[name]["lost"] or (features[name]["error"] or 0.0) > part * (item.hall_error or 0.0)
    ]
    return {
        "factor": sampling.factor,
        "dt_ms": round(sampling.factor * SolverSettings().dt_ms, 9),
        "low_pass": sampling.low_pass,
        "features": features,
        "not_negligible": above if judged else None,
    }


def _largest_dt(rows: Sequence[Mapping[str, Any]], native_dt_ms: float, *, low_pass: bool) -> float:
    """The largest dt up to which nothing is above the part; the simulation's own costs nothing.

    A larger one may pass by luck, where samples happen to fall on the peaks; it does not count.
    """
    largest = native_dt_ms
    for row in sorted((row for row in rows if row["low_pass"] == low_pass), key=lambda row: row["dt_ms"]):
        if row["not_negligible"]:
            break
        largest = max(largest, row["dt_ms"])
    return largest


def _mean(values: np.ndarray) -> float | None:
    """Mean of the finite values; None without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None
