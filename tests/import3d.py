"""Lengths and areas of a morphology by region: ours, and those of NEURON's own import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from noble.cells import Morphology


def numbers(morphology: Morphology) -> dict[str, tuple[float, float]]:
    """Length (um) and area (um2) of each region."""
    return {region: (morphology.length_um(region), morphology.area_um2(region)) for region in morphology.regions}


def neuron_numbers(
    path: Path, reader: Literal["Import3d_SWC_read", "Import3d_Neurolucida3"]
) -> dict[str, tuple[float, float]]:
    """The same, from NEURON's own import."""
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    from neuron import h

    h.load_file("stdlib.hoc")
    h.load_file("import3d.hoc")

    class Holder:
        pass

    imported = getattr(h, reader)()
    imported.quiet = 1
    imported.input(str(path))
    holder = Holder()
    h.Import3d_GUI(imported, False).instantiate(holder)
    found = {}
    for region in ("soma", "axon", "dend", "apic"):
        if sections := list(getattr(holder, region, None) or []):
            area = sum(segment.area() for section in sections for segment in section)
            found[region] = (sum(section.L for section in sections), area)
    return found
