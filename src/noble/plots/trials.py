"""Trials of a neuron over those of its twin: current, raster, rates, and a piece of voltage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.plots.style import PREDICTED_COLOUR, SIMULATED_COLOUR, WIDTH_IN, styled_figure, with_minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from noble.comparison.trials import TrialComparison

# So much of the trials is shown, and of this the middle once more as voltage, ms.
_SHOWN_MS: Final = 3000.0
_VOLTAGE_MS: Final = 600.0
_MOST_TRIALS: Final = 20
# Rates are averages with a Gaussian window of this standard deviation, ms.
_RATE_SD_MS: Final = 5.0
_RATE_STEP_MS: Final = 1.0


def trials_figure(found: TrialComparison) -> Figure:
    """The stretch of three seconds in which the neuron fires most; the neuron is black, the twin coloured.

    Args:
        found: as `compare_trials` returns it.
    """
    repeats = found.repeats
    assert repeats is not None  # only results that were read from a file have none
    start = _busiest_ms(repeats.spikes_ms, repeats.duration_ms)
    stop = min(start + _SHOWN_MS, repeats.duration_ms)
    twin = found.deterministic_ms is not None
    heights = [0.7, 1.1, *([1.1] if twin else []), 1.0, 1.4]
    with styled_figure(height_in=1.0 + 1.05 * sum(heights), width_in=WIDTH_IN) as figure:
        panels = figure.subplots(len(heights), 1, height_ratios=heights)
        current, raster, *others, rates, voltage = panels
        _draw_current(current, found, start, stop)
        _draw_raster(raster, repeats.spikes_ms, SIMULATED_COLOUR, "Neuron", start, stop)
        if twin:
            (drawn,) = others
            count = min(len(repeats.spikes_ms), _MOST_TRIALS)
            _draw_raster(drawn, found.drawn_ms[:count], PREDICTED_COLOUR, "Twin", start, stop)
        _draw_rate(rates, repeats.spikes_ms, SIMULATED_COLOUR, start, stop)
        if twin:
            _draw_rate(rates, found.drawn_ms, PREDICTED_COLOUR, start, stop)
        rates.set_ylabel("Rate (Hz)")
        for panel in panels[:-1]:
            panel.set_xlim(start / 1e3, stop / 1e3)
            panel.tick_params(labelbottom=panel is rates)
        rates.set_xlabel("Time (s)")
        _draw_voltage(voltage, found, start, stop)
        figure.align_ylabels()
    return figure


def _draw_current(axes: Axes, found: TrialComparison, start: float, stop: float) -> None:
    repeats = found.repeats
    assert repeats is not None
    part = _part(repeats.grid.dt_ms, repeats.start_ms, start, stop)
    times = np.arange(part.start, part.stop) * repeats.grid.dt_ms - repeats.start_ms
    axes.plot(times / 1e3, repeats.current_na[part], color="0.4", lw=0.5)
    axes.set_ylabel("Current\n(nA)")
    trials = len(repeats.spikes_ms)
    axes.set_title(with_minus(f"{found.source}: {trials} answers to one current"), loc="left")


def _draw_raster(axes: Axes, trains: Sequence[np.ndarray], colour: str, name: str, start: float, stop: float) -> None:
    shown = [train[(train >= start) & (train < stop)] / 1e3 for train in trains]
    axes.eventplot(shown, colors=colour, lineoffsets=list(range(1, len(shown) + 1)), linelengths=0.8, linewidths=0.9)
    axes.set_ylim(len(shown) + 0.6, 0.4)
    axes.set_yticks([1, len(shown)])
    axes.set_ylabel(f"{name}\n(trial)")


def _draw_rate(axes: Axes, trains: Sequence[np.ndarray], colour: str, start: float, stop: float) -> None:
    times = np.arange(start, stop, _RATE_STEP_MS)
    rate = np.zeros(times.size)
    for train in trains:
        near = train[(train > start - 5 * _RATE_SD_MS) & (train < stop + 5 * _RATE_SD_MS)]
        rate += np.exp(-0.5 * ((times[:, None] - near) / _RATE_SD_MS) ** 2).sum(axis=1)
    rate *= 1e3 / (_RATE_SD_MS * np.sqrt(2 * np.pi) * len(trains))
    axes.plot(times / 1e3, rate, color=colour, lw=0.9)


def _draw_voltage(axes: Axes, found: TrialComparison, start: float, stop: float) -> None:
    repeats = found.repeats
    assert repeats is not None
    middle = (start + stop) / 2
    first, last = max(start, middle - _VOLTAGE_MS / 2), min(stop, middle + _VOLTAGE_MS / 2)
    part = _part(repeats.grid.dt_ms, repeats.start_ms, first, last)
    times = np.arange(part.start, part.stop) * repeats.grid.dt_ms - repeats.start_ms
    axes.plot(times, repeats.voltage_mv[0, part], color=SIMULATED_COLOUR, lw=0.8, label="neuron, first trial")
    if found.voltage_mv is not None:
        label = "twin, most likely answer"
        axes.plot(times, found.voltage_mv[part], color=PREDICTED_COLOUR, lw=0.8, ls=(0, (4, 1)), label=label)
        axes.legend(loc="upper left", ncols=2, bbox_to_anchor=(0.0, 1.16))
    axes.set_xlim(first, last)
    axes.set_ylabel("Voltage (mV)")
    axes.set_xlabel("Time (ms)")


def _busiest_ms(trains: Sequence[np.ndarray], duration_ms: float) -> float:
    """Where the stretch begins in which most spikes are."""
    starts = np.arange(0.0, max(duration_ms - _SHOWN_MS, 0.0) + 1.0, 100.0)
    spikes = np.sort(np.concatenate(list(trains)))
    counts = np.searchsorted(spikes, starts + _SHOWN_MS) - np.searchsorted(spikes, starts)
    return float(starts[int(np.argmax(counts))])


def _part(dt_ms: float, offset_ms: float, start_ms: float, stop_ms: float) -> slice:
    return slice(round((offset_ms + start_ms) / dt_ms), round((offset_ms + stop_ms) / dt_ms))
