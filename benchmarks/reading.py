"""How long a recording takes to read, beside the library beneath: `python benchmarks/reading.py PATH ... [--json FILE]`.

Paths are ABF files (neo), folders of Igor binary waves (igor2) or NWB 2 files (pynwb, which is not what `noble` reads them with).
Both read all samples of all sweeps; `noble` pairs, converts and checks them as well, and takes the checksum of every file. Times
are of the processor, the least of some runs in turn, so that another job beside them matters little.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from noble.files import write_json
from noble.recordings import read_sweeps

RUNS = 15


def by_neo(path: Path) -> None:
    from neo.io import AxonIO

    for segment in AxonIO(str(path)).read_block().segments:
        for signal in segment.analogsignals:
            np.asarray(signal)


def by_igor2(folder: Path) -> None:
    from igor2 import binarywave

    for file in sorted(folder.glob("*.ibw")):
        binarywave.load(str(file))


def by_pynwb(path: Path) -> None:
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        file = io.read()
        for series in (*file.acquisition.values(), *file.stimulus.values()):
            np.asarray(series.data[:])


LIBRARIES: dict[str, Callable[[Path], None]] = {".abf": by_neo, "": by_igor2, ".nwb": by_pynwb}


def seconds(read: Callable[[Path], object], path: Path) -> float:
    started = time.process_time()
    read(path)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = {}
    for path in arguments.paths:
        library = LIBRARIES[path.suffix.lower()]
        runs = [(seconds(library, path), seconds(read_sweeps, path)) for _ in range(RUNS)]
        theirs, ours = (min(column) for column in zip(*runs, strict=True))
        rows[path.name] = {"library": library.__name__, "library_s": theirs, "noble_s": ours, "ratio": ours / theirs}
        print(
            f"{path.name}: {library.__name__} {1e3 * theirs:.1f} ms, noble {1e3 * ours:.1f} ms, ratio {ours / theirs:.2f}"
        )
    if arguments.json is not None:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
