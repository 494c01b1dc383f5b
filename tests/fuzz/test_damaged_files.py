"""Whatever is in a file that a user names: an answer or one sentence, within 10 s and 1 GB more memory, and nothing written."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from formats import FORMATS

# Files of each format in the fast suite; `Format.many` in the whole.
FEW: Final = 8
LIMIT_S: Final = 10.0
# Imports, on a machine that does other things too.
_START_S: Final = 120.0
# A sentence that quotes a file quotes a little of it.
_LONGEST_SENTENCE: Final = 1_000

# Formats whose reader is still to be mended; each must fail until it is taken out of here.
PENDING: Final[frozenset[str]] = frozenset()

Job = tuple[str, int, int]


def reports(healthy: Path, jobs: list[Job]) -> Iterator[dict[str, Any]]:
    """What the worker says of each file; a file that hangs it is reported, and another worker goes on after it."""
    while jobs:
        worker = _start(healthy, jobs)
        trying: tuple[str, int] | None = None
        try:
            while (line := _line(worker, _START_S if trying is None else LIMIT_S + 5.0)) is not None:
                report = json.loads(line)
                if "begin" in report:
                    trying = tuple(report["begin"])
                else:
                    yield report
                    trying = None
        finally:
            worker.kill()
            worker.wait()
        if trying is None:
            assert worker.returncode in (0, -9), f"the worker ended with {worker.returncode}"
            return
        name, number = trying
        yield {"format": name, "number": number, "how": "hung or ended the process", "code": None, "err": ""}
        position = [job[0] for job in jobs].index(name)
        jobs = [(name, number + 1, jobs[position][2]), *jobs[position + 1 :]]


def _start(healthy: Path, jobs: list[Job]) -> subprocess.Popen[bytes]:
    arguments = [str(part) for job in jobs for part in job]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "250"}
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), str(healthy), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)


def _line(worker: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """The next whole line of a worker; None if it ends or takes too long."""
    assert worker.stdout is not None
    end = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(worker.stdout, selectors.EVENT_READ)
        line = b""
        while not line.endswith(b"\n"):
            if not selector.select(max(0.0, end - time.monotonic())):
                return None
            if not (part := os.read(worker.stdout.fileno(), 1)):
                return None
            line += part
    return line


def wrong(report: dict[str, Any]) -> str | None:
    """What speaks against an answer; None if nothing does."""
    code, lines = report["code"], report["err"].strip().splitlines()
    sentences = [line for line in lines if line.startswith("error: ")]
    if report["number"] < 0:
        return None if code == 0 else f"the healthy file is refused: {lines}"
    if code not in (0, 2):
        return " | ".join([f"exit code {code}", *lines[-1:]])
    if report["seconds"] > LIMIT_S:
        return f"it took {report['seconds']:.1f} s"
    if code == 2 and report["changed"]:
        return f"it was refused, but {', '.join(report['changed'][:3])} changed"
    if code == 2 and (len(sentences) != 1 or lines[-1] != sentences[0]):
        return f"no single sentence: {lines[-3:]}"
    if code == 2 and len(sentences[0]) > _LONGEST_SENTENCE:
        return f"a sentence of {len(sentences[0])} characters"
    return None


def failures(healthy: Path, jobs: list[Job]) -> list[str]:
    found = [(report, wrong(report)) for report in reports(healthy, jobs)]
    assert len(found) == sum(last - first + 1 for _, first, last in jobs)  # one more each, the healthy one
    return [f"{item['format']} {item['number']}, {item.get('how')}: {why}" for item, why in found if why is not None]


def _marked(name: str) -> object:
    waits = [pytest.mark.xfail(strict=True, reason="its reader is still to be mended")] if name in PENDING else []
    return pytest.param(name, marks=waits)


def test_a_few_damaged_files_of_each_format(tmp_path: Path) -> None:
    assert failures(tmp_path, [(name, 0, FEW) for name in FORMATS if name not in PENDING]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [_marked(name) for name in FORMATS])
def test_many_damaged_files(tmp_path: Path, name: str) -> None:
    assert failures(tmp_path, [(name, FEW, FORMATS[name].many)]) == []


@pytest.mark.parametrize(
    ("report", "says"),
    [
        ({"code": 1, "err": "Traceback\nKeyError: 'a'"}, "exit code 1 | KeyError: 'a'"),
        ({"code": 2, "err": ""}, "no single sentence"),
        ({"code": 2, "err": "error: a\nerror: b"}, "no single sentence"),
        ({"code": 2, "err": "error: a\n", "seconds": 11.0}, "it took 11.0 s"),
        ({"code": 2, "err": "error: a\n", "changed": ["out"]}, "it was refused, but out changed"),
        ({"code": 2, "err": "error: " + "a" * 2000}, "a sentence of 2007 characters"),
        ({"code": 2, "err": "warning: b\nerror: a\n"}, None),
        ({"code": 0, "err": "", "changed": ["out"]}, None),
    ],
)
def test_what_counts_as_wrong(report: dict[str, Any], says: str | None) -> None:
    found = wrong({"number": 1, "seconds": 0.1, "changed": [], **report})
    assert found == says if says is None else says in str(found)
