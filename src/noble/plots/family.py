"""Figures of a family of neurons: its answers to one current, its F-I curves, a feature over the latent plane.

What the operator predicts of single neurons is vermilion, median and band of a family are blue, what was simulated is black,
what was recorded green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.plots.style import (
    HULL_COLOUR,
    PREDICTED_COLOUR,
    SIMULATED_COLOUR,
    TRAINING_COLOUR,
    WIDTH_IN,
    evenly_spaced,
    feature_label,
    hull_corners,
    label_trace,
    styled_figure,
)
from noble.traces import TraceBatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

    from noble.studies.maps import FeatureMap

RECORDED_COLOUR: Final = "#009E73"

# How much of what lies outside the hull is grey.
_GREYED: Final = 0.7


def ensemble_figure(predicted: TraceBatch, reference: TraceBatch | None = None, *, largest: int = 40) -> Figure:
    """A family's answers to one current: single traces, and median and 5 to 95 % band at each instant.

    A single reference trace is drawn over them; several, which would hide them, have a panel of their own, drawn in the same way.

    Args:
        predicted: answers of the family.
        reference: simulated traces on the same grid, in black; None shows none.
        largest: of more traces than this so many, evenly spaced, are drawn; median and band are of all.

    Raises:
        ValueError: if there is nothing to show, or the grids differ.
    """
    if len(predicted) == 0 or (reference is not None and reference.grid != predicted.grid):
        raise ValueError(
            f"{len(predicted)} predicted traces on {predicted.grid} and a reference on {reference and reference.grid} were "
            "given; expected at least one trace, and one grid."
        )
    families = [(predicted, "predicted", PREDICTED_COLOUR)]
    if reference is not None and len(reference) > 1:
        families.append((reference, "simulated", SIMULATED_COLOUR))
    with styled_figure(height_in=1.6 + 1.8 * len(families), width_in=WIDTH_IN) as figure:
        *panels, below = figure.subplots(len(families) + 1, 1, sharex=True, height_ratios=[4] * len(families) + [1])
        for axes, family in zip(panels, families, strict=True):
            axes.sharey(panels[0])
            _draw_family(axes, *family, largest)
        if reference is not None and len(reference) == 1:
            times, [trace] = reference.grid.times_ms, reference.voltage_mv
            panels[0].plot(times, trace, color=SIMULATED_COLOUR, lw=0.7, label="simulated")
        below.plot(predicted.grid.times_ms, predicted.current_na[0], color=SIMULATED_COLOUR, lw=0.9)
        below.set_xlim(0, predicted.grid.duration_ms)
        for axes in panels:
            label_trace(axes, below, left=True, lowest=True)
        below.margins(y=0.15)
        figure.align_ylabels()
        _legend(figure, *panels, columns=4)
    return figure


def _draw_family(axes: Axes, batch: TraceBatch, kind: str, colour: str, largest: int) -> None:
    """Some traces of a family, and median and band of all."""
    shown = evenly_spaced(len(batch), largest)
    low, middle, high = np.quantile(batch.voltage_mv, [0.05, 0.5, 0.95], axis=0)
    times = batch.grid.times_ms
    for index in shown:
        label = _shown_label(shown.size, len(batch), kind) if index == shown[0] else None
        axes.plot(times, batch.voltage_mv[index], color=colour, lw=0.3, alpha=0.35, label=label)
    axes.fill_between(times, low, high, color=TRAINING_COLOUR, alpha=0.25, lw=0, label="5 to 95 %")
    axes.plot(times, middle, color=TRAINING_COLOUR, lw=1.0, label="median")


def _shown_label(shown: int, count: int, kind: str) -> str:
    """What the single lines are."""
    return f"{count} {kind}" if shown == count else f"{shown} of {count} {kind}"


def fi_family_figure(
    amplitudes_na: np.ndarray,
    rates_hz: np.ndarray,
    *,
    simulated: tuple[np.ndarray, np.ndarray] | None = None,
    recorded: np.ndarray | None = None,
    largest: int = 60,
) -> Figure:
    """F-I curves of a family: single curves, median and 5 to 95 % band, the simulator's and a recording's points over them.

    Args:
        amplitudes_na: shape (amplitudes,), nA.
        rates_hz: firing rates, shape (neurons, amplitudes), Hz.
        simulated: amplitudes of shape (points,) and rates of shape (models, points); None shows none.
        recorded: amplitude and rate of each sweep, shape (sweeps, 2), of which those between the amplitudes are shown; or None.
        largest: of more curves than this so many, evenly spaced, are drawn; median and band are of all.

    Raises:
        ValueError: if the shapes disagree or there is nothing to show.
    """
    amplitudes, rates = np.asarray(amplitudes_na, dtype=float), np.asarray(rates_hz, dtype=float)
    if rates.ndim != 2 or rates.size == 0 or rates.shape[1:] != amplitudes.shape:
        raise ValueError(
            f"{amplitudes.size} amplitudes and rates of shape {rates.shape} were given; expected (neurons, amplitudes), with at "
            "least one neuron."
        )
    shown = evenly_spaced(len(rates), largest)
    low, middle, high = np.quantile(rates, [0.05, 0.5, 0.95], axis=0)
    with styled_figure(height_in=3.4, width_in=0.65 * WIDTH_IN) as figure:
        axes = figure.subplots()
        axes.fill_between(amplitudes, low, high, color=TRAINING_COLOUR, alpha=0.25, lw=0, label="5 to 95 %", zorder=1)
        for index in shown:
            label = _shown_label(shown.size, len(rates), "predicted") if index == shown[0] else None
            axes.plot(amplitudes, rates[index], color=PREDICTED_COLOUR, lw=0.4, alpha=0.5, label=label, zorder=2)
        axes.plot(amplitudes, middle, color=TRAINING_COLOUR, lw=1.6, label="median", zorder=3)
        if simulated is not None:
            points, curves = simulated
            style = {
                "ls": "none",
                "marker": "o",
                "ms": 3,
                "mfc": "white",
                "mew": 0.7,
                "color": SIMULATED_COLOUR,
                "clip_on": False,
            }
            axes.plot(np.tile(points, len(curves)), np.ravel(curves), label="simulated", zorder=4, **style)
        if recorded is not None:
            recorded = recorded[(recorded[:, 0] >= amplitudes[0]) & (recorded[:, 0] <= amplitudes[-1])]
            style = {
                "ls": "none",
                "marker": "D",
                "ms": 3.4,
                "mew": 0.4,
                "mec": "white",
                "color": RECORDED_COLOUR,
                "clip_on": False,
            }
            axes.plot(*recorded.T, label="recorded", zorder=5, **style)
        axes.set_xlim(amplitudes[0], amplitudes[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Step amplitude (nA)")
        axes.set_ylabel("Firing rate (Hz)")
        _legend(figure, axes, columns=3)
    return figure


def _legend(figure: Figure, *panels: Axes, columns: int) -> None:
    """A legend above with each label of the panels once, whose lines are thick enough to be seen."""
    by_label = {item.get_label(): item for axes in panels for item in axes.get_legend_handles_labels()[0]}
    legend = figure.legend(handles=list(by_label.values()), loc="outside upper right", ncols=columns)
    for line in legend.get_lines():
        line.set(lw=1.2, alpha=1.0)


def map_figure(found: FeatureMap) -> Figure:
    """A feature over the latent plane, as a heat map with hull and training models and as a surface; greyed outside the hull.

    Colours span what is found within the hull, so that an extrapolation does not bleach them. Points without a value are hatched
    in the heat map and left out of the surface.

    Args:
        found: from `noble.studies.maps.feature_map`.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    known = np.isfinite(found.values)
    spanned = found.values[known & found.inside] if np.any(known & found.inside) else found.values[known]
    limits = (float(spanned.min()), float(spanned.max())) if spanned.size else (0.0, 1.0)
    norm, palette = Normalize(*limits), colormaps["viridis"]
    constant = spanned.size > 0 and limits[0] == limits[1]
    labels = [feature_label(name, unit) for name, unit in zip(found.plane, found.plane_units, strict=True)]
    with styled_figure(height_in=3.2, width_in=WIDTH_IN) as figure:
        grid = figure.add_gridspec(1, 2, width_ratios=[1, 1])
        flat = figure.add_subplot(grid[0])
        _draw_heat_map(flat, found, norm, palette)
        beyond = found.values[known & ~found.inside]
        below, above = bool(np.any(beyond < limits[0])), bool(np.any(beyond > limits[1]))
        extend = "both" if below and above else "min" if below else "max" if above else "neither"
        value_label = feature_label(found.feature, found.unit)
        if constant:  # a scale would suggest that something varies
            flat.set_title(f"{value_label}: {limits[0]:g} everywhere in the hull", loc="left")
        else:
            bar_label = f"{value_label} at {found.amplitude_na:g} nA"
            figure.colorbar(ScalarMappable(norm, palette), ax=flat, label=bar_label, extend=extend)
        solid = figure.add_subplot(grid[1], projection="3d")
        _draw_surface(solid, found, norm, palette)
        flat.set_xlabel(labels[0])
        flat.set_ylabel(labels[1])
        first, second = (label.replace(" $", "\n$") for label in labels)  # which would leave the figure
        solid.set(xlabel=first, ylabel=second, zlabel=value_label)  # type: ignore[call-arg]
        figure.legend(
            *flat.get_legend_handles_labels(), loc="outside upper left", ncols=4, columnspacing=1.2, handlelength=1.6
        )
    return figure


def _draw_heat_map(axes: Axes, found: FeatureMap, norm: Normalize, palette: Colormap) -> None:
    """Values, hatching where there are none, grey outside the hull, and the training models."""
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    axes.pcolormesh(found.first, found.second, np.ma.masked_invalid(found.values), norm=norm, cmap=palette, zorder=1)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    frame = np.array([[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]])
    if not np.all(np.isfinite(found.values)):
        style = {"fc": "white", "ec": "#8C8C8C", "hatch": "////", "lw": 0}
        label = "no value (feature absent)"
        axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, zorder=0, label=label, **style))
    corners = hull_corners(found.training)
    outline = [Path(frame)]
    if len(corners):
        ring = np.vstack([corners, corners[:1]])
        outline.append(Path(ring[::-1]))  # which runs the other way round, and so is a hole
        axes.plot(*ring.T, color=SIMULATED_COLOUR, lw=0.8, zorder=3, label="hull of the training models")
    outside = PathPatch(
        Path.make_compound_path(*outline), fc=HULL_COLOUR, alpha=_GREYED, lw=0, zorder=2, label="outside: extrapolated"
    )
    axes.add_patch(outside)
    style = {"ls": "none", "marker": "o", "ms": 3.2, "mfc": "white", "mec": SIMULATED_COLOUR, "mew": 0.7}
    axes.plot(*found.training.T, label="training models", zorder=4, clip_on=False, **style)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _draw_surface(axes: Any, found: FeatureMap, norm: Normalize, palette: Colormap) -> None:
    """The values as heights, coloured as in the heat map, and greyed likewise."""
    from matplotlib.colors import to_rgb
    from matplotlib.ticker import MaxNLocator

    faces = palette(norm(np.nan_to_num(found.values)))
    faces[~found.inside, :3] += _GREYED * (np.array(to_rgb(HULL_COLOUR)) - faces[~found.inside, :3])
    first, second = np.meshgrid(found.first, found.second)
    axes.plot_surface(
        first, second, found.values, facecolors=faces, rstride=1, cstride=1, lw=0, antialiased=False, shade=False
    )
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MaxNLocator(4))
        axis.label.set_size(7)
    axes.tick_params(labelsize=6, pad=-1)
    axes.set_box_aspect((1, 1, 0.75), zoom=0.85)
    axes.view_init(elev=30, azim=-60)
