"""Simulated traces a second: NEURON against Arbor, on the same cell and the same stimuli, in one run.

    python benchmarks/simulators.py [--hall NAME_OR_FILE | --swc FILE] [--models N] [--json FILE]

The cell is the shipped hall `stylised-pv` unless another is named; with --swc, one all-active model of fixed conductances
on that morphology. NEURON runs serially on one core; Arbor once with one thread and once with two. Every simulator gets one
short run first, so that compiling, loading and building are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from noble.cells import CellModel, HallOfFame, MorphologySource, all_active_cell, shipped_halls
from noble.files import write_json
from noble.protocols import StepProtocol
from noble.responders import Responder
from noble.simulators import ArborSimulator, NeuronSimulator
from noble.spikes import spike_times_ms
from noble.stimuli import Stimulus
from noble.traces import TimeGrid

# Used where no hall says what a good model is: conductances that keep every all-active channel busy.
PLAUSIBLE = {
    "cm": 1.0,
    "Ra": 120.0,
    "g_pas": 5e-5,
    "e_pas": -80.0,
    "gbar_Ih": 1e-5,
    "gbar_NaV.soma": 0.2,
    "gbar_NaV.axon": 0.05,
    "gbar_NaV.dend": 1e-3,
    "gbar_K_T": 0.02,
    "gbar_K_P": 0.005,
    "gbar_Kd": 1e-3,
    "gbar_Kv2like": 0.01,
    "gbar_Kv3_1.soma": 0.3,
    "gbar_Kv3_1.axon": 0.1,
    "gbar_Kv3_1.dend": 1e-3,
    "gbar_SK": 0.005,
    "gbar_Ca_HVA": 2e-4,
    "gbar_Ca_LVA": 1e-3,
    "gamma_CaDynamics": 0.01,
    "decay_CaDynamics": 200.0,
    "gbar_Im_v2": 1e-4,
}
AMPLITUDES_NA = (-0.11, 0.28)  # the paper's range


def chosen_models(hall: str | None, swc: str | None, count: int) -> list[CellModel]:
    """As many models as traces; those of a hall in turn."""
    if swc is None and (hall is not None or "stylised-pv" in shipped_halls()):
        loaded = HallOfFame.load(hall or "stylised-pv")
        return [loaded.cell_model(index % len(loaded)) for index in range(count)]
    source = MorphologySource("stylised-pv") if swc is None else MorphologySource.from_swc(swc)
    cell = all_active_cell(source.name, source)
    values = {item.name: PLAUSIBLE.get(item.name, PLAUSIBLE.get(item.quantity, item.low)) for item in cell.parameters}
    return [cell.model(values)] * count


def measure(
    responder: Responder[CellModel], models: Sequence[CellModel], stimuli: Sequence[Stimulus], grid: TimeGrid
) -> dict[str, Any]:
    """Seconds for all traces, and what was seen in them."""
    short = StepProtocol(onset_ms=1.0, step_ms=2.0, window_ms=6.0)
    responder.respond(models[:1], [short.stimulus(0.0)], short.grid)
    started = time.perf_counter()
    batch = responder.respond(models, stimuli, grid)
    seconds = time.perf_counter() - started
    spikes = [int(spike_times_ms(voltage, dt_ms=grid.dt_ms).size) for voltage in batch.voltage_mv]
    return {
        "version": batch.provenance["version"],
        "seconds": seconds,
        "traces_per_second": len(models) / seconds,
        "spike_counts": spikes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated traces a second: NEURON against Arbor, same cell, one run.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--hall", help="a shipped hall of fame, or a file")
    which.add_argument("--swc", help="a morphology, for one all-active model of fixed conductances")
    parser.add_argument("--models", type=int, default=16, help="number of traces, one model each (default 16)")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    arguments = parser.parse_args()
    if arguments.models < 1:
        parser.error(f"--models is {arguments.models}; expected at least 1")

    models = chosen_models(arguments.hall, arguments.swc, arguments.models)
    protocol = StepProtocol()
    stimuli = [protocol.stimulus(amplitude) for amplitude in np.linspace(*AMPLITUDES_NA, arguments.models)]
    rows = [
        ("NEURON", 1, NeuronSimulator(processes=1)),
        ("Arbor", 1, ArborSimulator(threads=1)),
        ("Arbor", 2, ArborSimulator(threads=2)),
    ]
    print(f"{len(models)} traces of {protocol.window_ms:g} ms of {models[0].cell.name}, {os.cpu_count()} cores")
    results: list[dict[str, Any]] = []
    for name, threads, responder in rows:
        found = {"simulator": name, "threads": threads, **measure(responder, models, stimuli, protocol.grid)}
        found["times_neuron"] = found["traces_per_second"] / (results[0] if results else found)["traces_per_second"]
        results.append(found)
        print(
            f"{name:>7} {found['version']:<8} {threads} thread{'s' if threads > 1 else ' '} "
            f"{found['traces_per_second']:8.2f} traces/s {found['times_neuron']:7.1f} x NEURON",
            flush=True,
        )
    same = all(found["spike_counts"] == results[0]["spike_counts"] for found in results)
    print(
        "same spike counts" if same else f"spike counts differ: {json.dumps([row['spike_counts'] for row in results])}"
    )
    if arguments.json is not None:
        numerics = rows[0][2].numerics
        write_json(
            arguments.json,
            {
                "cell": models[0].cell.name,
                "traces": len(models),
                "window_ms": protocol.window_ms,
                "equilibration_ms": numerics.equilibration_ms,
                "dt_ms": numerics.dt_ms,
                "cores": os.cpu_count(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "results": results,
            },
        )
        print(f"wrote {arguments.json}")


if __name__ == "__main__":
    main()
