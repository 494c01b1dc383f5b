"""The figure of a fine-tuning, read back through matplotlib's objects."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from noble.plots.finetune import finetune_figure
from noble.plots.style import PREDICTED_COLOUR, TRAINING_COLOUR

SIMULATED = np.array([0.1, 0.5, np.nan, 1.0])
PREDICTED = {
    "before": np.array([0.9, 1.0, 0.2, 1.1]),
    "control": np.array([0.8, np.nan, 0.2, 1.2]),
    "finetuned": np.array([0.1, 0.4, 0.2, 0.9]),
}
RATIOS = {
    "AP1_width": {"control": 1.1, "finetuned": 1.4},
    "sag_amplitude": {"control": 1.2, "finetuned": 0.3},
    "voltage_base": {"control": 0.9, "finetuned": 2.0},
}


def drawn(**changes: Any) -> Figure:
    settings: dict[str, Any] = {
        "simulated": SIMULATED,
        "predicted": PREDICTED,
        "ratios": RATIOS,
        "feature": "sag_amplitude",
        "unit": "mV",
    }
    return finetune_figure(**(settings | changes))


def points(axes, colour: str) -> np.ndarray:
    [line] = [line for line in axes.lines if line.get_color() == colour and line.get_linestyle() == "None"]
    return np.array(line.get_xydata(), dtype=float)


def test_a_panel_an_operator_with_the_traces_that_both_have():
    *panels, _ = drawn().axes
    assert [axes.get_title(loc="left") for axes in panels] == list(PREDICTED)
    np.testing.assert_allclose(points(panels[1], TRAINING_COLOUR), [[0.1, 0.8], [1.0, 1.2]])
    np.testing.assert_allclose(points(panels[2], PREDICTED_COLOUR), [[0.1, 0.1], [0.5, 0.4], [1.0, 0.9]])
    assert len({axes.get_xlim() for axes in panels}) == len({axes.get_ylim() for axes in panels}) == 1


def test_the_target_comes_first_among_the_ratios():
    below = drawn().axes[-1]
    assert [label.get_text() for label in below.get_yticklabels()] == [
        "sag_amplitude (target)",
        "AP1_width",
        "voltage_base",
    ]
    np.testing.assert_allclose(points(below, PREDICTED_COLOUR), [[0.3, 0], [1.4, 1], [2.0, 2]])
    assert below.get_xscale() == "log"


def test_axes_are_labelled_with_units_and_grey_tells_the_operators_apart():
    figure = drawn()
    figure.draw_without_rendering()
    found = {text for item in figure.findobj(Text) if isinstance(item, Text) and (text := item.get_text())}
    assert {
        "Predicted (mV)",
        "Simulated sag amplitude (mV)",
        "Mean absolute error over all traces, relative to before fine-tuning",
        "control",
        "finetuned",
    } <= found
    markers = [line.get_marker() for axes in figure.axes[:3] for line in axes.lines if line.get_linestyle() == "None"]
    assert len(set(markers)) == 3


def test_without_any_ratio_there_is_still_a_figure():
    assert len(drawn(ratios={}).axes) == 4


@pytest.mark.parametrize("predicted", [{}, {"before": np.zeros(3)}, {str(k): np.zeros(4) for k in range(4)}])
def test_what_does_not_pair_up_is_refused(predicted):
    with pytest.raises(ValueError, match="expected one to 3 operators, each with a value a trace"):
        drawn(predicted=predicted)
