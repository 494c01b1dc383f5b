"""A hall of one-compartment cells that fire: all that a real hall goes through, at a fiftieth of the simulated cost."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from noble.cells import Cell, HallModel, HallOfFame, MorphologySource
from noble.cells.cell import Parameter

SWC: Final = "1 1 0 0 0 10 -1\n2 1 0 -10 0 10 1\n3 1 0 10 0 10 1\n"
# Leaky enough to fire regularly over the 200 pA above rheobase that a hall's F-I curve spans.
FIXED: Final = {"cm.all": 1.0, "Ra.all": 120.0, "e_pas.all": -80.0, "gbar_NaV.soma": 0.2, "gbar_Kv3_1.soma": 0.3}
LEAKS: Final = (1.0e-3, 1.1e-3)


def firing_soma_hall(folder: Path, name: str = "soma") -> HallOfFame:
    """Two models that differ in their leak, on an SWC file that is written to this folder."""
    (folder / "soma.swc").write_text(SWC)
    cell = Cell(
        name,
        MorphologySource.from_swc(folder / "soma.swc", axon="keep"),
        parameters=(Parameter("g_pas", "all", 5e-4, 5e-3),),
        fixed=FIXED,
    )
    models = tuple(HallModel(values={"g_pas.all": leak}, features={}, score=1.0, seed=1) for leak in LEAKS)
    return HallOfFame(name, cell, models)
