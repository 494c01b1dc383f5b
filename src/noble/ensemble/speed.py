"""How fast an operator answers, next to the simulators that it stands in for, in one run on one machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.ensemble.evaluate import outside_hull_expected
from noble.excitability import Responder, StepProtocol
from noble.stimuli import Stimulus
from noble.traces import TimeGrid

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.operator import Noble

STABLE_SPEED_KEYS: Final = (
    "ms_per_trace",
    "ms_per_trace_batch1",
    "speedup_vs_neuron",
    "speedup_vs_arbor",
    "batch",
    "threads",
)
"""Keys that scripts may rely on."""

AMPLITUDES_NA: Final = (-0.11, 0.28)  # the paper's range
# Whole passes over the batch that are timed, of which the median counts.
_REPEATS: Final = 5
_SINGLES: Final = 10


def measure_speed(
    noble: Noble,
    hall: HallOfFame,
    *,
    arbor: Responder[Any],
    neuron: Responder[Any] | None = None,
    batch: int = 128,
    arbor_traces: int = 16,
    neuron_traces: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Milliseconds a trace, and how many times faster than the simulators on the same cell and currents.

    Every trace has a model and a step amplitude of its own, both spread evenly over hall and range, in the paper's window of
    515 ms at dt 0.06 ms. Operator and simulators answer through the same protocol, physical units in, mV out; what they load,
    build or compile at the first answer is not counted.

    Args:
        noble: the operator.
        hall: the models that it learned.
        arbor: as many threads as it likes.
        neuron: serial; not measured if None.
        batch: traces that the operator answers at once.
        arbor_traces, neuron_traces: traces simulated, spread over models and amplitudes.
        progress: called with parts done and parts in all.

    Returns:
        `STABLE_SPEED_KEYS` (`speedup_vs_neuron` is None where it was not measured), seconds a trace of the simulators, and
        the machine.

    Raises:
        ValueError: for a number of traces below one.
    """
    import torch

    if min(batch, arbor_traces, 1 if neuron is None else neuron_traces) < 1:
        raise ValueError(
            f"batch is {batch}, arbor_traces {arbor_traces} and neuron_traces {neuron_traces}; expected at least 1 of each."
        )
    report = progress or (lambda done, total: None)
    grid, table = StepProtocol().grid, hall.feature_table(noble.feature_names)
    report(0, 4)
    with outside_hull_expected():
        models, stimuli = _drawn(len(hall), batch)
        together = (
            median_seconds(lambda: noble.predict(table[models], stimuli, grid, batch_size=batch), _REPEATS) / batch
        )
        report(1, 4)
        alone = median_seconds(lambda: noble.predict(table[models[-1:]], stimuli[-1:], grid), _SINGLES)
        report(2, 4)
    seconds: dict[str, float | None] = {}
    for done, (name, responder, count) in enumerate(
        (("arbor", arbor, arbor_traces), ("neuron", neuron, neuron_traces)), 3
    ):
        seconds[name] = None if responder is None else _simulation_seconds(responder, hall, count, grid) / count
        report(done, 4)
    faster = {name: None if value is None else value / together for name, value in seconds.items()}
    return {
        "ms_per_trace": 1e3 * together,
        "ms_per_trace_batch1": 1e3 * alone,
        "speedup_vs_neuron": faster["neuron"],
        "speedup_vs_arbor": faster["arbor"],
        "batch": batch,
        "threads": torch.get_num_threads(),
        "arbor_seconds_per_trace": seconds["arbor"],
        "arbor_threads": getattr(arbor, "threads", None),
        "arbor_traces": arbor_traces,
        "neuron_seconds_per_trace": seconds["neuron"],
        "neuron_traces": 0 if neuron is None else neuron_traces,
        "window_ms": grid.duration_ms,
        "dt_ms": grid.dt_ms,
        "hall": hall.name,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "torch": torch.__version__,
    }


def _drawn(models: int, count: int) -> tuple[list[int], list[Stimulus]]:
    """A model and a step for each trace, both spread evenly and not in the same order."""
    amplitudes = np.linspace(*AMPLITUDES_NA, count) if count > 1 else np.array(AMPLITUDES_NA[1:])
    protocol = StepProtocol()
    order = np.random.default_rng(0).permutation(models)
    return [int(order[index % models]) for index in range(count)], [protocol.stimulus(value) for value in amplitudes]


def median_seconds(answer: Callable[[], object], repeats: int) -> float:
    """Seconds of one answer, after one that is not counted."""
    answer()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        answer()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def _simulation_seconds(responder: Responder[Any], hall: HallOfFame, count: int, grid: TimeGrid) -> float:
    """Seconds of so many traces, after a single one that compiles, loads and builds."""
    models, stimuli = _drawn(len(hall), count)
    cells = [hall.cell_model(index) for index in models]
    responder.respond(cells[:1], stimuli[:1], grid)
    started = time.perf_counter()
    responder.respond(cells, stimuli, grid)
    return time.perf_counter() - started
