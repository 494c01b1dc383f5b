"""Questions to an operator, batch by batch: arrays in, traces or spike times out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from noble.operator.scope import Departure
from noble.stimuli import Stimulus
from noble.traces import TimeGrid, TraceBatch

if TYPE_CHECKING:
    from noble.operator.operator import Operator

BATCH: Final = 128
"""Traces that are computed at once unless told otherwise."""


def traces(
    operator: Operator,
    features: np.ndarray,
    current_na: np.ndarray,
    grid: TimeGrid,
    batch_size: int = BATCH,
    keys: Int[np.ndarray, " trace"] | None = None,
) -> TraceBatch:
    """The core's answers; float32."""
    parameter = next(operator.parameters())
    voltage_mv = np.empty_like(current_na)
    with operator.predicting(current_na[:batch_size].size):
        for start in range(0, len(current_na), batch_size):
            part = slice(start, start + batch_size)
            answer = operator(
                torch.as_tensor(features[part]).to(parameter),
                torch.as_tensor(current_na[part]).to(parameter),
                grid.dt_ms,
                keys=on_device(None if keys is None else keys[part], parameter),
            )
            voltage_mv[part] = answer.cpu().numpy()
    provenance = {"made_by": "noble", "operator": operator.config.kind, **operator.provenance}
    return TraceBatch(grid, voltage_mv, current_na, provenance)


def trains(
    operator: Operator,
    features: np.ndarray,
    stimuli: Sequence[Stimulus],
    grid: TimeGrid,
    batch_size: int,
    keys: Int[np.ndarray, "pair trial"] | None = None,
) -> tuple[list[np.ndarray], list[Departure]]:
    """Spike times of all trials of the first pair, then of the second; and how the currents depart from what was learned."""
    pairs = np.repeat(np.arange(len(stimuli)), 1 if keys is None else keys.shape[1])
    found: list[np.ndarray] = []
    departures: list[Departure] = []
    told = 0
    for start in range(0, len(pairs), batch_size):
        part = slice(start, start + batch_size)
        first, last = int(pairs[part][0]), int(pairs[part][-1]) + 1
        current_na = sampled(stimuli[first:last], grid)
        new = slice(max(told, first), last)
        departures += operator.departures(stimuli[new], current_na[new.start - first :], grid.dt_ms)
        told = last
        drawn = None if keys is None else keys.ravel()[part]
        found += _core_spike_times(operator, features[pairs[part]], current_na[pairs[part] - first], grid, drawn)
    return found, departures


def _core_spike_times(
    operator: Operator, features: np.ndarray, current_na: np.ndarray, grid: TimeGrid, keys: np.ndarray | None
) -> list[np.ndarray]:
    """Spike times of one batch within the window, ms."""
    parameter = next(operator.parameters())
    with operator.predicting(current_na.size):
        scaled = operator.spec.scale(torch.as_tensor(features).to(parameter))
        currents = torch.as_tensor(current_na).to(parameter)
        times = operator.core.spike_times_ms(scaled, currents, grid.dt_ms, keys=on_device(keys, parameter))
    # A core may know spikes beyond the window, and fills short rows up with infinity.
    return [row[row < (grid.count - 1) * grid.dt_ms] for row in times.double().cpu().numpy()]


def sampled(stimuli: Sequence[Stimulus], grid: TimeGrid) -> np.ndarray:
    """The currents at the grid's instants, float32, shape (n, time), nA."""
    current_na = np.empty((len(stimuli), grid.count), dtype=np.float32)
    for row, stimulus in zip(current_na, stimuli, strict=True):
        row[:] = stimulus.sample(grid)
    return current_na


def on_device(keys: np.ndarray | None, parameter: Tensor) -> Tensor | None:
    """Keys of trials as a tensor beside the weights."""
    return None if keys is None else torch.as_tensor(keys, device=parameter.device)
