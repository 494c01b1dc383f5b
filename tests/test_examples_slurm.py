"""The batch script for Slurm, run without Slurm: two stand-ins take the places of `srun` and `noble`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "slurm" / "noble.sbatch"

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
    result = run("folder", PATH=os.environ["PATH"])
    assert result.returncode == 2
    assert result.stderr == "usage: sbatch noble.sbatch FOLDER COMMAND [ARGUMENTS OF THE COMMAND]\n"


@pytest.mark.parametrize("script", ["slurm/hall-to-bundle.sh", "local-cluster/run.sh"])
def test_the_other_scripts_are_bash_and_say_how_they_are_used(script):
    path = SCRIPT.parents[1] / script
    subprocess.run(["bash", "-n", str(path)], check=True)
    done = subprocess.run(["bash", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: {path.name} ")


def test_the_jobs_from_hall_to_bundle_wait_for_each_other(tmp_path):
    (tmp_path / "sbatch").write_text('#!/usr/bin/env bash\necho "$*" >> "$LOG"\nwc -l < "$LOG"\n')
    (tmp_path / "sbatch").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    script = SCRIPT.with_name("hall-to-bundle.sh")
    subprocess.run(["bash", str(script), "e.yaml", "d.yaml", "t.yaml", "runs/pv"], env=environment, check=True)
    first, second, third = (tmp_path / "log").read_text().splitlines()
    assert first.endswith("noble.sbatch runs/pv/hall evolve e.yaml -o runs/pv/hall")
    assert "--dependency=afterok:1 " in second
    assert second.endswith("noble.sbatch runs/pv generate d.yaml runs/pv/data.zarr")
    assert "--dependency=afterok:2 " in third
    assert third.endswith("noble train 't.yaml' 'runs/pv/data.zarr' -o 'runs/pv'")


def test_outside_of_slurm_the_script_says_so(tmp_path):
    result = run(str(tmp_path / "run"), "generate", PATH=os.environ["PATH"])
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
    result = run(str(folder), "evolve", "my config.yaml", "-o", str(folder), "--seed", "3", PATH=path, **slurm)
    assert result.returncode == 7, result.stderr  # that of noble
    scheduler_file = folder / "scheduler-17.json"
    expected = {
        "arguments": ["evolve", "my config.yaml", "-o", str(folder), "--seed", "3", "--dask", str(scheduler_file)],
        "answers": [1, 2, 3],
        "threads": [1, 1],
        "limits": [2**30] * 2,
        "environment": ["1"],
    }
    assert json.loads((folder / "found.json").read_text()) == expected
    assert not scheduler_file.exists()
    left = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]]
    assert not [command for command in left if str(scheduler_file) in command]
