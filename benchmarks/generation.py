"""How busy generation keeps the cores and how much memory it takes: `python benchmarks/generation.py [--traces N] [--json FILE]`.

Runs `noble generate` as a user would, in a process of its own, for two sizes: memory that does not grow between them does not
depend on the number of traces. Run on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from noble.files import write_json

COMMAND = "import sys; from noble.cli import main; sys.argv = ['noble', *sys.argv[1:]]; main()"


def measure(traces: int, hall: str) -> dict[str, Any]:
    """One run of `noble generate`."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "data.yaml"
        config.write_text(f"hall: {hall}\ntraces: {{train: {traces}, validation: 0, test: 0, unseen_models: 0}}\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", COMMAND, "generate", config, Path(folder) / "data.zarr"])
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(0.25)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "traces": traces,
        "seconds": seconds,
        "traces_per_s": traces / seconds,
        "cores_busy_percent": 100 * cpu / seconds / (os.cpu_count() or 1),
        "peak_memory_mb": peak / 2**20,
    }


def resident_bytes(root: int) -> int:
    """Resident memory of a process and all below it, shared pages counted in each (Linux)."""
    parents, resident = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # ended meanwhile
                continue
            parents[int(entry.name)] = int(fields[1])
            resident[int(entry.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    family = {root}
    while added := {child for child, parent in parents.items() if parent in family} - family:
        family |= added
    return sum(resident.get(member, 0) for member in family)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, nargs="+", default=[128, 384])
    parser.add_argument("--hall", default="stylised-pv")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    rows = [measure(count, arguments.hall) for count in arguments.traces]
    for row in rows:
        print(" ".join(f"{key}={value:.4g}" for key, value in row.items()), flush=True)
    if arguments.json is not None:
        write_json(arguments.json, {"cores": os.cpu_count(), "hall": arguments.hall, "runs": rows})


if __name__ == "__main__":
    main()
