"""The formats that a user can hand over: a healthy file of each, and the command that reads it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

TESTS: Final = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "train"), str(TESTS / "evolve")]

SWC: Final = "".join(
    f"{number} {kind} {x} {y} 0 {radius} {parent}\n"
    for number, kind, x, y, radius, parent in (
        (1, 1, 0, 0, 7, -1),
        (2, 2, 0, 7, 1, 1),
        (3, 2, 0, 60, 1, 2),
        (4, 3, 7, 0, 1, 1),
        (5, 3, 90, 0, 1, 4),
        (6, 3, 150, 20, 0.8, 5),
        (7, 3, 150, -20, 0.8, 5),
        (8, 4, 0, -100, 1, 1),
    )
)
# A branched soma, types that say nothing, trees of their own, a fork of no length, tips of radius 0.
ODD_SWC: Final = (
    "; a comment\nid type x y z radius parent\n1 1 0 0 0 6 0\n2 1 0 5 0 4 1\n3 1 0 9 0 2 2\n4 1 0 -5 0 4 1\n5 1 5 0 0 4 1\n"
    "6 3 10 0 0 1 5\n7 0 60 0 0 0.7 6\n8 5 60 0 0 0.7 7\n9 6 90 0 0 0 8\n10 6 90 9 0 0 8\n11 3 0 0 0 1 -1\n12 3 0 0 90 1 11\n"
    "13 2 300 0 0 1 -1\n14 2 350 0 0 1 13\n"
)
ASC: Final = """; V3 text file
("CellBody" (Color Red) (CellBody) (8 1 0 0) (6 3.5 0 0) (2 5 0 0) (-3 4.2 0 0) (-7 2 0 0) (-9 -1 0 0) (-5 -4 0 0) (0 -5 0 0))
("CellBody" (CellBody) (7 1 3 0) (6 3.5 3 0) (2 4 3 0) (-3 4 3 0) (-7 2 3 0) (-8 -1 3 0) (-5 -4 3 0) (0 -5 3 0))
(Dot (Color White) (Name "Marker 1") (3 3 3 0.1))
( (Color RGB (0, 64, 128)) (Dendrite)
  (6 0 0 2) <(Class 0 "") (7 1 0 0.2)> (20 0 0 1.8) (40 0 0 1.4)
  ( (50 10 0 1 S1) (80 30 0 0.8) ( (90 30 0 0.7) | (90 60 0 0.7) | (95 0 0 0.5) ) Normal
  | (40 0 0 1) (80 -30 0 0.8)
  )
)
( (Axon) (0 -6 0 1) (0 -160 0 1) Normal )
( (Apical) (0 60 0 3) (0 160 0 2) )
( (0 0 60 3) (0 0 160 2) )
"""


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes:
        make: writes a healthy example, and what its command needs besides, into a folder.
        damaged: the files of it that are damaged, one at a time, with what they hold (see `damage`); names or patterns.
        command: arguments of `noble`, or of a reader of ours if the first is `call`.
        many: damaged files in the whole suite.
    """

    make: Callable[[Path], object]
    damaged: dict[str, str]
    command: tuple[str, ...]
    many: int = 500


def _bundle(folder: Path) -> None:
    from noble.operator.bundle import locate

    shutil.copytree(locate("stylised-pv"), folder / "bundle")


def _hall(folder: Path) -> None:
    from noble.cells import HallOfFame

    hall = HallOfFame.load("stylised-pv")
    content = hall.to_dict()
    content["models"] = content["models"][:6]
    (folder / "hall.json").write_text(json.dumps(content))


def _store(folder: Path) -> None:
    from spiking_family import make_store

    make_store(folder / "store.zarr")


def _targets(folder: Path) -> None:
    from small_runs import small_targets

    small_targets().save(folder / "targets.json")


def _yaml(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def _data(folder: Path) -> None:
    _yaml(
        folder,
        "data.yaml",
        "hall: stylised-pv\nseed: 3\ndt_ms: 0.06\ntraces: {train: 20, validation: 4, test: 4, unseen_models: 4}\n"
        "amplitude: {low_na: -0.1, high_na: 0.3}\nmix: {step: 0.5, ramp: 0.5}\nchunk_traces: 8\nworkers: 1\n",
    )


def _train(folder: Path) -> None:
    _yaml(
        folder,
        "train.yaml",
        "epochs: 3\nbatch_size: 8\nseed: 1\nvalidation_limit: 4\noptimiser: {learning_rate: 0.001, warmup_epochs: 1}\n",
    )


def _ablation(folder: Path) -> None:
    _yaml(
        folder,
        "ablation.yaml",
        "train: {epochs: 3, batch_size: 8}\nvariants:\n  plain: {}\n  short: {epochs: 2}\n",
    )


def _evolution(folder: Path) -> None:
    from small_runs import small_config

    small_config(folder)


def _stimulus(folder: Path) -> None:
    content = [
        {"kind": "Step", "start_ms": 15.0, "stop_ms": 115.0, "amplitude_na": 0.1},
        {"kind": "Ramp", "start_ms": 15.0, "stop_ms": 115.0, "start_na": 0.0, "stop_na": 0.2},
        {"kind": "Chirp", "start_ms": 15, "stop_ms": 115, "amplitude_na": 0.1, "f0_hz": 1.0, "f1_hz": 50.0},
        {
            "kind": "OrnsteinUhlenbeck",
            "start_ms": 15,
            "stop_ms": 115,
            "mean_na": 0.1,
            "sd_na": 0.1,
            "tau_ms": 5,
            "seed": 1,
        },
        {"kind": "Sampled", "samples_na": [0.0, 0.1, 0.2, 0.1], "dt_ms": 1.0},
    ]
    (folder / "stimulus.json").write_text(json.dumps(content))


def _traces(folder: Path) -> None:
    times = np.arange(0, 100, 0.5)
    voltage = -70 + 20 * (times > 20) + 90 * np.exp(-0.5 * ((times - 40) / 0.5) ** 2)
    rows = [f"{t:g},{0.1 * (t > 20):g},{v:.5g}" for t, v in zip(times, voltage, strict=True)]
    (folder / "traces.csv").write_text("time_ms,current_na_0,voltage_mv_0\n" + "\n".join(rows) + "\n")


def _swc(folder: Path) -> None:
    (folder / "cell.swc").write_text(SWC)


def _odd_swc(folder: Path) -> None:
    (folder / "cell.swc").write_text(ODD_SWC)


def _asc(folder: Path) -> None:
    (folder / "cell.asc").write_text(ASC)


def _hdf5(folder: Path) -> None:
    import h5py

    outline = [(8, 1, 0, 0), (2, 5, 0, 0), (-7, 2, 0, 0), (-5, -4, 0, 0), (5, -3.5, 0, 0)]
    tree = [(6, 0, 0, 2), (40, 0, 0, 1.4), (40, 0, 0, 1), (80, 30, 0, 0.8), (40, 0, 0, 1), (80, -30, 0, 0.8)]
    with h5py.File(folder / "cell.h5", "w") as file:
        file["points"] = np.array(outline + tree, dtype=float)
        file["structure"] = np.array([(0, 1, -1), (5, 3, 0), (7, 3, 1), (9, 3, 1)], dtype=np.int32)


def _allen(folder: Path) -> None:
    from noble.cells import HallOfFame, write_allen_fit

    _swc(folder)
    write_allen_fit(HallOfFame.load("human-pv").cell_model(0), folder / "fit.json")


def _bluepyopt(folder: Path) -> None:
    from noble.cells import builtin_cell
    from noble.cells.bluepyopt import write_bluepyopt_parameters

    write_bluepyopt_parameters(builtin_cell("stylised-pv"), folder / "parameters.json")


def _nwb(folder: Path) -> None:
    from nwb_files import good, write_nwb

    sweeps = [good(-0.05), good(-0.05), good(0.1), good(0.1), good(0.3, [20.0, 50.0]), good(0.3, [21.0, 51.0])]
    write_nwb(folder / "recording.nwb", sweeps)


def _steps() -> list[tuple[np.ndarray, np.ndarray]]:
    """Voltage and current of three sweeps, two samples a millisecond."""
    from nwb_files import answer_mv, step_na

    return [(answer_mv(amplitude)[::5], step_na(amplitude)[::5]) for amplitude in (-0.05, 0.05, 0.1)]


def _nwb1(folder: Path) -> None:
    from nwb1_files import write_nwb1

    write_nwb1(folder / "cell.nwb", generated_by=["pipeline", "IVSCC", "version", "1.1"])


def _columns(folder: Path) -> None:
    columns = [0.5 * np.arange(len(_steps()[0][0])), *(part for sweep in _steps() for part in sweep)]
    rows = [",".join(f"{value:.6g}" for value in row) for row in np.column_stack(columns)]
    header = "time (ms),V1 (mV),I1 (nA),V2 (mV),I2 (nA),V3 (mV),I3 (nA)"
    (folder / "cell.csv").write_text("\n".join(["# a cell", header, *rows, ""]))


def _abf(folder: Path) -> None:
    from axon_files import write_abf1

    write_abf1(folder / "cell.abf", _steps(), dt_ms=0.5)


def _ibw(folder: Path) -> None:
    from igor_waves import write_wave

    (folder / "cell").mkdir()
    for number, (voltage, current) in enumerate(_steps()):
        write_wave(folder / "cell" / f"X_steps_ch0_{number}.ibw", current * 1e-9, unit="A", dt_s=5e-4)
        write_wave(folder / "cell" / f"X_steps_ch1_{number}.ibw", voltage * 1e-3, unit="V", dt_s=5e-4)


def _checkpoint(folder: Path) -> None:
    import torch

    from noble.train.checkpoint import write_checkpoint

    for epoch in (1, 2):
        write_checkpoint(folder, {"epoch": epoch, "weights": {"a": torch.arange(1000.0)}, "history": [0.5, 0.25]})


READ: Final = ("call", "noble.recordings", "read_recording")

FORMATS: Final[dict[str, Format]] = {
    "hall": Format(_hall, {"hall.json": "json"}, ("hall", "show", "hall.json")),
    "targets": Format(
        _targets,
        {"targets.json": "json"},
        ("hall", "check", "stylised-pv", "--targets", "targets.json", "--workers", "0", "-o", "out.json"),
    ),
    "generation": Format(_data, {"data.yaml": "yaml"}, ("generate", "data.yaml", "out.zarr")),
    "training": Format(_train, {"train.yaml": "yaml"}, ("train", "train.yaml", "nowhere.zarr", "-o", "out")),
    "ablation": Format(_ablation, {"ablation.yaml": "yaml"}, ("ablate", "ablation.yaml", "nowhere.zarr", "-o", "out")),
    "evolution": Format(_evolution, {"small.yaml": "yaml"}, ("evolve", "small.yaml", "-o", "out", "--workers", "0")),
    "stimulus": Format(
        _stimulus,
        {"stimulus.json": "json"},
        ("simulate", "stylised-pv", "--stimulus", "stimulus.json", "--length", "60", "--window", "130"),
    ),
    "traces": Format(_traces, {"traces.csv": "table"}, ("features", "traces.csv", "--onset", "20", "--length", "60")),
    "odd swc": Format(_odd_swc, {"cell.swc": "table"}, ("cells", "cell.swc")),
    "asc": Format(_asc, {"cell.asc": "lists"}, ("cells", "cell.asc")),
    "hdf5 morphology": Format(_hdf5, {"cell.h5": "hdf5"}, ("cells", "cell.h5")),
    "swc": Format(_swc, {"cell.swc": "table"}, ("cells", "cell.swc")),
    "allen": Format(_allen, {"fit.json": "json"}, ("simulate", "fit.json", "--swc", "cell.swc", "--step", "0.1")),
    "bluepyopt": Format(
        _bluepyopt, {"parameters.json": "json"}, ("call", "noble.cells", "read_bluepyopt_parameters", "parameters.json")
    ),
    "nwb1": Format(_nwb1, {"cell.nwb": "hdf5"}, (*READ, "cell.nwb"), many=2000),
    "columns": Format(_columns, {"cell.csv": "table"}, (*READ, "cell.csv"), many=2000),
    "abf": Format(_abf, {"cell.abf": "binary"}, (*READ, "cell.abf"), many=2000),
    "ibw": Format(_ibw, {"cell/*.ibw": "binary"}, (*READ, "cell"), many=2000),
    "recording": Format(_nwb, {"recording.nwb": "hdf5"}, ("targets", "recording.nwb", "-o", "out.json")),
    "bundle": Format(
        _bundle,
        {"bundle/config.json": "json", "bundle/metrics.json": "json", "bundle/model.safetensors": "binary"},
        ("info", "bundle"),
    ),
    "store": Format(
        _store,
        {"store.zarr/**/zarr.json": "json", "store.zarr/**/c/*": "binary", "store.zarr/**/0": "binary"},
        ("check", "store.zarr"),
    ),
    "checkpoint": Format(
        _checkpoint, {"last.ckpt": "binary"}, ("call", "noble.train.checkpoint", "read_checkpoint", "last.ckpt")
    ),
}
