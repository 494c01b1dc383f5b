"""Making a store: write the plan, then simulate chunk by chunk, in parallel, so that a killed run can be finished."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, ZstdCodec

from noble.cells.hall import HallOfFame
from noble.data.config import GenerationConfig
from noble.data.plan import Plan, draw_plan
from noble.data.schema import (
    KIND_PARAMETERS,
    PLAN_DTYPES,
    SCHEMA_NAME,
    SCHEMA_VERSION,
    SPLITS,
    VOLTAGE_MISSING,
    VOLTAGE_OFFSET_MV,
    VOLTAGE_SCALE_MV,
    check_schema,
    written_chunks,
)
from noble.data.store import Store, attributes_of, open_group, read_arrays, verified_plan
from noble.data.workers import Job, ResponderFactory, Worker, run_pool
from noble.features.catalogue import unit_of

Progress = Callable[[int, int], None]


def generate(
    config: GenerationConfig,
    hall: HallOfFame,
    path: str | Path,
    *,
    responder_factory: ResponderFactory | None = None,
    data_folder: Path | str | None = None,
    progress: Progress | None = None,
) -> Store:
    """Make a data set, or finish one that was interrupted; what is on disk is never simulated or written again.

    Memory does not grow with the number of traces beyond their plan: at most two chunks a worker are under way.

    Args:
        config: what to generate.
        hall: the models; picklable if there is more than one worker.
        path: the store's folder; new, or one that the same configuration and hall began.
        responder_factory: makes each worker's simulator; None means Arbor on one thread.
        data_folder: where Arbor looks for an SWC file, if the hall's cell has one.
        progress: called with (traces done, traces in all), first with what was already there.

    Raises:
        ValueError: if `path` holds something else, another run is writing it, the hall has a feature that is not finite,
            or a simulation gives a voltage that is not finite or not in range.
        FileNotFoundError: if Arbor would not find the hall's SWC file; no store is begun then.
        ChildProcessError: if worker processes die twice.
    """
    path = Path(path)
    plan = draw_plan(config, hall)
    attributes = store_attributes(config, hall, plan)
    begun = path.exists()
    if begun:
        _check_same(path, attributes)
    unfinished = not begun or len(written_chunks(path)) * config.chunk_traces < len(plan)
    if responder_factory is None and unfinished:
        # Found here, since only this process knows where an SWC file was read before.
        swc = hall.cell.morphology.find(data_folder)
        data_folder = data_folder if swc is None else swc.parent.resolve()
    if not begun:
        _create(path, config, hall, plan, attributes)
    with _locked(path):
        for leftover in path.glob("voltage/c/*/*.partial"):  # a write that a kill interrupted before its rename
            leftover.unlink()
        factory = responder_factory or ArborFactory(config.simulation_dt_ms, data_folder)
        _fill(path, config, hall, plan, factory, progress or (lambda done, total: None))
    return Store.open(path)


def store_attributes(config: GenerationConfig, hall: HallOfFame, plan: Plan) -> dict[str, Any]:
    """The attributes of a store's group, JSON-ready; nothing in them depends on the machine but `versions`."""
    grid = config.window.simulated_grid
    return {
        "schema": SCHEMA_NAME,
        "schema_version": SCHEMA_VERSION,
        "grid": {"dt_ms": grid.dt_ms, "count": grid.count},
        "protocol": config.window.to_dict(),
        "splits": list(SPLITS),
        "stimulus_kinds": [{"name": name, "parameters": list(parameters)} for name, parameters in KIND_PARAMETERS],
        "cell": hall.cell.name,
        "hall": {
            "name": hall.name,
            "digest": hall.digest,
            "models": len(hall),
            "train": [int(index) for index in hall.train],
            "held_out": [int(index) for index in hall.held_out],
        },
        "seed": config.seed,
        "config": config.identity(),
        "plan_digest": plan.digest,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Versions of what decides the numbers; a distribution that is not installed is left out."""
    versions = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for name in ("noble-neuro", "numpy", "scipy", "zarr", "arbor"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _create(path: Path, config: GenerationConfig, hall: HallOfFame, plan: Plan, attributes: dict[str, Any]) -> None:
    """Write everything but the voltages under a temporary name, then rename: a store has its plan or does not exist."""
    names = _feature_names(hall)
    units = [unit_of(name) for name in names]
    table = np.asarray(hall.feature_table(names), dtype=np.float64).reshape(len(hall), len(names))
    if not np.all(np.isfinite(table)):
        model, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(
            f"hall {hall.name} has {names[column]} = {table[model, column]} for model {model}; every feature must be a finite "
            "number. Measure it again, or leave the model or the feature out of the hall."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        group = zarr.open_group(partial, mode="w-", zarr_format=3, attributes=attributes)
        for name in PLAN_DTYPES:
            _write_array(group, name, getattr(plan, name), {})
        _write_array(group, "model_features", table, {"names": list(names), "units": units})
        group.create_array(
            "voltage",
            shape=(len(plan), config.window.simulated_grid.count),
            chunks=(config.chunk_traces, config.window.simulated_grid.count),
            dtype="int16",
            fill_value=VOLTAGE_MISSING,
            serializer=BytesCodec(endian="little"),
            compressors=ZstdCodec(level=3, checksum=True),
            attributes={
                "unit": "mV",
                "scale": VOLTAGE_SCALE_MV,
                "offset": VOLTAGE_OFFSET_MV,
                "missing": VOLTAGE_MISSING,
            },
        )
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_array(group: zarr.Group, name: str, values: np.ndarray, attributes: dict[str, Any]) -> None:
    """One whole array in one chunk."""
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=tuple(max(1, size) for size in values.shape),
        dtype=values.dtype,
        fill_value=np.nan if values.dtype.kind == "f" else 0,
        serializer=BytesCodec(endian="little") if values.dtype.itemsize > 1 else BytesCodec(endian=None),
        compressors=ZstdCodec(level=3, checksum=True),
        attributes=attributes,
    )
    array[...] = values


def _feature_names(hall: HallOfFame) -> tuple[str, ...]:
    """Features that every model of the hall has, in the first model's order."""
    return tuple(name for name in hall.models[0].features if all(name in model.features for model in hall.models))


def _check_same(path: Path, attributes: dict[str, Any]) -> None:
    """Refuse to go on with a store that another configuration or hall began."""
    group = open_group(path)
    existing = attributes_of(group)
    check_schema(existing, path)
    for key, had, wants in _differences(existing, attributes):
        raise ValueError(
            f"{path} was begun with {key} = {had!r} but this run has {wants!r}; use the same configuration and hall to "
            "finish it, or another path for a new store. Nothing was changed."
        )
    if existing["plan_digest"] != attributes["plan_digest"]:
        raise ValueError(
            f"{path} was begun with another plan although configuration and hall are the same; it was made with "
            f"{existing['versions']} and this is {attributes['versions']}. Finish it with those. Nothing was changed."
        )
    verified_plan(read_arrays(group, path), existing, path)


def _differences(existing: dict[str, Any], wanted: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Keys whose values differ, dotted, with both values."""
    yield from _compare("config", existing["config"], wanted["config"])
    if existing["hall"]["digest"] != wanted["hall"]["digest"]:
        yield "hall.digest", existing["hall"]["digest"], wanted["hall"]["digest"]


def _compare(key: str, had: Any, wants: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(had, dict) and isinstance(wants, dict):
        for part in sorted({*had, *wants}):
            yield from _compare(f"{key}.{part}", had.get(part), wants.get(part))
    elif had != wants:
        yield key, had, wants


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the store for this process alone; the system releases it however the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows: no advisory lock on a folder
        yield
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another run is writing {path}; wait for it, or stop it first.") from None
        yield
    finally:
        os.close(folder)


def _fill(
    path: Path,
    config: GenerationConfig,
    hall: HallOfFame,
    plan: Plan,
    factory: ResponderFactory,
    progress: Progress,
) -> None:
    """Simulate and write every chunk that is not there."""
    voltage = zarr.open_group(path, mode="r+", zarr_format=3)["voltage"]
    assert isinstance(voltage, zarr.Array)
    size, total = config.chunk_traces, len(plan)
    chunks = range(-(-total // size))
    written = written_chunks(path)
    done = sum(min(size, total - chunk * size) for chunk in written)
    progress(done, total)

    def write(job: Job, codes: np.ndarray) -> None:
        # One call, one chunk, one file: Zarr's local store (from 3.1.3) writes it under another name and renames it.
        nonlocal done
        voltage[job.first_sample : job.first_sample + len(codes)] = codes
        written.add(job.chunk)
        done += len(codes)
        progress(done, total)

    workers = min(config.worker_count, len(chunks) - len(written))
    grid = config.window.simulated_grid
    for attempt in (1, 2):
        jobs = (_job(plan, chunk, size) for chunk in chunks if chunk not in written)
        try:
            if workers > 1:
                run_pool(jobs, workers, (factory, hall, grid), write)
            else:
                worker = Worker(factory, hall, grid)
                for job in jobs:
                    write(job, worker.simulate(job))
            return
        except BrokenProcessPool as error:
            if attempt == 2:
                raise ChildProcessError(
                    f"worker processes died twice (out of memory?); {done} of {total} traces are written and kept: "
                    "run again with fewer workers or a smaller chunk_traces to finish."
                ) from error


def _job(plan: Plan, chunk: int, size: int) -> Job:
    samples = range(chunk * size, min((chunk + 1) * size, len(plan)))
    return Job(
        chunk=chunk,
        first_sample=samples.start,
        model_index=tuple(int(plan.model_index[sample]) for sample in samples),
        stimuli=tuple(plan.stimulus(sample) for sample in samples),
    )


@dataclass(frozen=True)
class ArborFactory:
    """Makes Arbor on one thread: the processes are the parallelism."""

    simulation_dt_ms: float
    data_folder: Path | str | None = None

    def __call__(self) -> Any:
        """One simulator."""
        from noble.simulators.arbor import ArborSimulator
        from noble.simulators.numerics import SolverSettings

        return ArborSimulator(
            threads=1, numerics=SolverSettings(dt_ms=self.simulation_dt_ms), data_folder=self.data_folder
        )
