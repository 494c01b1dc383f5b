"""Search for a hall of fame and write it: `python experiments/halls/search.py CONFIG.yaml [--data-folder FOLDER]`.

The archive of all simulated models is kept in `runs/halls/` (ignored by git), so that an interrupted search goes on where it
stopped. With `--gather` the hall is only gathered from the archive.
"""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version
from pathlib import Path

from noble.evolve import SearchConfig, gather_hall, search
from noble.simulate import ArborSimulator, Numerics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data-folder", default=None)
    parser.add_argument("--gather", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=None)
    arguments = parser.parse_args()
    config = SearchConfig.load(arguments.config)
    # A shorter settling is enough to rank models; the hall's own features are measured with the default one.
    responder = ArborSimulator(data_folder=arguments.data_folder, numerics=Numerics(settle_ms=200.0))
    archive_path = Path("runs/halls") / f"{config.name}-{config.search_digest[:8]}.json"
    archive_path.parent.mkdir(parents=True, exist_ok=True)
    if arguments.data_folder and config.cell.endswith(".swc"):
        config = config.model_copy(update={"cell": str(Path(arguments.data_folder) / config.cell)})
    start = time.monotonic()

    def progress(done: int, total: int, line: str) -> None:
        print(f"[{time.monotonic() - start:6.0f} s] generation {done}/{total}: {line}", flush=True)

    if arguments.gather:
        config = config.model_copy(update={"generations": 0})
    archive = search(config, responder, archive_path, progress=progress)
    hall = gather_hall(
        config,
        archive,
        ArborSimulator(data_folder=arguments.data_folder),
        provenance={
            "command": " ".join(
                ["python", "experiments/halls/search.py", arguments.config.as_posix(), *_shown(arguments)]
            ),
            "search": "differential evolution (scipy)",
            "versions": {name: version(name) for name in ("arbor", "efel", "scipy", "noble-neuro")},
        },
    )
    output = arguments.output or Path("src/noble/cells/halls") / f"{config.name}.json"
    hall.save(output)
    print(f"{output}: {len(hall)} models, scores {hall.models[0].score} to {hall.models[-1].score}", flush=True)


def _shown(arguments: argparse.Namespace) -> list[str]:
    """The options of the command that a reader needs; the data folder is the reader's own."""
    shown = ["--data-folder", "FOLDER"] if arguments.data_folder else []
    return [*shown, "-o", arguments.output.as_posix()] if arguments.output else shown


if __name__ == "__main__":
    main()
