"""The "all-active" human interneuron: which channels sit where, and the bounds of what is free.

From the published workflow (Nandi et al. 2022, Cell Reports 40; Buchin et al. 2022, Cell Reports 41).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from noble.cells.cell import AxonKind, Cell, MorphologySource, Parameter

# (quantity, regions, low, high), in the units of `channels.py`.
ALL_ACTIVE_BOUNDS: Final[tuple[tuple[str, tuple[str, ...], float, float], ...]] = (
    ("cm", ("soma", "axon", "dend"), 0.1, 10.0),
    ("Ra", ("all",), 50.0, 200.0),
    ("g_pas", ("all",), 1e-7, 1e-2),
    ("e_pas", ("all",), -110.0, -60.0),
    ("gbar_Ih", ("soma", "dend"), 1e-7, 1e-4),
    ("gbar_NaV", ("soma",), 1e-7, 5.0),
    ("gbar_NaV", ("axon", "dend"), 1e-7, 0.1),
    ("gbar_K_T", ("soma", "axon"), 0.0, 1.0),
    ("gbar_K_P", ("soma", "axon"), 0.0, 1.0),
    ("gbar_Kd", ("axon",), 1e-7, 0.01),
    ("gbar_Kv2like", ("axon",), 0.0, 0.1),
    ("gbar_Kv3_1", ("soma", "axon"), 0.0, 2.0),
    ("gbar_Kv3_1", ("dend",), 0.0, 1.0),
    ("gbar_SK", ("soma", "axon"), 1e-7, 0.1),
    ("gbar_Ca_HVA", ("soma", "axon"), 1e-7, 1e-3),
    ("gbar_Ca_LVA", ("soma", "axon"), 1e-7, 1e-2),
    ("gamma_CaDynamics", ("soma", "axon"), 5e-4, 0.05),
    ("decay_CaDynamics", ("soma", "axon"), 20.0, 1000.0),
    ("gbar_Im_v2", ("dend",), 1e-7, 0.01),
)


def all_active_cell(name: str, source: MorphologySource, *, apical: bool = False) -> Cell:
    """An all-active interneuron on any morphology with soma, axon (usually the stub) and dendrites.

    Args:
        name: of the cell.
        source: its morphology; where it deletes the axon, nothing of the axon is free.
        apical: whether it has apical dendrites (SWC type 4); they get parameters of their own, bounded as the others'.
    """
    parameters = tuple(
        Parameter(quantity, region, low, high)
        for quantity, regions, low, high in ALL_ACTIVE_BOUNDS
        for region in (*regions, *(("apic",) if apical and "dend" in regions else ()))
        if not (region == "axon" and source.axon == "none")
    )
    return Cell(name=name, morphology=source, parameters=parameters)


def all_active_cell_from_swc(path: Path | str, *, axon: AxonKind = "stub") -> Cell:
    """An all-active interneuron on an SWC, ASC or HDF5 file, named after it, with apical dendrites where the file has them."""
    source = MorphologySource.from_swc(path, axon=axon)
    return all_active_cell(Path(path).stem, source, apical="apic" in source.load().regions)


def builtin_cell(name: str) -> Cell:
    """A stylised cell of the package: `stylised-pv` or `stylised-vip`.

    All-active but for dendritic NaV: that channel's Markov scheme on every dendritic compartment costs more than half of a
    simulation, and the bounds let it vanish.

    Raises:
        ValueError: for another name.
    """
    if name not in BUILTIN_CELLS:
        raise ValueError(f"there is no built-in cell {name!r}; expected one of {', '.join(BUILTIN_CELLS)}.")
    cell = all_active_cell(name, MorphologySource(name))
    return replace(cell, parameters=tuple(item for item in cell.parameters if item.name != "gbar_NaV.dend"))


BUILTIN_CELLS: Final = ("stylised-pv", "stylised-vip")
