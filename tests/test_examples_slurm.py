"""The batch script for Slurm, run without Slurm: two stand-ins take the places of `srun` and `noble`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "slurm" / "evolve.sbatch"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

# One node: the command behind the options is run here.
SRUN = """#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
exec "$@"
"""
# Says how it was called, and what two workers answer by way of the scheduler file.
NOBLE = f"""#!{sys.executable}
import json, os, sys, time
from pathlib import Path
from distributed import Client
from noble.jobs import Pool

folder, scheduler_file = (Path(sys.argv[sys.argv.index(option) + 1]) for option in ("-o", "--dask"))
with Client(scheduler_file=str(scheduler_file)) as client:
    client.wait_for_workers(2, timeout=60)
    threads = list(client.nthreads().values())
    limits = [facts["memory_limit"] for facts in client.scheduler_info()["workers"].values()]
with Pool(address=str(scheduler_file)) as pool:
    answers = pool.map(abs, [-1, -2, -3])
    environment = pool.map(os.getenv, ["OMP_NUM_THREADS"])
found = dict(arguments=sys.argv[1:], answers=answers, threads=threads, limits=limits, environment=environment)
(folder / "found.json").write_text(json.dumps(found))
sys.exit(7)
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_script_is_bash_and_says_how_it_is_used():
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    result = run("config.yaml", PATH=os.environ["PATH"])
    assert result.returncode == 2
    assert result.stderr == "usage: sbatch evolve.sbatch CONFIG.yaml FOLDER [options of noble evolve]\n"


def test_outside_of_slurm_the_script_says_so(tmp_path):
    result = run("config.yaml", str(tmp_path / "run"), PATH=os.environ["PATH"])
    assert result.returncode != 0
    assert "SLURM_JOB_ID: run this by sbatch" in result.stderr


@pytest.mark.slow
def test_noble_gets_a_cluster_of_one_process_a_core_and_all_of_it_ends_with_it(tmp_path):
    pytest.importorskip("distributed")
    psutil = pytest.importorskip("psutil")
    for name, content in {"srun": SRUN, "noble": NOBLE}.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    folder = tmp_path / "a run"
    slurm = {"SLURM_JOB_ID": "17", "SLURM_CPUS_PER_TASK": "2", "SLURM_MEM_PER_CPU": "1024"}
    result = run("my config.yaml", str(folder), "--seed", "3", PATH=path, **slurm)
    assert result.returncode == 7, result.stderr  # that of noble
    scheduler_file = folder / "scheduler-17.json"
    expected = {
        "arguments": ["evolve", "my config.yaml", "-o", str(folder), "--dask", str(scheduler_file), "--seed", "3"],
        "answers": [1, 2, 3],
        "threads": [1, 1],
        "limits": [2**30] * 2,
        "environment": ["1"],
    }
    assert json.loads((folder / "found.json").read_text()) == expected
    assert not scheduler_file.exists()
    left = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]]
    assert not [command for command in left if str(scheduler_file) in command]
