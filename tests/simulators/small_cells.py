"""Cells and windows that the simulators' tests share: small enough for a fraction of a second."""

from __future__ import annotations

from typing import Final

from noble.cells import Cell, CellModel, MorphologySource
from noble.simulators import SolverSettings
from noble.traces import TimeGrid

# 100 ms at the integration step itself: nothing is filtered away before it is compared.
WINDOW: Final = TimeGrid.spanning(100.0, dt_ms=0.02)
SHORT_SETTLING: Final = SolverSettings(equilibration_ms=100.0)

PASSIVE: Final = {"cm.all": 1.0, "Ra.all": 120.0, "g_pas.all": 5e-5, "e_pas.all": -80.0}
FIRING: Final = {**PASSIVE, "gbar_NaV.soma": 0.2, "gbar_Kv3_1.soma": 0.3, "gbar_Ih.soma": 1e-5}
# Every channel of the all-active cells, on the regions where they sit there.
ALL_ACTIVE: Final = {
    **FIRING,
    "gbar_NaV.axon": 0.05,
    "gbar_NaV.dend": 1e-3,
    "gbar_K_T.soma": 0.02,
    "gbar_K_P.soma": 0.005,
    "gbar_Kd.axon": 1e-3,
    "gbar_Kv2like.axon": 0.01,
    "gbar_Kv3_1.axon": 0.1,
    "gbar_Kv3_1.dend": 1e-3,
    "gbar_SK.soma": 0.005,
    "gbar_SK.axon": 0.005,
    "gbar_Ca_HVA.soma": 2e-4,
    "gbar_Ca_HVA.axon": 2e-4,
    "gbar_Ca_LVA.soma": 1e-3,
    "gbar_Ca_LVA.axon": 1e-3,
    "gamma_CaDynamics.soma": 0.01,
    "decay_CaDynamics.soma": 200.0,
    "gamma_CaDynamics.axon": 0.01,
    "decay_CaDynamics.axon": 100.0,
    "gbar_Ih.dend": 1e-5,
    "gbar_Im_v2.dend": 1e-4,
}


def stylised(name: str, values: dict[str, float], **conditions: float) -> CellModel:
    """A model on a built-in morphology, with nothing free."""
    return Cell(name, MorphologySource(name), fixed=values, **conditions).model({})
