"""Ways in which an HDF5 file can be whole and wrong: other values, kinds, sizes, links; parts missing or unknown."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, Final

import h5py
import numpy as np

ATTRIBUTES: Final[tuple[Any, ...]] = (
    np.nan,
    np.inf,
    -1.0,
    0.0,
    1e300,
    10**12,
    "text",
    "[/bold]",
    "../x",
    "x" * 10_000,
    [1.0, 2.0],
)


def damage_hdf5(path: Path, draw: Random) -> str:
    """Change one object or attribute of an HDF5 file in place; says how."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        names = [name for name in names if not name.startswith("specifications")]  # hundreds, and nobody reads them
        datasets = [name for name in names if isinstance(file[name], h5py.Dataset)]
        name = draw.choice(datasets if draw.random() < 0.6 else names)
        item = file[name]
        if list(item.attrs) and draw.random() < 0.4:
            attribute = draw.choice(list(item.attrs))
            del item.attrs[attribute]
            if draw.random() < 0.7:
                item.attrs[attribute] = draw.choice(ATTRIBUTES)
            return f"attribute {attribute} of {name}"
        if isinstance(item, h5py.Dataset) and draw.random() < 0.7:
            return f"data of {name}: {_other_data(file, name, draw)}"
        del file[name]
        links = {
            "gone": None,
            "a link to itself": h5py.SoftLink(f"/{name}"),
            "a link to another file": h5py.ExternalLink("/etc/passwd", "/"),
            "a link to its root": h5py.SoftLink("/"),
        }
        how = draw.choice(list(links))
        if links[how] is not None:
            file[name] = links[how]
        return f"{name}: {how}"


def _other_data(file: h5py.File, name: str, draw: Random) -> str:
    """Put a dataset with the same attributes, but wrong data, in the place of one."""
    old = file[name]
    values, attributes = old[()], dict(old.attrs)
    shape = np.shape(values)
    ways: dict[str, dict[str, Any]] = {
        "NaN": {"data": np.full(shape, np.nan)},
        "infinite": {"data": np.full(shape, np.inf)},
        "huge": {"data": np.full(shape, 1e300)},
        "whole numbers": {"data": np.zeros(shape, dtype=np.int8)},
        "text": {"data": "text"},
        "texts": {"data": ["a", "b"]},
        "one number": {"data": 1.0},
        "nothing": {"shape": (0,), "dtype": "f8", "maxshape": (None,)},
        "a table": {"data": np.zeros((3, 4))},
        "a terabyte": {"shape": (10**12,), "dtype": "f8", "chunks": (1000,)},
    }
    how = draw.choice(list(ways))
    del file[name]
    made = file.create_dataset(name, **ways[how])
    for key, value in attributes.items():
        made.attrs[key] = value
    return how
