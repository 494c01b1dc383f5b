"""`noble info`: versions, or what a file or folder is."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from noble.cli.app import HOUSEKEEPING, app
from noble.cli.progress import console


@app.command(rich_help_panel=HOUSEKEEPING)
def info(
    what: Annotated[
        Path | None, typer.Argument(help="A bundle, a store or a hall of fame.", show_default=False)
    ] = None,
) -> None:
    """Say which versions are installed, or what a bundle, store or hall of fame holds."""
    if what is None:
        _print_versions()
    elif (what / "model.safetensors").exists() or (what / "config.json").exists():
        _print_bundle(what)
    elif what.is_dir():
        _print_store(what)
    elif what.exists():
        _print_hall(what)
    else:
        _print_shipped(str(what))


def _print_shipped(name: str) -> None:
    """What the package has under a name: a hall, the bundle trained on it, or both.

    Raises:
        FileNotFoundError: if it has nothing.
    """
    from noble.cells import shipped_halls
    from noble.operator import shipped_bundles

    found = name in shipped_halls(), name in shipped_bundles()
    if not any(found):
        names = ", ".join(sorted({*shipped_halls(), *shipped_bundles()}))
        raise FileNotFoundError(
            f"there is no {name!r}: no such file or folder, and nothing shipped has that name ({names})."
        )
    for known, show in zip(found, (_print_hall, _print_bundle), strict=True):
        if known:
            show(Path(name))


def _print_store(folder: Path) -> None:
    from noble.data import Store

    store = Store.open(folder)
    splits = {split: int(store.indices(split).size) for split in ("train", "validation", "test", "unseen_models")}
    _print_pairs(
        {
            "store": str(folder),
            "hall": json.dumps(store.attributes.get("hall")),
            "traces": json.dumps(splits),
            "window": f"{store.grid.duration_ms:g} ms at dt {store.grid.dt_ms:g} ms",
            "model features": ", ".join(store.feature_names),
            "digest": store.digest,
        }
    )


def _print_hall(what: Path) -> None:
    from noble.cells import HallOfFame

    hall = HallOfFame.load(what)
    scores = [model.score for model in hall.models if model.score is not None]
    _print_pairs(
        {
            "hall": hall.name,
            "cell": hall.cell.name,
            "models": f"{len(hall.train)} to train on, {len(hall.held_out)} held out",
            "scores": f"{min(scores):.3f} to {max(scores):.3f}" if scores else "none",
            "provenance": json.dumps(dict(hall.provenance)),
            "digest": hall.digest,
        }
    )


def _print_versions() -> None:
    table = Table("package", "version", "needed for")
    for name, purpose in {
        "noble-neuro": "",
        "torch": "operators",
        "arbor": "simulation (default)",
        "neuron": "simulation (reference)",
        "bmtk": "NMODL sources for NEURON",
        "lightning-fabric": "training",
        "efel": "e-features",
        "zarr": "stores",
    }.items():
        try:
            table.add_row(name, metadata.version(name), purpose)
        except metadata.PackageNotFoundError:
            table.add_row(name, "not installed", purpose)
    console.print(table)


def _print_bundle(folder: Path) -> None:
    from noble.operator import Operator
    from noble.operator.describe import neurons_of

    operator = Operator.load(folder)
    spec = operator.spec
    ranges = [
        f"{name} {low:.4g} to {high:.4g} {unit}"
        for name, low, high, unit in zip(spec.names, spec.minimum, spec.maximum, spec.units, strict=True)
    ]
    _print_pairs(
        {
            "bundle": str(folder),
            "operator": operator.config.kind,
            "parameters": f"{sum(parameter.numel() for parameter in operator.parameters()):,}",
            "features": "; ".join(ranges) or f"none: {neurons_of(operator)}",
            "learned": "unknown" if operator.scope is None else operator.scope.describe(),
            "window": f"{operator.grid.duration_ms:g} ms at dt {operator.grid.dt_ms:g} ms",
            "provenance": json.dumps(operator.provenance.get("training_run", {})),
        }
    )


def _print_pairs(pairs: dict[str, str]) -> None:
    table = Table(show_header=False)
    for name, value in pairs.items():
        table.add_row(name, value)
    console.print(table)
