"""What both simulators do alike: settle to rest, integrate finely, low-pass and decimate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from noble.cells.cell import CellModel
from noble.stimuli import Stimulus
from noble.traces import TimeGrid


@dataclass(frozen=True)
class SolverSettings:
    """How a simulation is integrated.

    Attributes:
        dt_ms: integration step, ms; 0.02 as in the paper.
        equilibration_ms: time without current before the window, ms. Models of a population rest at different potentials, so a
            common initial value would leave a transient in the first tens of ms that depends on it.
        equilibration_dt_ms: step while settling, ms; coarse, since nothing fast happens at rest.
    """

    dt_ms: float = 0.02
    equilibration_ms: float = 500.0
    equilibration_dt_ms: float = 0.1


def decimation_factor(grid: TimeGrid, numerics: SolverSettings) -> int:
    """How many integration steps make one sample of the grid.

    Raises:
        ValueError: if the grid's dt is no multiple of the integration step.
    """
    factor = round(grid.dt_ms / numerics.dt_ms)
    if factor < 1 or abs(factor * numerics.dt_ms - grid.dt_ms) > 1e-9:
        raise ValueError(
            f"dt {grid.dt_ms:g} ms is no multiple of the integration step {numerics.dt_ms:g} ms; "
            "choose one of its multiples, or another integration step."
        )
    return factor


# A Chebyshev filter of even order passes zero frequency at the bottom of its ripple, and here it runs twice: without this, every
# deflection from rest would be 1.1 % too small.
_RIPPLE_DB: Final = 0.05
_GAIN: Final = 10 ** (2 * _RIPPLE_DB / 20)


def decimate(voltage_mv: np.ndarray, factor: int, *, count: int) -> np.ndarray:
    """Low-pass without phase shift, then keep every `factor`-th sample.

    SciPy's order-8 Chebyshev filter (0.05 dB ripple, 0.8 of the new Nyquist frequency), run forwards and backwards, with a gain
    of one at zero frequency.

    Args:
        voltage_mv: shape (batch, fine time), mV.
        factor: see `decimation_factor`.
        count: samples to keep.

    Returns:
        Shape (batch, count), mV.
    """
    if factor == 1:
        return voltage_mv[:, :count]
    from scipy.signal import decimate as scipy_decimate

    rest = voltage_mv[:, :1]  # the filter's edge extension then continues a flat line
    return (_GAIN * scipy_decimate(voltage_mv - rest, factor, axis=-1, zero_phase=True) + rest)[:, :count]


def check_pairs(neurons: Sequence[object], stimuli: Sequence[Stimulus]) -> None:
    """Refuse a population whose models and stimuli do not pair up."""
    if len(neurons) != len(stimuli) or not neurons:
        raise ValueError(
            f"got {len(neurons)} models and {len(stimuli)} stimuli; expected one stimulus for each of at least one model."
        )


def check_membrane(model: CellModel, regions: Iterable[str]) -> None:
    """Refuse a model that leaves the membrane of a region to the simulators' defaults.

    Every region needs its capacitance `cm`, and `g_pas` or a channel; a value for `all` counts for each.

    Raises:
        ValueError: naming the region, what it lacks and how to give it.
    """
    for region in regions:
        lacking = [] if "cm" in model.region_values(region) else ["cm"]
        if "g_pas" not in model.region_values(region) and not model.channel_values(region):
            lacking.append("g_pas or any channel")
        if lacking:
            apical = "build the cell with all_active_cell(..., apical=True), " if region == "apic" else ""
            raise ValueError(
                f"model {model.name!r} of {model.cell.name} has no {' and no '.join(lacking)} on region {region}, which its "
                f"morphology has; {apical}give the cell values there (cm.{region}, g_pas.{region}) or for all regions "
                "(cm.all, g_pas.all)."
            )
