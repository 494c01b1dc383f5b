"""A process that damages files of a format, one after the other, and reports what the command that reads them did.

It is one process, so that imports are paid once; whoever started it ends it where a file hangs it, and starts another after that.
Each line of its output is a JSON object: number, how the file was damaged, exit code, error output, seconds, changed files.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from damage import damage
from formats import FORMATS, Format

from noble.cells import MorphologySource
from noble.cli import app as app_module

LIMIT_BYTES = 2**30


def stop_where_work_begins() -> None:
    """Reading is what is tested: what a command would do with a file that passes, for minutes, ends it here."""
    import noble.data
    import noble.evolve
    import noble.studies.ablation
    import noble.studies.training
    from noble.simulators.arbor import ArborSimulator

    def stop(*_: Any, **__: Any) -> None:
        raise SystemExit(0)

    def respond(self: Any, neurons: Any, stimuli: Any, grid: Any) -> None:
        for stimulus in stimuli:
            stimulus.sample(grid)
        raise SystemExit(0)

    noble.studies.ablation.ablate = noble.studies.training.train_and_evaluate = stop
    noble.data.generate = noble.evolve.recheck_hall = stop
    noble.evolve.Evolution.run = stop
    ArborSimulator.respond = respond  # type: ignore[method-assign]


def run(command: tuple[str, ...], real_stdout: Any) -> tuple[int, str]:
    """Exit code and error output of a command in this process; a traceback counts as code 1."""
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["noble", *command]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            app_module.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        return 1, traceback.format_exc()
    return code, err.getvalue()


@app_module.app.command(hidden=True, rich_help_panel=app_module.OPERATORS)
def call(module: str, name: str, path: Path) -> None:
    """Call a reader of ours that no command calls by itself."""
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    morphology = [MorphologySource("stylised-pv")] if name == "read_bluepyopt_parameters" else []
    function(path, *morphology)


def snapshot() -> dict[str, tuple[int, int]]:
    """Every file below the current folder, with size and time of change."""
    found = {}
    for path in Path().rglob("*"):
        status = path.lstat()
        found[path.as_posix()] = (status.st_size, status.st_mtime_ns)
    return found


def files_of(chosen: Format, folder: Path) -> list[tuple[Path, str]]:
    """The files of a format that may be damaged."""
    found = {
        path: kind
        for pattern, kind in chosen.damaged.items()
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    }
    return list(found.items())


def one(name: str, number: int, healthy: Path, real_stdout: Any) -> dict[str, Any]:
    """Damage a file and read it."""
    chosen, draw = FORMATS[name], Random(f"{name}-{number}")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        place = Path(scratch) / "place"
        shutil.copytree(healthy / name, place)
        os.chdir(place)
        path, kind = draw.choice(files_of(chosen, Path()))
        others = [file.read_bytes() for file, _ in files_of(chosen, Path())][:20]
        others += [b"{}", b"name: a\n", b"\x89HDF\r\n\x1a\n"]
        how = damage(path, kind, draw, others)
        before, start = snapshot(), time.monotonic()
        code, err = run(chosen.command, real_stdout)
        seconds, after = time.monotonic() - start, snapshot()
        os.chdir("/")
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return {
        "format": name,
        "number": number,
        "how": f"{path.as_posix()}: {how}",
        "code": code,
        "err": err,
        "seconds": seconds,
        "changed": changed,
    }


def main() -> None:
    """`worker.py HEALTHY FORMAT FIRST LAST ...`: the numbers of each format that are to be tried."""
    healthy, real_stdout = Path(sys.argv[1]), sys.stdout
    jobs = list(zip(sys.argv[2::3], map(int, sys.argv[3::3]), map(int, sys.argv[4::3]), strict=True))
    for name in {name for name, _, _ in jobs}:
        if not (healthy / name).exists():
            (healthy / name).mkdir()
            FORMATS[name].make(healthy / name)
    stop_where_work_begins()
    for name, first, last in jobs:
        _warm_up(name, healthy, real_stdout)
        for number in range(first, last):
            print(json.dumps({"begin": [name, number]}), file=real_stdout, flush=True)
            print(json.dumps(one(name, number, healthy, real_stdout)), file=real_stdout, flush=True)


def _warm_up(name: str, healthy: Path, real_stdout: Any) -> None:
    """The healthy file must pass; then as much memory as is taken now and a gigabyte more must be enough."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        shutil.copytree(healthy / name, Path(scratch) / "place")
        os.chdir(Path(scratch) / "place")
        code, err = run(FORMATS[name].command, real_stdout)
        os.chdir("/")
    print(json.dumps({"format": name, "number": -1, "code": code, "err": err[-3000:]}), file=real_stdout, flush=True)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + LIMIT_BYTES, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
