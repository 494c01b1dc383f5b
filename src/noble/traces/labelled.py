"""Traces with labels: an `xarray.Dataset` of voltage and current over neuron, stimulus and time.

Inside the package traces are bare arrays (`TraceBatch`); this is what a user gets. Names and units:

| variable or coordinate | dimensions | unit |
| --- | --- | --- |
| `voltage` | neuron, stimulus, (trial,) time | mV |
| `current` | stimulus, time | nA |
| `time` | time | ms |
| `onset`, `offset` | stimulus | ms |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float

from noble.traces.grid import TimeGrid

if TYPE_CHECKING:
    import xarray

DIMENSIONS: Final = ("neuron", "stimulus", "time")


def labelled_traces(
    voltage_mv: Float[np.ndarray, "neuron stimulus *trial time"],
    current_na: Float[np.ndarray, "stimulus time"],
    grid: TimeGrid,
    *,
    neurons: Sequence[str | int],
    stimuli: Sequence[str],
    edges_ms: Float[np.ndarray, "stimulus 2"],
    neuron_coordinates: Mapping[str, tuple[np.ndarray, str]] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> xarray.Dataset:
    """Label answers of every neuron to every stimulus.

    Args:
        voltage_mv: answers, mV; those that were drawn several times have trials along one more axis.
        current_na: what was injected, nA.
        grid: their instants.
        neurons: a label for each neuron.
        stimuli: a label for each stimulus, such as its `repr`.
        edges_ms: first and last instant of each stimulus, ms.
        neuron_coordinates: for each further coordinate of the neurons, values of shape (neuron,) and their unit.
        provenance: who made the traces; kept as JSON in the attribute `provenance`.
    """
    import xarray

    coordinates: dict[str, Any] = {
        "neuron": list(neurons),
        "stimulus": list(stimuli),
        "time": ("time", grid.times_ms, {"units": "ms"}),
        "onset": ("stimulus", edges_ms[:, 0], {"units": "ms", "long_name": "start of the stimulus"}),
        "offset": ("stimulus", edges_ms[:, 1], {"units": "ms", "long_name": "end of the stimulus"}),
    }
    for name, (values, unit) in (neuron_coordinates or {}).items():
        coordinates[name] = ("neuron", values, {"units": unit})
    dimensions = DIMENSIONS
    if voltage_mv.ndim > len(DIMENSIONS):
        dimensions = (*DIMENSIONS[:-1], "trial", DIMENSIONS[-1])
        coordinates["trial"] = range(voltage_mv.shape[2])
    return xarray.Dataset(
        {
            "voltage": (dimensions, voltage_mv, {"units": "mV", "long_name": "somatic voltage"}),
            "current": (DIMENSIONS[1:], current_na, {"units": "nA", "long_name": "injected current"}),
        },
        coords=coordinates,
        attrs={"dt_ms": grid.dt_ms, "provenance": json.dumps(dict(provenance or {}), default=str)},
    )


def grid_of(traces: xarray.Dataset) -> TimeGrid:
    """The time grid of labelled traces.

    Raises:
        ValueError: if their times do not start at 0 or are not uniform, or there is no voltage.
    """
    if "voltage" not in traces or "time" not in traces.dims:
        raise ValueError(
            f"the dataset has the variables {', '.join(map(str, traces.data_vars)) or 'none'}; expected voltage over time, "
            "as noble.simulate and Operator.predict return it."
        )
    times = traces["time"].values
    steps = np.diff(times)
    if steps.size == 0 or abs(times[0]) > 1e-9 or np.any(np.abs(steps - steps.mean()) > 1e-3 * steps.mean()):
        raise ValueError(
            f"the times run from {times[0]:g} ms in steps of {steps.min(initial=np.nan):g} to {steps.max(initial=np.nan):g} "
            "ms; expected uniform steps from 0. Resample the traces, or subtract the first instant."
        )
    return TimeGrid(float((times[-1] - times[0]) / steps.size), times.size)
