"""Windows of a recording: what counts, and before it the time that tells the network in which state the neuron is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch

from noble.operator.core import Examples
from noble.twin.material import Material, Stretch, before_na


class Windows:
    """Batches of equally long windows of some stretches.

    Args:
        material: of which the stretches are.
        stretches: what counts, at least one.
        window_ms: longest window; a shorter stretch is taken whole.
        settle_ms: time before each window, as far as that is more than nothing.
        batch_ms: counted time of a batch.
    """

    def __init__(
        self,
        material: Material,
        stretches: Sequence[Stretch],
        *,
        window_ms: float,
        settle_ms: float,
        batch_ms: float,
    ) -> None:
        self._material, self._settle_ms, self._batch_ms = material, settle_ms, batch_ms

        # Stretches of like length share a batch, in which all windows are as long as the shortest of them.
        def octave(stretch: Stretch) -> int:
            return int(np.floor(np.log2(min(stretch.duration_ms, window_ms))))

        groups = [list(group) for _, group in groupby(sorted(stretches, key=octave), key=octave)]
        self._groups = [(group, min(window_ms, *(item.duration_ms for item in group))) for group in groups]
        self._shares = [sum(item.duration_ms for item in group) for group, _ in self._groups]

    def draw(self, generator: np.random.Generator) -> Examples:
        """Windows anywhere in the stretches, all instants alike likely but for those near an end."""
        shares = np.array(self._shares)
        group, length_ms = self._groups[generator.choice(len(shares), p=shares / shares.sum())]
        lengths = np.array([item.duration_ms for item in group])
        rows = max(1, round(self._batch_ms / length_ms))
        chosen = generator.choice(len(group), size=rows, p=lengths / lengths.sum())
        free = generator.random(rows) * (lengths[chosen] - length_ms)
        return self._examples([(group[which], offset) for which, offset in zip(chosen, free, strict=True)], length_ms)

    def in_order(self) -> Iterator[tuple[Examples, float]]:
        """All of the stretches once, each with how many ms of it count."""
        for group, length_ms in self._groups:
            for item in group:
                for offset in np.arange(0, item.duration_ms - self._material.dt_ms / 2, length_ms):
                    counted = float(min(length_ms, item.duration_ms - offset))
                    yield self._examples([(item, float(offset))], counted), counted

    def _examples(self, windows: Sequence[tuple[Stretch, float]], length_ms: float) -> Examples:
        material, dt_ms = self._material, self._material.dt_ms
        settle = round(self._settle_ms / dt_ms)
        count = settle + round(length_ms / dt_ms)
        current, voltage = (np.empty((len(windows), count), dtype=np.float32) for _ in range(2))
        trains = []
        for row, (stretch, offset_ms) in enumerate(windows):
            sweep = material.sweeps[stretch.sweep]
            start = round((stretch.start_ms + offset_ms) / dt_ms)
            start = min(start, sweep.current_na.size - (count - settle))
            index = np.arange(start - settle, start - settle + count)
            inside = np.maximum(index, 0)
            current[row] = np.where(index < 0, before_na(sweep, dt_ms), sweep.current_na[inside])
            voltage[row] = sweep.voltage_mv[inside]
            times = sweep.spikes_ms - (start - settle) * dt_ms
            trains.append(times[(times >= 0) & (times < count * dt_ms)])
        spikes = np.full((len(windows), max(1, *(train.size for train in trains), 1)), np.inf, dtype=np.float32)
        for row, train in zip(spikes, trains, strict=True):
            row[: train.size] = train
        return Examples(
            scaled_features=torch.zeros(len(windows), 0),
            current_na=torch.from_numpy(current),
            voltage_mv=torch.from_numpy(voltage),
            spikes_ms=torch.from_numpy(spikes),
            dt_ms=dt_ms,
            counted_from_ms=settle * dt_ms,
        )
