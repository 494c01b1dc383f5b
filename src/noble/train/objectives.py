"""What each kind of operator is trained on: voltage for an FNO, phase and waveform for the spike-phase operator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from noble.operator import Operator
from noble.operator.spiking.core import SpikePhaseCore
from noble.traces import TimeGrid
from noble.train.batches import Batch
from noble.train.config import LossConfig
from noble.train.losses import phase_losses, pseudo_huber, relative_h1, relative_lp

Objective = Callable[[Operator, Batch, torch.Generator], dict[str, Tensor]]
"""Operator, batch on the training window and a source of random numbers -> named losses, with their sum as `loss`."""

_NEAR_SPIKE_MS = 2.0


def objective_for(operator: Operator, config: LossConfig, *, window: TimeGrid) -> Objective:
    """The objective that fits an operator."""
    if isinstance(operator.core, SpikePhaseCore):
        return _SpikePhaseObjective(config, window)
    return _VoltageObjective(config, window)


class _VoltageObjective:
    """A relative norm of the voltage error; volts not centred, as in the paper (the norm is the same in mV)."""

    def __init__(self, config: LossConfig, window: TimeGrid) -> None:
        self._name, self._dt_ms = config.voltage, window.dt_ms

    def __call__(self, operator: Operator, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        predicted = operator(batch.features, batch.current_na, self._dt_ms)
        if self._name == "h1":
            return {"loss": relative_h1(predicted, batch.voltage_mv, dt_ms=self._dt_ms)}
        return {"loss": relative_lp(predicted, batch.voltage_mv, p=2.0 if self._name == "l2" else 4.0)}


class _SpikePhaseObjective:
    """Phase against the true spikes, and the voltage that the decoder draws when it is given the true spikes.

    Teacher forcing keeps the two apart: a spike that comes late costs its time, not the voltage of a missed spike and
    of a false one, so there is nothing to gain from silence.
    """

    def __init__(self, config: LossConfig, window: TimeGrid) -> None:
        self._config, self._window = config, window

    def __call__(self, operator: Operator, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        core = operator.core
        assert isinstance(core, SpikePhaseCore)
        encoded = core.encode(operator.spec.scale(batch.features), batch.current_na, self._window.dt_ms)
        timing, intervals, silence = phase_losses(encoded, batch.spikes_ms, scale_ms=self._config.timing_scale_ms)
        samples = self._samples(batch, generator)
        times = samples * self._window.dt_ms
        drawn = core.decode(encoded, times, batch.spikes_ms)
        waveform = pseudo_huber(drawn - batch.voltage_mv.gather(1, samples), scale=1.0).mean()
        config = self._config
        loss = (
            config.timing * timing
            + config.intervals * intervals
            + config.silence * silence
            + config.waveform * waveform
        )
        return {"loss": loss, "timing": timing, "intervals": intervals, "silence": silence, "waveform": waveform}

    def _samples(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Sample numbers at which to compare voltage: half anywhere, half near spikes, where there are spikes."""
        rows, points = batch.features.shape[0], self._config.waveform_points

        def uniform(columns: int) -> Tensor:
            return torch.rand((rows, columns), generator=generator).to(batch.features.device)

        count = torch.isfinite(batch.spikes_ms).sum(dim=1, keepdim=True)
        anywhere = uniform(points) * (self._window.count - 1)
        which = (uniform(points // 2) * count).long().clamp(max=batch.spikes_ms.shape[1] - 1)
        offset = (2 * uniform(points // 2) - 1) * _NEAR_SPIKE_MS
        near = (batch.spikes_ms.gather(1, which) + offset) / self._window.dt_ms
        anywhere[:, : points // 2] = torch.where(count > 0, near, anywhere[:, : points // 2])
        return anywhere.round().long().clamp(0, self._window.count - 1)
