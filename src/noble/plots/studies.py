"""Figures of the studies of an operator and of its data: resolution, subsampling, interpolation; from results, not models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.plots.style import (
    HULL_COLOUR,
    PREDICTED_COLOUR,
    SIMULATED_COLOUR,
    TRAINING_COLOUR,
    WIDTH_IN,
    evenly_spaced,
    styled_figure,
    with_minus,
)
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from noble.studies.resolution import ResolutionStudy
    from noble.studies.subsampling import SubsamplingStudy

# Title of a panel, and its curves: key of the summary and label.
_RESOLUTION_PANELS: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    ("Voltage, relative L2 (%)", (("relative_l2_percent", ""),)),
    ("Spike time error (ms)", (("spike_time_median_ms", "median"), ("spike_time_p90_ms", "90th percentile"))),
    ("Spike count error (%)", (("spike_count_error_percent", ""),)),
    ("AP1 width error (%)", (("ap1_width_error_percent", ""),)),
    ("Mean AP amplitude error (%)", (("mean_ap_amplitude_error_percent", ""),)),
    ("Steady-state voltage error (%)", (("steady_state_voltage_error_percent", ""),)),
)
_CURVES: Final[tuple[dict[str, Any], ...]] = (
    {"color": PREDICTED_COLOUR, "marker": "o", "ms": 4, "lw": 1.2},
    {"color": SIMULATED_COLOUR, "marker": "s", "ms": 3.5, "mfc": "white", "lw": 0.9, "ls": "--"},
)
_GROUPS: Final[tuple[dict[str, Any], ...]] = (
    {"color": SIMULATED_COLOUR, "lw": 1.6},
    {"color": TRAINING_COLOUR, "lw": 1.2, "ls": "--"},
    {"color": PREDICTED_COLOUR, "lw": 1.6},
    {"color": SIMULATED_COLOUR, "lw": 1.2, "ls": ":"},
)
_ON_WHITE: Final[dict[str, Any]] = {"framealpha": 1, "edgecolor": "none", "borderpad": 0.1}
# Names that do not fit above a panel.
_SHORT_NAMES: Final[Mapping[str, str]] = {
    "decay_time_constant_after_stim": "decay time constant",
    "steady_state_voltage_stimend": "steady state at step's end",
}


def resolution_figure(found: ResolutionStudy) -> Figure:
    """An operator's errors over the sampling interval, a panel a measure; a dotted line marks the interval of its training.

    Args:
        found: from `noble.studies.resolution.resolution_study`.

    Raises:
        ValueError: if there is no interval.
    """
    rows = found.resolutions
    if not rows:
        raise ValueError("no sampling interval was given; expected at least one.")
    dts = [row.dt_ms for row in rows]
    with styled_figure(height_in=3.6, width_in=WIDTH_IN) as figure:
        for axes, (title, curves) in zip(figure.subplots(2, 3, sharex=True).flat, _RESOLUTION_PANELS, strict=True):
            numbers = [[row.errors.number(key) for row in rows] for key, _ in curves]
            values = np.array(numbers, dtype=float)  # None becomes NaN
            for (_, label), curve, style in zip(curves, values, _CURVES, strict=False):
                axes.plot(dts, curve, label=label, **style)
            axes.axvline(found.trained_dt_ms, color=SIMULATED_COLOUR, lw=0.7, ls=":", zorder=0)
            axes.set_title(title, loc="left")
            # With room for a legend; an axis of errors that are all zero still needs a height.
            axes.set_ylim(0, 1.35 * (np.nanmax(values, initial=0.0) or 1.0))
            if len(curves) > 1:
                axes.legend(loc="upper left", ncols=2, columnspacing=1.0, borderaxespad=0.1, frameon=True, **_ON_WHITE)
            _mark_intervals(axes, dts)
        figure.supxlabel("Sampling interval dt (ms); dotted: the interval of training", fontsize=8)
    return figure


def _mark_intervals(axes: Axes, dts: list[float]) -> None:
    """A logarithmic axis with a tick at each interval."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    axes.set_xticks(dts, [f"{dt:g}" for dt in dts])
    axes.xaxis.set_minor_locator(NullLocator())


def subsampling_figure(found: SubsamplingStudy, *, columns: int = 4) -> Figure:
    """What decimation costs each e-feature over the sampling interval, with the low-pass and without, under the hall's error.

    Logarithmic. An error of exactly 0 lies on the horizontal axis. Grey: errors up to the part of the hall's that is negligible.

    Args:
        found: from `noble.studies.subsampling.subsampling_study`.
        columns: panels side by side.

    Raises:
        ValueError: if no feature was measured.
    """
    features = found.features
    if not features:
        raise ValueError("no e-feature was measured; expected at least one. Choose steps at which the models fire.")
    rows = math.ceil(len(features) / columns)
    with styled_figure(height_in=0.8 + 1.45 * rows, width_in=WIDTH_IN) as figure:
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for axes, (name, facts) in zip(grid.flat, features.items(), strict=False):
            _draw_decimation(axes, name, facts.hall_error, found)
            unit = "" if facts.unit == "1" else f" ({facts.unit})"
            axes.set_title(f"{_SHORT_NAMES.get(name, name.replace('_', ' '))}{unit}", loc="left", fontsize=7)
        for axes in grid.flat[len(features) :]:
            axes.remove()
        for axes in grid.flat[max(0, len(features) - columns) : len(features)]:
            axes.tick_params(labelbottom=True)
        figure.supxlabel("Sampling interval dt (ms); on the axis: no error, or too small to draw", fontsize=8)
        figure.supylabel(f"Mean |difference| from {found.native_dt_ms:g} ms", fontsize=8)
        by_label = {item.get_label(): item for axes in grid.flat for item in axes.get_legend_handles_labels()[0]}
        figure.legend(handles=list(by_label.values()), loc="outside upper right", ncols=4)
    return figure


def _draw_decimation(axes: Axes, name: str, hall_error: float | None, found: SubsamplingStudy) -> None:
    """One feature's panel."""
    from matplotlib.ticker import LogLocator, NullLocator

    curves = []
    for low_pass, label, style in zip((True, False), ("low-pass", "decimation alone"), _CURVES, strict=True):
        rows = found.of(low_pass=low_pass)
        errors = np.array([row.features[name].error for row in rows], dtype=float)
        curves.append(([row.dt_ms for row in rows], errors, label, style))
    known = np.concatenate([errors for _, errors, *_ in curves])
    negligible = found.part * (hall_error or 0.0)
    shown = np.array([*known, hall_error or np.nan, negligible or np.nan])
    positive = shown[shown > 0]
    if not positive.size:
        axes.text(0.5, 0.5, "no error", transform=axes.transAxes, fontsize=7, ha="center")
    # Rounding errors would stretch the axis over ten decades: five below the largest is where nothing is left to see.
    top = positive.max(initial=1e-9)
    floor = max(0.4 * positive.min(initial=top), 1e-5 * top)
    for dts, errors, label, style in curves:
        axes.plot(dts, np.maximum(errors, floor), label=label, clip_on=False, zorder=3, **style)
    if hall_error:
        axes.axhline(hall_error, color=SIMULATED_COLOUR, lw=1.0, label="hall against recording")
        axes.axhspan(floor, negligible, color=HULL_COLOUR, lw=0, zorder=0, label=f"{100 * found.part:g} % of that")
    axes.set_yscale("log")
    axes.set_ylim(floor, 2.5 * top)
    axes.yaxis.set_major_locator(LogLocator(numticks=4) if positive.size else NullLocator())
    axes.yaxis.set_major_formatter(lambda error, _: f"{error:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    _mark_intervals(axes, curves[0][0])
    axes.tick_params(labelsize=6)


def disc_figure(
    discs: Sequence[tuple[str, TraceBatch, Sequence[TraceBatch]]], *, largest: int = 3, traces: int = 50
) -> Figure:
    """Answers of neurons round held-out models, a row a model and a column an amplitude, with the model's simulation over them.

    Args:
        discs: of each model its name, its simulation (one trace an amplitude) and the predicted traces (one batch an amplitude).
        largest: of more models than this so many, evenly spaced, are shown.
        traces: of more predicted traces a panel than this so many, evenly spaced, are drawn.

    Raises:
        ValueError: if there is no model, or simulated and predicted amplitudes do not pair up.
    """
    from matplotlib.lines import Line2D

    if not discs or {len(part) for _, *parts in discs for part in parts} != {len(discs[0][1])}:
        raise ValueError(
            "expected at least one model, and for each one simulated trace and one predicted batch an amplitude."
        )
    chosen = [discs[index] for index in evenly_spaced(len(discs), largest)]
    with styled_figure(height_in=0.6 + 1.5 * len(chosen), width_in=WIDTH_IN) as figure:
        grid = figure.subplots(len(chosen), len(chosen[0][1]), sharex=True, sharey="col", squeeze=False)
        for row, (name, simulated, predicted) in zip(grid, chosen, strict=True):
            times = simulated.grid.times_ms
            for column, (axes, batch) in enumerate(zip(row, predicted, strict=True)):
                for index in evenly_spaced(len(batch), traces):
                    axes.plot(times, batch.voltage_mv[index], color=PREDICTED_COLOUR, lw=0.3, alpha=0.4)
                axes.plot(times, simulated.voltage_mv[column], color=SIMULATED_COLOUR, lw=0.8)
                amplitude = simulated.current_na[column][np.argmax(np.abs(simulated.current_na[column]))]
                axes.set_title(with_minus(f"{name}, {amplitude:g} nA"), loc="left")
                axes.set_xlim(0, simulated.grid.duration_ms)
        figure.supxlabel("Time (ms)", fontsize=8)
        figure.supylabel("Voltage (mV)", fontsize=8)
        figure.legend(
            handles=[
                Line2D([], [], color=SIMULATED_COLOUR, lw=1.2, label="simulated"),
                Line2D([], [], color=PREDICTED_COLOUR, lw=1.2, label="neurons round it, predicted"),
            ],
            loc="outside upper right",
            ncols=2,
        )
    return figure


def halfway_figure(deviations: Mapping[str, Sequence[float]]) -> Figure:
    """Cumulative shares of neurons by their mean |z|; a dotted line marks the worst of the first group.

    Args:
        deviations: mean |z| of each neuron, by group; the first group is the hall's simulated models.

    Raises:
        ValueError: if a group is empty or there is none.
    """
    if not deviations or not all(len(values) for values in deviations.values()):
        raise ValueError("expected at least one group of neurons, and at least one neuron in each.")
    groups = list(deviations.items())
    worst = max(groups[0][1])
    last = max(max(values) for _, values in groups)
    with styled_figure(height_in=2.9, width_in=WIDTH_IN / 2) as figure:
        axes = figure.subplots()
        for (label, values), style in zip(groups, _GROUPS, strict=False):
            ordered = np.sort(values)
            shares = 100 * np.arange(len(ordered) + 1) / len(ordered)
            axes.step(
                [0, *ordered, 1.05 * last], [*shares, 100], where="post", label=f"{label} ({len(ordered)})", **style
            )
        axes.axvline(worst, color=SIMULATED_COLOUR, lw=0.7, ls=":", zorder=0)
        axes.annotate("hall's worst", (worst, 0), (2, 3), textcoords="offset points", fontsize=7)
        axes.set_xlim(0, 1.05 * last)
        axes.set_ylim(0, 103)
        axes.set_xlabel("Mean |z| (deviations of the targets)")
        axes.set_ylabel("Share of the neurons (%)")
        figure.legend(loc="outside upper left", ncols=1, borderaxespad=0.2)
    return figure
