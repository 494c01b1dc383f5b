"""What evolution costs: models a second against serial NEURON, how busy the cores are, and whether memory stays flat.

    python benchmarks/evolution.py experiments/halls/human-pv.yaml [--data-folder FOLDER] [--generations N] [--json FILE]

First some generations of the last stage of the configuration are evolved into a temporary folder, and CPU time and memory
of the worker processes are read after each. Then models of the first generation answer all steps of that stage once
through the same pool, with the integration step of a data set, and one of them answers the same steps in NEURON, serially on
one core, after a warm-up that compiles and loads.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from noble.evolve import Evolution, EvolutionConfig, Generation, with_seeds
from noble.evolve.evaluator import evaluate
from noble.files import write_json
from noble.jobs import Pool
from noble.machine.cores import available_cores
from noble.simulators import NeuronSimulator, SolverSettings
from noble.spikes import spike_times_ms

MODELS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data-folder", default=None)
    parser.add_argument("--generations", type=int, default=4)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    config = with_seeds(EvolutionConfig.load(arguments.config), [0], arguments.generations)
    with tempfile.TemporaryDirectory() as folder, Pool() as pool:
        evolution = Evolution(config, folder, data_folder=arguments.data_folder)
        generations = measure_generations(evolution, pool)
        result = {
            "command": f"python benchmarks/evolution.py {arguments.config.as_posix()} --generations {arguments.generations}",
            "machine": {"cores": available_cores(), "processor": platform.processor() or platform.machine()},
            "generations": generations,
            "cores_busy": cores_busy(generations),
            "against_neuron": against_neuron(evolution, pool),
        }
    print(json.dumps(result, indent=1))
    if arguments.json:
        write_json(arguments.json, result)


def measure_generations(evolution: Evolution, pool: Pool) -> list[dict[str, Any]]:
    """Seconds, simulations, CPU seconds and memory of all processes together, after every generation of the last stage."""
    rows: list[dict[str, Any]] = []
    last = time.monotonic(), _cpu_seconds()

    def note(generation: Generation) -> None:
        nonlocal last
        now = time.monotonic(), _cpu_seconds()
        if generation.stage == evolution.config.stages[-1].name:
            rows.append(
                {
                    "generation": generation.number,
                    "simulations": generation.simulated,
                    "seconds": round(now[0] - last[0], 2),
                    "cpu_seconds": round(now[1] - last[1], 2),
                    "memory_gb": round(sum(process.memory_info().rss for process in _processes()) / 1e9, 3),
                }
            )
        last = now

    evolution.run(pool, progress=note)
    return rows


def cores_busy(generations: list[dict[str, Any]]) -> float:
    """CPU time over wall time and cores."""
    seconds = sum(row["seconds"] for row in generations)
    return round(sum(row["cpu_seconds"] for row in generations) / (seconds * available_cores()), 3)


def against_neuron(evolution: Evolution, pool: Pool) -> dict[str, Any]:
    """Models a second in both, on the same steps with the same integration step."""
    stage = evolution.config.stages[-1]
    assay = replace(evolution.assay(stage), numerics=SolverSettings())
    first = next(iter(evolution.generations(0, stage.name)))
    values = [item.values for item in sorted(first, key=lambda item: item.score.mean)[:MODELS]]
    evaluate(assay, values[:2], pool, per_run=1)  # workers load and build
    start = time.monotonic()
    scores = evaluate(assay, values, pool, per_run=evolution.config.models_per_run)
    arbor_s = (time.monotonic() - start) / len(values)

    neuron = NeuronSimulator(data_folder=evolution.data_folder, numerics=SolverSettings())
    model, protocol = assay.cell.model(values[0]), assay.protocol
    stimuli = [protocol.stimulus(step.amplitude_na) for step in assay.targets.steps]
    warm_up = replace(protocol, step_ms=10.0, window_ms=40.0)
    neuron.respond([model], [warm_up.stimulus(0.1)], warm_up.grid)
    start = time.monotonic()
    batch = neuron.respond([model] * len(stimuli), stimuli, protocol.grid)
    neuron_s = time.monotonic() - start
    counts = {
        f"{step.amplitude_na:g}": int(
            sum(protocol.onset_ms <= t < protocol.offset_ms for t in spike_times_ms(voltage, dt_ms=batch.grid.dt_ms))
        )
        for step, voltage in zip(assay.targets.steps, batch.voltage_mv, strict=True)
    }
    return {
        "steps": len(stimuli),
        "arbor_models": len(values),
        "arbor_seconds_a_model": round(arbor_s, 3),
        "neuron_models": 1,
        "neuron_seconds_a_model": round(neuron_s, 2),
        "ratio": round(neuron_s / arbor_s, 1),
        "spike_counts_arbor": dict(scores[0].spike_counts),
        "spike_counts_neuron": counts,
    }


def _processes() -> list[psutil.Process]:
    """This process and its workers."""
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def _cpu_seconds() -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _processes())


if __name__ == "__main__":
    main()
