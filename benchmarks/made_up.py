"""What benchmarks share: a large store of made-up voltages, and the memory of a process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from noble.cells import HallOfFame
from noble.data import GenerationConfig, Store, TraceCounts, generate
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

HALL = "stylised-pv"
SPIKE_MV, WIDTH_MS, INTERVAL_MS = 100.0, 0.5, 20.0


class MadeUpResponder:
    """Ohm's law with noise, and a spike each 20 ms under depolarising current, the first at a random instant."""

    def __call__(self) -> MadeUpResponder:
        return self

    def respond(self, neurons: Sequence[object], stimuli: Sequence[Stimulus], grid: TimeGrid) -> TraceBatch:
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        generator = np.random.default_rng(int(1e9 * abs(current.sum())))
        spike = SPIKE_MV * np.exp(-0.5 * (np.arange(-3, 3, grid.dt_ms / WIDTH_MS)) ** 2)
        voltage = -80 + 50 * current + 0.1 * generator.standard_normal(current.shape)
        for row, injected in zip(voltage, current, strict=True):
            times = np.arange(generator.uniform(0, INTERVAL_MS), grid.duration_ms, INTERVAL_MS)
            for at in (times / grid.dt_ms).astype(int):
                if injected[at] > 0.1 and at + spike.size < row.size:
                    row[at : at + spike.size] += spike
        return TraceBatch(grid, voltage, current)


def made_up_config(traces: int) -> GenerationConfig:
    counts = TraceCounts(train=traces, validation=64, test=8, unseen_models=8)
    return GenerationConfig(hall=HALL, traces=counts, seed=1)


def made_up_store(path: Path, traces: int) -> Store:
    """A store with this many training traces of the paper's window, made or finished."""
    hall = HallOfFame.load(HALL)
    return generate(made_up_config(traces), hall, path, responder_factory=MadeUpResponder())


def peak_memory_bytes() -> int:
    """The most memory that this process has had resident (Linux); unlike `getrusage`, not that of its parent."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])
