"""A folder of Allen fits of a one-compartment cell, some of which fire: what others hand over, at a fiftieth of the cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A soma as in `firing_soma`, with an axon that would change it.
SWC = "1 1 0 0 0 10 -1\n2 1 0 -10 0 10 1\n3 1 0 10 0 10 1\n4 2 10 0 0 2 1\n5 2 400 0 0 2 4\n"
FIRING = {"gbar_NaV": 0.2, "gbar_Kv3_1": 0.3, "g_pas": 1e-3}


def allen_fit(**genes: float) -> dict[str, Any]:
    """A fit that deletes its axon."""
    values = {**FIRING, **genes}
    return {
        "passive": [{"ra": 120.0}],
        "axon_morph": [{"delete_axon": ["forsec axonal{delete_section()}"]}],
        "fitting": [{"junction_potential": -14.0, "sweeps": [38]}],
        "conditions": [{"celsius": 34.0, "erev": [{"ena": 53.0, "section": "soma", "ek": -107.0}], "v_init": -80.0}],
        "genome": [
            {"section": "soma", "name": name, "value": value, "mechanism": name.partition("_")[2]}
            for name, value in {"cm": 1.0, "e_pas": -80.0, **values}.items()
        ],
    }


def write_fits(folder: Path, fits: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write fits by their names, and the SWC file `cell.swc`; the path of that."""
    folder.mkdir(exist_ok=True)
    for name, fit in fits.items():
        (folder / name).write_text(json.dumps(fit))
    swc = folder / "cell.swc"
    swc.write_text(SWC)
    return swc
