"""Figures of one operator: predicted over simulated traces, F-I curves, training, the latent plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    from matplotlib.figure import Figure


def traces_figure(
    reference: TraceBatch,
    predicted: TraceBatch | None = None,
    *,
    titles: Sequence[str] = (),
    columns: int = 3,
    window_ms: tuple[float, float] | None = None,
) -> Figure:
    """Predicted over reference voltage, each with its current below; all voltages on one scale, all currents too.

    Args:
        reference: the traces, in black.
        predicted: as many on the same grid, in colour; None shows the reference alone.
        titles: one a trace, or none.
        columns: most panels side by side.
        window_ms: part of the time to show; all of it if None.

    Raises:
        ValueError: if the two do not pair up, or there is nothing to show.
    """
    count = len(reference)
    shape = reference.voltage_mv.shape if predicted is None else predicted.voltage_mv.shape
    if count == 0 or shape != reference.voltage_mv.shape or (titles and len(titles) != count):
        raise ValueError(
            f"reference of shape {reference.voltage_mv.shape}, predicted of shape {shape} and "
            f"{len(titles)} titles were given; expected at least one trace, equal shapes, and no titles or one a trace."
        )
    rows, columns = _layout(count, columns)
    width = WIDTH_IN if columns > 1 else WIDTH_IN / 2
    with styled_figure(height_in=0.45 + 2.1 * rows, width_in=width) as figure:
        # One grid for all, so that the panels of a column are equally wide: a voltage row, then a current row.
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=[2.8, 1] * rows)
        above: list[Axes] = []
        below: list[Axes] = []
        for index in range(count):
            row, column = divmod(index, columns)
            above.append(figure.add_subplot(grid[2 * row, column], sharey=above[0] if index else None))
            below.append(
                figure.add_subplot(grid[2 * row + 1, column], sharex=above[-1], sharey=below[0] if index else None)
            )
            _draw_trace(above[-1], below[-1], reference, predicted, index)
            above[-1].set_xlim(*(window_ms or (0, reference.grid.duration_ms)))
            above[-1].set_title(titles[index] if titles else "", loc="left")
            label_trace(above[-1], below[-1], left=column == 0, lowest=index + columns >= count)
        below[0].margins(y=0.15)
        figure.align_ylabels(above[::columns] + below[::columns])
        figure.get_layout_engine().set(h_pad=0.02, hspace=0)  # type: ignore[union-attr, call-arg]
        figure.legend(*above[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, borderaxespad=0.8)
    return figure


def _draw_trace(above: Axes, below: Axes, reference: TraceBatch, predicted: TraceBatch | None, index: int) -> None:
    """One trace: voltages above, the current below."""
    times = reference.grid.times_ms
    above.plot(times, reference.voltage_mv[index], color=SIMULATED_COLOUR, lw=1.2, label="simulated")
    if predicted is not None:
        above.plot(times, predicted.voltage_mv[index], color=PREDICTED_COLOUR, lw=0.7, label="predicted")
    below.plot(times, reference.current_na[index], color=SIMULATED_COLOUR, lw=0.9)


def _layout(count: int, columns: int) -> tuple[int, int]:
    """Rows and columns for so many panels, with the last row as full as the most columns allow."""
    rows = math.ceil(count / columns)
    return rows, math.ceil(count / rows)


def fi_figure(
    amplitudes_na: np.ndarray,
    simulated: np.ndarray,
    predicted: np.ndarray,
    *,
    titles: Sequence[str] = (),
    label: str = "Firing rate (Hz)",
    largest: int = 12,
    columns: int = 4,
) -> Figure:
    """Small multiples of F-I curves, one panel a neuron, predicted over simulated.

    Args:
        amplitudes_na: step amplitudes, shape (amplitudes,), nA.
        simulated, predicted: rates or counts, shape (neurons, amplitudes).
        titles: one a neuron; numbers if none.
        label: of the vertical axis, with unit.
        largest: if there are more neurons than this, so many of them, evenly spaced, are shown, and the figure says so.
        columns: most panels side by side.

    Raises:
        ValueError: if the shapes disagree or there is nothing to show.
    """
    simulated, predicted = np.atleast_2d(simulated), np.atleast_2d(predicted)
    amplitudes = np.asarray(amplitudes_na, dtype=float)
    neurons = len(simulated)
    if simulated.shape != predicted.shape or simulated.shape[1:] != amplitudes.shape or neurons == 0:
        raise ValueError(
            f"{amplitudes.size} amplitudes, simulated of shape {simulated.shape} and predicted of shape "
            f"{predicted.shape}; expected both of shape (neurons, amplitudes), with at least one neuron."
        )
    shown = evenly_spaced(neurons, largest)
    rows, columns = _layout(shown.size, columns)
    with styled_figure(height_in=0.6 + 1.35 * rows, width_in=max(WIDTH_IN * columns / 4, WIDTH_IN / 2)) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, index in zip(grid.flat, shown, strict=False):
            style = {"ls": "none", "marker": "o", "ms": 4.2, "mfc": "white", "mew": 0.9}
            axes.plot(amplitudes, simulated[index], color=SIMULATED_COLOUR, label="simulated", **style)
            axes.plot(amplitudes, predicted[index], color=PREDICTED_COLOUR, lw=1.1, marker=".", ms=3, label="predicted")
            axes.set_title(titles[index] if titles else f"model {index}", loc="left")
        for axes in grid.flat[shown.size :]:
            axes.remove()
        for axes in grid.flat[max(0, shown.size - columns) : shown.size]:  # the lowest of each column, holes included
            axes.tick_params(labelbottom=True)
        note = f"; {shown.size} of {neurons} models, evenly spaced" if shown.size < neurons else ""
        figure.supxlabel(f"Step amplitude (nA){note}", fontsize=8)
        figure.supylabel(label, fontsize=8)
        figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def training_figure(
    rows: Sequence[Mapping[str, Any]], *, train: str | None = None, validation: str | None = None
) -> Figure:
    """Training and validation loss by epoch, logarithmic where all losses are positive.

    Args:
        rows: of the CSV log, as `csv.DictReader` gives them; empty cells are skipped, several values an epoch averaged.
        train, validation: columns of the two losses; if None, the shortest name that starts with "train" or "val" and
            contains "loss", one per epoch rather than per step where both were logged.

    Raises:
        ValueError: if there are no such columns or no values.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    known = list(dict.fromkeys(name for row in rows for name in row if name))
    curves = {
        "training": _by_epoch(rows, train or _loss_column(known, "train")),
        "validation": _by_epoch(rows, validation or _loss_column(known, "val")),
    }
    if not any(epochs.size for epochs, _ in curves.values()):
        raise ValueError(
            f"no losses found among the columns {', '.join(known) or '(none)'}; expected numbers under names such as "
            "train_loss and val_loss beside an epoch column."
        )
    with styled_figure(height_in=2.5, width_in=WIDTH_IN / 2) as figure:
        axes = figure.subplots()
        styles = {"training": (SIMULATED_COLOUR, "-", ""), "validation": (PREDICTED_COLOUR, "-", "o")}
        for name, (epochs, losses) in curves.items():
            if epochs.size:
                colour, line, marker = styles[name]
                axes.plot(epochs, losses, color=colour, ls=line, lw=1.2, marker=marker, ms=2.5, label=name)
        epochs, losses = curves["validation"]
        if epochs.size:
            best = int(np.argmin(losses))
            axes.plot(
                epochs[best],
                losses[best],
                color=PREDICTED_COLOUR,
                marker="o",
                ms=7,
                mfc="none",
                ls="none",
                label="lowest",
            )
        if all(np.all(losses > 0) for _, losses in curves.values()):
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(lambda loss, _: f"{loss:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("Epoch")
        axes.set_ylabel("Loss")
        axes.legend()
    return figure


def latent_plane_figure(
    features: np.ndarray,
    names: Sequence[str],
    units: Sequence[str],
    held_out: np.ndarray,
    *,
    hull: np.ndarray | None = None,
    axes_of: tuple[int, int] = (0, 1),
) -> Figure:
    """Models in the plane of two features, training and held out, with the training models' convex hull.

    Args:
        features: shape (models, features), physical units.
        names, units: of the features.
        held_out: which models are held out, shape (models,), bool.
        hull: its corners in the two features, in order, shape (corners, 2); computed from the training models if None.
        axes_of: columns to draw against each other.

    Raises:
        ValueError: if the shapes disagree or there are fewer than two features.
    """
    features, held_out = np.asarray(features, dtype=float), np.asarray(held_out, dtype=bool)
    if features.ndim != 2 or features.shape[1] < 2 or features.shape[1] != len(names) or len(names) != len(units):
        raise ValueError(
            f"features of shape {features.shape} with {len(names)} names and {len(units)} units; expected "
            "(models, features) with at least two features, each with name and unit."
        )
    if held_out.shape != features.shape[:1]:
        raise ValueError(f"held_out has shape {held_out.shape}; expected one entry a model, ({len(features)},).")
    points = features[:, list(axes_of)]
    corners = hull_corners(points[~held_out]) if hull is None else np.asarray(hull, dtype=float)
    with styled_figure(height_in=2.9, width_in=WIDTH_IN / 2) as figure:
        axes = figure.subplots()
        if len(corners):
            axes.fill(*corners.T, color=HULL_COLOUR, lw=0, zorder=0, label="hull of the training models")
        styles = (
            (~held_out, "training", {"marker": "o", "color": TRAINING_COLOUR, "s": 18, "linewidths": 0}),
            (held_out, "held out", {"marker": "D", "edgecolors": PREDICTED_COLOUR, "facecolors": "white", "s": 24}),
        )
        for mask, label, style in styles:
            if mask.any():
                axes.scatter(*points[mask].T, label=label, **style)
        for axis, column in zip((axes.xaxis, axes.yaxis), axes_of, strict=True):
            axis.set_label_text(feature_label(names[column], units[column]))
        axes.margins(0.08)
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.4, columnspacing=1.2)
    return figure


def _loss_column(names: Sequence[str], prefix: str) -> str:
    """The loss column of a prefix, by epoch if there are both, the shortest name (the total); "" if there is none."""
    found = [name for name in names if name.lower().startswith(prefix) and "loss" in name.lower()]
    return min(found, key=lambda name: (name.endswith("_step"), not name.endswith("_epoch"), len(name)), default="")


def _by_epoch(rows: Sequence[Mapping[str, Any]], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and the mean of a column in each, where it holds finite numbers."""
    values: dict[int, list[float]] = {}
    for row in rows:
        if row.get(column) not in (None, "") and row.get("epoch") not in (None, ""):
            value = float(row[column])
            if math.isfinite(value):
                values.setdefault(int(float(row["epoch"])), []).append(value)
    epochs = sorted(values)
    return np.array(epochs, dtype=int), np.array([np.mean(values[epoch]) for epoch in epochs])
