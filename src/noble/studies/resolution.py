"""How an operator that was trained at one sampling interval answers at others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.evaluation.answers import KnownTraces, compare_traces
from noble.evaluation.evaluate import fresh_plan
from noble.evaluation.metrics import TraceTable, concatenate, summarise
from noble.evaluation.results import METRICS, Summary
from noble.features import FEATURE_NAMES
from noble.progress import Progress
from noble.responders import Responder
from noble.results import INLINE, Result
from noble.traces import TimeGrid, TraceBatch

if TYPE_CHECKING:
    import pandas as pd

    from noble.cells.hall import HallOfFame
    from noble.data import GenerationConfig
    from noble.operator import Operator

# Sampling intervals are ratios of small numbers to the simulator's: 0.03 ms is 3/2 of 0.02 ms.
_LARGEST_DENOMINATOR: Final = 4


@dataclass(frozen=True, repr=False)
class Resolution(Result):
    """Errors at one sampling interval.

    Attributes:
        dt_ms: the interval, ms.
        errors: what an evaluation says there.
    """

    dt_ms: float
    errors: Summary = field(metadata=INLINE)


@dataclass(frozen=True, repr=False)
class ResolutionStudy(Result):
    """Errors of an operator at several sampling intervals.

    Attributes:
        trained_dt_ms: interval of the operator's training, ms.
        simulated_dt_ms: interval of the simulations, ms.
        traces: number of traces at each interval.
        seed: seed of their draw.
        hall: digest of the hall.
        resolutions: the errors, ascending by interval.
    """

    trained_dt_ms: float
    simulated_dt_ms: float
    traces: int
    seed: int
    hall: str
    resolutions: tuple[Resolution, ...]

    def to_frame(self) -> pd.DataFrame:
        """A row an interval (ms), a column a number of `noble.evaluation.METRICS`."""
        import pandas as pd

        rows = [[row.errors.number(key) for key in METRICS] for row in self.resolutions]
        intervals = pd.Index([row.dt_ms for row in self.resolutions], name="dt_ms")
        return pd.DataFrame(rows, index=intervals, columns=list(METRICS), dtype=float)


def resolution_study(
    operator: Operator,
    hall: HallOfFame,
    responder: Responder[Any],
    *,
    dts_ms: Sequence[float],
    count: int,
    seed: int,
    config: GenerationConfig,
    batch_size: int = 8,
    feature_names: Sequence[str] = FEATURE_NAMES,
    progress: Progress | None = None,
) -> ResolutionStudy:
    """Errors of an operator at several sampling intervals, on fresh currents of training models.

    Every trace is simulated once, at the data set's integration step, and brought to each interval as a data set would be
    (`at_resolution`). So all intervals see the same models and currents, and differ in nothing but sampling.

    Args:
        operator: the operator.
        hall: the models that it learned.
        responder: simulates them.
        dts_ms: sampling intervals, at least the integration step, ms.
        count: traces.
        seed: seed of the draw.
        config: distribution of the currents, window and integration step of the operator's data.
        batch_size: traces simulated, predicted and held at once; one of the paper's takes 0.2 MB at 0.02 ms.
        feature_names: e-features to compare.
        progress: called with (traces done, traces in all).

    Raises:
        ValueError: for no interval, one twice or one that the simulation cannot be brought to, a count below one, or a hall
            that lacks a feature.
    """
    window = config.window
    grids = [TimeGrid.spanning(window.window_ms, dt_ms=dt_ms) for dt_ms in sorted(dts_ms)]
    if not grids or len(set(grids)) < len(grids):
        raise ValueError(f"the sampling intervals are {list(dts_ms)} ms; expected at least one, and each once.")
    fine_grid = TimeGrid.spanning(window.window_ms, dt_ms=window.simulation_dt_ms)
    for grid in grids:
        _ratio(fine_grid, grid)  # refused before anything is simulated
    plan = fresh_plan(hall, config, count=count, unseen_count=0, seed=seed)
    neurons = hall.neurons(operator.feature_names)
    thresholds = np.array([model.features.get("rheobase", np.nan) for model in hall.models])
    tables: dict[TimeGrid, list[TraceTable]] = {grid: [] for grid in grids}
    report = progress or (lambda done, total: None)
    report(0, count)
    for start in range(0, count, batch_size):
        rows = range(start, min(start + batch_size, count))
        models, stimuli = plan.model_index[rows.start : rows.stop], [plan.stimulus(row) for row in rows]
        fine = responder.respond([hall.cell_model(int(index)) for index in models], stimuli, fine_grid)
        for grid in grids:
            known = KnownTraces(neurons.take(models), stimuli, at_resolution(fine, grid), thresholds[models])
            table = compare_traces(operator, known, grid, window, feature_names=feature_names)
            tables[grid].append(table)
        report(rows.stop, count)
    return ResolutionStudy(
        trained_dt_ms=operator.grid.dt_ms,
        simulated_dt_ms=fine_grid.dt_ms,
        traces=count,
        seed=seed,
        hall=hall.digest,
        resolutions=tuple(Resolution(grid.dt_ms, summarise(concatenate(found))) for grid, found in tables.items()),
    )


def at_resolution(fine: TraceBatch, grid: TimeGrid) -> np.ndarray:
    """Voltage of finely sampled traces on a coarser grid, by low-pass and decimation as in a data set.

    Where the new interval is no multiple of the old one (0.03 ms from 0.02), a cubic spline first refines the traces to a common
    divisor of both. At 0.02 ms a spike is so well resolved that the spline adds less than the simulator's own error.

    Args:
        fine: the traces, not shorter than the grid but for one sample.
        grid: where the voltage is wanted.

    Returns:
        Shape (batch, grid.count), mV.

    Raises:
        ValueError: for an interval that is finer, or no simple fraction of the traces'.
    """
    from noble.simulators.numerics import decimate

    ratio = _ratio(fine.grid, grid)
    voltage_mv = fine.voltage_mv
    if ratio.denominator > 1:
        from scipy.interpolate import CubicSpline

        instants = np.arange(grid.count * ratio.numerator) * fine.grid.dt_ms / ratio.denominator
        voltage_mv = CubicSpline(fine.grid.times_ms, voltage_mv, axis=1)(instants)
    return decimate(voltage_mv[:, : grid.count * ratio.numerator], ratio.numerator, count=grid.count)


def _ratio(fine: TimeGrid, grid: TimeGrid) -> Fraction:
    """Sampling interval of a grid over that of a finer one, as a fraction of small numbers."""
    ratio = Fraction(grid.dt_ms / fine.dt_ms).limit_denominator(_LARGEST_DENOMINATOR)
    if ratio < 1 or abs(float(ratio) * fine.dt_ms - grid.dt_ms) > 1e-9:
        raise ValueError(
            f"dt {grid.dt_ms:g} ms cannot be had from a simulation at {fine.dt_ms:g} ms; choose a multiple of it or of its "
            f"half, third or quarter, and at least {fine.dt_ms:g} ms itself."
        )
    return ratio
