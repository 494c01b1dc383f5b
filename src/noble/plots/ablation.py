"""The figure of an ablation: what each variant's errors are, on currents and on models it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from noble.plots.style import PREDICTED_COLOUR, SIMULATED_COLOUR, WIDTH_IN, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from noble.evaluation.results import Evaluation

_QUANTITIES: Final[Mapping[str, str]] = {
    "relative_l2_percent": "Relative L2 error (%)",
    "missed_percent": "Missed firing (% of traces)",
    "spike_count_error_percent": "Spike-count error (%)",
    "spike_time_median_ms": "Median spike-time error (ms)",
    "ap1_width_error_percent": "AP1 width error (%)",
    "steady_state_voltage_error_percent": "Steady-state voltage error (%)",
}
# Errors that differ by less share a linear axis from zero; else a logarithmic one, at whose left edge zeros lie.
_WIDE: Final = 8.0
_SUBSETS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("unseen_currents", "unseen currents", {"marker": "o", "color": SIMULATED_COLOUR}),
    ("unseen_models", "unseen models", {"marker": "D", "mfc": "white", "color": PREDICTED_COLOUR}),
)


def ablation_figure(evaluations: Mapping[str, Evaluation]) -> Figure:
    """A dot plot: variants down the page in their order, a panel a quantity.

    Args:
        evaluations: of each variant, by its name; a subset that one lacks is not drawn.

    Raises:
        ValueError: if there is no variant.
    """
    if not evaluations:
        raise ValueError("no variants were given; expected at least one.")
    names = list(evaluations)
    with styled_figure(height_in=1.2 + 2 * 0.22 * (len(names) + 2), width_in=WIDTH_IN) as figure:
        panels = figure.subplots(2, 3, sharey=True)
        for axes, (key, label) in zip(panels.flat, _QUANTITIES.items(), strict=True):
            _draw_quantity(axes, [_errors(evaluations, subset, key) for subset, *_ in _SUBSETS])
            axes.set_xlabel(label)
            axes.grid(axis="y", lw=0.4, color="#CCCCCC")
            axes.set_axisbelow(True)
        panels[0, 0].set_yticks(range(len(names)), names)
        panels[0, 0].set_ylim(len(names) - 0.5, -0.5)
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def _errors(evaluations: Mapping[str, Evaluation], subset: str, key: str) -> list[float | None]:
    """One number of each variant on a subset; None where a variant lacks it."""
    summaries = [evaluation.subsets.get(subset) for evaluation in evaluations.values()]
    return [None if summary is None else summary.number(key) for summary in summaries]


def _draw_quantity(axes: Axes, subsets: list[list[float | None]]) -> None:
    """Errors of each subset's variants, a mark each."""
    positive = [value for values in subsets for value in values if value]
    logarithmic = bool(positive) and max(positive) > _WIDE * min(positive)
    edge = min(positive) / 2 if logarithmic else 0.0
    for values, (_, shown, style) in zip(subsets, _SUBSETS, strict=True):
        rows = [row for row, value in enumerate(values) if value is not None]
        across = [max(value, edge) for value in values if value is not None]
        axes.plot(across, rows, ls="none", ms=5, label=shown, clip_on=False, **style)
    if not logarithmic:
        axes.set_xlim(0, 1.08 * max(positive, default=1.0))
        return
    axes.set_xscale("log")
    axes.set_xlim(edge, 1.3 * max(positive))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    axes.tick_params(axis="x", which="minor", labelsize=6)
