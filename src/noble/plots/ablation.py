"""The figure of an ablation: what each variant's errors are, on currents and on models it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from noble.plots.style import PREDICTED_COLOUR, SIMULATED_COLOUR, WIDTH_IN, styled_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_QUANTITIES: Final[Mapping[str, str]] = {
    "relative_l2_percent": "Relative L2 error (%)",
    "spike_count_error_percent": "Spike-count error (%)",
    "spike_time_median_ms": "Median spike-time error (ms)",
}
_SECTIONS: Final = (
    ("unseen_currents", "unseen currents", {"marker": "o", "color": SIMULATED_COLOUR}),
    ("unseen_models", "unseen models", {"marker": "D", "mfc": "white", "color": PREDICTED_COLOUR}),
)


def ablation_figure(metrics: Mapping[str, Mapping[str, Any]]) -> Figure:
    """A dot plot: variants down the page in their order, one panel a quantity, logarithmic.

    Args:
        metrics: of each variant, by its name: sections as `noble.ensemble.evaluate` gives them; what one lacks is not drawn.

    Raises:
        ValueError: if there is no variant.
    """
    if not metrics:
        raise ValueError("no variants were given; expected at least one.")
    names = list(metrics)
    with styled_figure(height_in=0.9 + 0.22 * len(names), width_in=WIDTH_IN) as figure:
        panels = figure.subplots(1, len(_QUANTITIES), sharey=True)
        for axes, (key, label) in zip(panels, _QUANTITIES.items(), strict=True):
            for section, shown, style in _SECTIONS:
                values = [metrics[name].get(section, {}).get(key) for name in names]
                known = [(value, row) for row, value in enumerate(values) if value]
                axes.plot(*zip(*known, strict=True) if known else ((), ()), ls="none", ms=5, label=shown, **style)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
            axes.tick_params(axis="x", which="minor", labelsize=6)
            axes.set_xlabel(label)
            axes.grid(axis="y", lw=0.4, color="#CCCCCC")
            axes.set_axisbelow(True)
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure
