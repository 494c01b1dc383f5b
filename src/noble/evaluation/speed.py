"""How fast an operator answers, next to the simulators that it stands in for, in one run on one machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from noble.evaluation.answers import outside_hull_expected
from noble.evaluation.evaluate import fresh_plan
from noble.progress import Progress
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.results import Result
from noble.stimuli import Stimulus
from noble.traces import TimeGrid

if TYPE_CHECKING:
    from noble.cells import HallOfFame
    from noble.data import GenerationConfig
    from noble.operator import Operator

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


@dataclass(frozen=True, repr=False)
class Speed(Result):
    """How fast an operator answers, and the simulators beside it in the same run.

    Attributes:
        ms_per_trace: median over passes of the operator's time for each trace of a batch, ms.
        ms_per_trace_range: fastest and slowest of these passes, ms.
        ms_per_trace_batch1: median time for a single trace, ms.
        speedup_vs_neuron, speedup_vs_arbor: time of the simulator over that of the operator; None where it was not measured.
        batch: traces that the operator answered at once.
        threads: threads that torch used.
        arbor_seconds_per_trace, neuron_seconds_per_trace: time of the simulators, s; None where it was not measured.
        arbor_threads: threads that Arbor used, if it says so.
        arbor_traces, neuron_traces: number of traces that were simulated.
        window_ms, dt_ms: length and sampling interval of the traces, ms.
        currents: kind of the currents; None is as in the training.
        hall: name of the hall whose models were asked.
        cores, machine, torch: cores and architecture of the machine, and version of torch.
    """

    ms_per_trace: float
    ms_per_trace_range: tuple[float, float]
    ms_per_trace_batch1: float
    speedup_vs_neuron: float | None
    speedup_vs_arbor: float | None
    batch: int
    threads: int
    arbor_seconds_per_trace: float | None
    arbor_threads: int | None
    arbor_traces: int
    neuron_seconds_per_trace: float | None
    neuron_traces: int
    window_ms: float
    dt_ms: float
    currents: str | None
    hall: str
    cores: int | None
    machine: str
    torch: str


def measure_speed(
    operator: Operator,
    hall: HallOfFame,
    *,
    arbor: Responder[Any],
    neuron: Responder[Any] | None = None,
    batch: int = 128,
    arbor_traces: int = 16,
    neuron_traces: int = 2,
    config: GenerationConfig | None = None,
    currents: str | None = None,
    progress: Progress | None = None,
) -> Speed:
    """Milliseconds a trace, and how many times faster than the simulators on the same cell and currents.

    Models and currents are drawn as for a data set, since what fires takes longer to draw. Operator and simulators answer
    through the same protocol, physical units in, mV out; what they load, build or compile at the first answer is not counted.
    The operator is timed before, between and after the simulators, and the median counts: machines change their speed.

    Args:
        operator: the operator.
        hall: the models that it learned.
        arbor: as many threads as it likes.
        neuron: serial; not measured if None. What either simulator takes to settle is counted: give them `SolverSettings`
            without.
        batch: traces that the operator answers at once.
        arbor_traces, neuron_traces: traces simulated, spread over models and amplitudes.
        currents: what the kind of these currents is called in the result.
        config: distribution of currents, and window; without it steps spread evenly over the paper's range, in its window.
        progress: called with parts done and parts in all.

    Raises:
        ValueError: for a number of traces below one.
    """
    import torch

    if min(batch, arbor_traces, 1 if neuron is None else neuron_traces) < 1:
        raise ValueError(
            f"batch is {batch}, arbor_traces {arbor_traces} and neuron_traces {neuron_traces}; expected at least 1 of each."
        )
    grid = StepProtocol().grid if config is None else config.window.grid
    simulators = {"arbor": (arbor, arbor_traces)} | ({} if neuron is None else {"neuron": (neuron, neuron_traces)})
    with outside_hull_expected():
        taken = _seconds(operator, hall, simulators, batch, config, grid, progress or (lambda done, total: None))
    together = float(np.median(taken.passes))
    return Speed(
        ms_per_trace=1e3 * together,
        ms_per_trace_range=(1e3 * min(taken.passes), 1e3 * max(taken.passes)),
        ms_per_trace_batch1=1e3 * float(np.median(taken.singles)),
        speedup_vs_neuron=None if neuron is None else taken.simulators["neuron"] / together,
        speedup_vs_arbor=taken.simulators["arbor"] / together,
        batch=batch,
        threads=torch.get_num_threads(),
        arbor_seconds_per_trace=taken.simulators["arbor"],
        arbor_threads=getattr(arbor, "threads", None),
        arbor_traces=arbor_traces,
        neuron_seconds_per_trace=taken.simulators.get("neuron"),
        neuron_traces=0 if neuron is None else neuron_traces,
        window_ms=grid.duration_ms,
        dt_ms=grid.dt_ms,
        currents=currents,
        hall=hall.name,
        cores=os.cpu_count(),
        machine=platform.machine(),
        torch=torch.__version__,
    )


class _Seconds(NamedTuple):
    """Seconds for each trace: of passes over a batch, of single traces, and of the simulators by name."""

    passes: list[float]
    singles: list[float]
    simulators: dict[str, float]


def _seconds(
    operator: Operator,
    hall: HallOfFame,
    simulators: Mapping[str, tuple[Responder[Any], int]],
    batch: int,
    config: GenerationConfig | None,
    grid: TimeGrid,
    report: Progress,
) -> _Seconds:
    """Time the operator before, between and after the simulators."""
    models, stimuli = _drawn(hall, batch, config)
    neurons = hall.neurons(operator.feature_names, models)

    def operator_seconds() -> list[float]:
        return seconds_of(
            lambda: operator.respond(neurons, stimuli, grid, batch_size=batch), repeats=_REPEATS, each=batch
        )

    total = 2 + len(simulators)
    report(0, total)
    passes = operator_seconds()
    report(1, total)
    singles = seconds_of(lambda: operator.respond(neurons[-1:], stimuli[-1:], grid), repeats=_SINGLES)
    report(2, total)
    taken = {}
    for done, (name, (responder, count)) in enumerate(simulators.items(), 3):
        taken[name] = _simulation_seconds(responder, hall, count, config, grid) / count
        passes += operator_seconds()
        report(done, total)
    return _Seconds(passes, singles, taken)


def _drawn(hall: HallOfFame, count: int, config: GenerationConfig | None) -> tuple[list[int], list[Stimulus]]:
    """A model and a current for each trace: as for a data set, or steps and models spread evenly and not in the same order."""
    if config is not None:
        plan = fresh_plan(hall, config, count=count, unseen_count=0, seed=0)
        return plan.model_index.tolist(), [plan.stimulus(row) for row in range(count)]
    amplitudes = np.linspace(*AMPLITUDES_NA, count) if count > 1 else np.array(AMPLITUDES_NA[1:])
    protocol = StepProtocol()
    order = np.random.default_rng(0).permutation(len(hall))
    return [int(order[index % len(hall)]) for index in range(count)], [protocol.stimulus(value) for value in amplitudes]


def seconds_of(answer: Callable[[], object], *, repeats: int, each: int = 1) -> list[float]:
    """Seconds of so many answers, after one that is not counted, divided by how many traces `each` has."""
    answer()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        answer()
        times.append((time.perf_counter() - started) / each)
    return times


def _simulation_seconds(
    responder: Responder[Any], hall: HallOfFame, count: int, config: GenerationConfig | None, grid: TimeGrid
) -> float:
    """Seconds of so many traces, after a single one that compiles, loads and builds."""
    models, stimuli = _drawn(hall, count, config)
    cells = [hall.cell_model(index) for index in models]
    responder.respond(cells[:1], stimuli[:1], grid)
    started = time.perf_counter()
    responder.respond(cells, stimuli, grid)
    return time.perf_counter() - started
