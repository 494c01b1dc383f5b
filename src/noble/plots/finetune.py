"""The figure of a fine-tuning: the target before and after, and what became of all other features; see `plots.style`.

The control is blue and open, the operator that was tuned to the feature vermilion and filled, so that grey tells them apart too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from noble.plots.style import HULL_COLOUR, PREDICTED_COLOUR, SIMULATED_COLOUR, TRAINING_COLOUR, WIDTH_IN, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# By the position of an operator: before, control, fine-tuned.
_STYLES: Final[tuple[dict[str, Any], ...]] = (
    {"marker": "^", "mfc": "none", "color": "#707070"},
    {"marker": "s", "mfc": "none", "color": TRAINING_COLOUR},
    {"marker": "o", "mfc": PREDICTED_COLOUR, "color": PREDICTED_COLOUR},
)


def finetune_figure(
    simulated: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    ratios: Mapping[str, Mapping[str, float]],
    *,
    feature: str,
    unit: str,
) -> Figure:
    """Predicted against simulated feature, a panel an operator; below, the change of every e-feature's error.

    Args:
        simulated: the target of each hyperpolarised trace, shape (traces,); NaN is left out.
        predicted: the same as each of up to three operators predicts it, by label; the first is before fine-tuning.
        ratios: mean absolute error over all traces relative to the first operator, by feature and label of the others.
        feature, unit: of the target.

    Raises:
        ValueError: without an operator, with more than three, or where traces do not pair up.
    """
    shapes = {label: values.shape for label, values in predicted.items()}
    if not 1 <= len(predicted) <= len(_STYLES) or any(shape != simulated.shape for shape in shapes.values()):
        raise ValueError(
            f"simulated values of shape {simulated.shape} and predicted ones of {shapes} were given; expected one to "
            f"{len(_STYLES)} operators, each with a value a trace."
        )
    styles = dict(zip(predicted, _STYLES, strict=False))
    below_in = 0.75 + 0.17 * max(1, len(ratios))
    with styled_figure(height_in=2.6 + below_in, width_in=WIDTH_IN) as figure:
        grid = figure.add_gridspec(2, len(predicted), height_ratios=[2.6, below_in])
        first: Axes | None = None
        for column, (label, values) in enumerate(predicted.items()):
            axes = figure.add_subplot(grid[0, column], sharex=first, sharey=first)
            first = first or axes
            _scatter(axes, simulated, values, styles[label])
            axes.set_title(label, loc="left")
            axes.tick_params(labelleft=column == 0)
        assert first is not None
        first.set_ylabel(f"Predicted ({unit})")
        figure.axes[len(predicted) // 2].set_xlabel(f"Simulated {feature.replace('_', ' ')} ({unit})")
        _ratios(figure.add_subplot(grid[1, :]), ratios, styles, feature)
    return figure


def _scatter(axes: Axes, simulated: np.ndarray, predicted: np.ndarray, style: Mapping[str, Any]) -> None:
    """One operator's values over the line on which they should lie."""
    both = np.isfinite(simulated) & np.isfinite(predicted)
    # The axes show the point that a line is given by, so it is one of the data's.
    start = float(simulated[both].min()) if both.any() else 0.0
    axes.axline((start, start), slope=1, color=SIMULATED_COLOUR, lw=0.8, zorder=0)
    axes.plot(simulated[both], predicted[both], ls="none", ms=3.5, mew=0.8, **style)
    axes.set_box_aspect(1)
    axes.margins(0.08)


def _ratios(
    axes: Axes, ratios: Mapping[str, Mapping[str, float]], styles: Mapping[str, Mapping[str, Any]], target: str
) -> None:
    """A row a feature, the target first; left of one the error has fallen, right of it it has grown."""
    names = sorted(ratios, key=lambda name: name != target)
    rows = np.arange(len(names))
    axes.axvline(1, color=SIMULATED_COLOUR, lw=0.8, zorder=0)
    for label in list(styles)[1:]:
        values = [ratios[name][label] for name in names]
        axes.plot(values, rows, ls="none", ms=5, mew=0.9, label=label, **styles[label])
    for row in range(len(names)):
        axes.axhline(row, color=HULL_COLOUR, lw=0.5, zorder=-1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(_sparse_minor)
    axes.set_yticks(rows, [f"{name} (target)" if name == target else name for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("Mean absolute error over all traces, relative to before fine-tuning")
    if names:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, borderaxespad=0.2)


def _sparse_minor(value: float, _: float) -> str:
    """2 and 5 between the decades, which is enough."""
    leading = f"{value:.0e}"[0]
    return f"{value:g}" if leading in "25" else ""
