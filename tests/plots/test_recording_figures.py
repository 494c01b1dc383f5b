"""Figures of a comparison with a recording, read back through matplotlib's objects."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from noble.comparison.recording import RecordingComparison, compare_recording
from noble.features import FEATURE_NAMES
from noble.plots.recording import (
    recording_fi_figure,
    recording_voltage_figure,
    spreads_figure,
    steps_to_show,
    z_scores_figure,
)
from noble.plots.style import PREDICTED_COLOUR, SIMULATED_COLOUR, TRAINING_COLOUR
from recorded_family import FIRING_NA, FakeOperator, recording, resting_at, sweep, three_trials

FAMILY = resting_at(-68.0, -67.0, -66.0)
FIRING = FEATURE_NAMES.index("AP1_width")
BASE = FEATURE_NAMES.index("voltage_base")
STEADY = FEATURE_NAMES.index("steady_state_voltage")
ROWS = [name.replace("_", " ") for name in FEATURE_NAMES]


@pytest.fixture(scope="module")
def compared() -> RecordingComparison:
    return compare_recording(FakeOperator(), FAMILY, three_trials(), dt_ms=0.06)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text for item in figure.findobj(mpl.text.Text) if (text := item.get_text())]


def cells(figure: Figure) -> dict[tuple[int, int], mpl.text.Text]:
    """Texts of the heat map by row and column."""
    return {(round(y), round(x)): text for text in figure.axes[0].texts for x, y in [text.get_position()]}


def test_rates_of_the_recording_lie_over_the_familys(compared) -> None:
    [axes] = recording_fi_figure(compared).axes
    family, recorded = axes.lines[0], axes.lines[-1]
    np.testing.assert_array_equal(family.get_xdata(), [-0.1, 0.05, FIRING_NA])
    np.testing.assert_allclose(family.get_ydata(), [0, 0, 40], atol=0.05)
    recorded = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(recorded.get_ydata(), [0, 0, 40], atol=0.05)
    assert recorded.get_color() == SIMULATED_COLOUR
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Step amplitude (nA)", "Firing rate (Hz)")


def test_error_bars_are_standard_deviations_over_trials() -> None:
    two = recording(sweep("one", FIRING_NA), sweep("two", FIRING_NA, spikes_ms=(10, 30, 50, 70, 90)))
    figure = recording_fi_figure(compare_recording(FakeOperator(), FAMILY, two, dt_ms=0.06))
    [bar] = [item for item in figure.axes[0].collections if isinstance(item, mpl.collections.LineCollection)]
    ends = bar.get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, 45 + np.std([40, 50], ddof=1) * np.array([-1, 1]), atol=0.1)


def test_voltage_shows_trials_over_the_family_and_the_current_below(compared) -> None:
    figure = recording_voltage_figure(compared)
    assert len(figure.axes) == 2 * 3
    above, below = figure.axes[:2]
    colours = [line.get_color() for line in above.lines]
    assert colours == [PREDICTED_COLOUR] * 3 + [TRAINING_COLOUR] + ["#999999"] * 2 + [SIMULATED_COLOUR]
    first = above.lines[-1]
    np.testing.assert_array_equal(first.get_ydata(), compared.steps[0].trials[0].trace.voltage_mv)
    assert first.get_xdata()[0] == pytest.approx(-50)  # the onset is 0
    np.testing.assert_array_equal(below.lines[0].get_ydata(), compared.steps[0].family.current_na)
    assert {"Voltage (mV)", "Current\n(nA)", "Time from onset (ms)", "\N{MINUS SIGN}0.1 nA, 3 trials"} <= set(
        texts(figure)
    )
    assert figure.axes[0].get_xlim()[1] == pytest.approx(180, abs=0.1)  # silent: all of it
    assert figure.axes[4].get_xlim() == (-20, 180)  # firing: the first 180 ms


def test_one_trial_of_one_step_can_be_drawn() -> None:
    alone = compare_recording(FakeOperator(), FAMILY[:1], recording(sweep("one", FIRING_NA)), dt_ms=0.06)
    for draw in (recording_fi_figure, recording_voltage_figure, z_scores_figure, spreads_figure):
        draw(alone).draw_without_rendering()
    assert f"{FIRING_NA:g} nA, 1 trial" in texts(recording_voltage_figure(alone))


def test_four_telling_steps_are_chosen() -> None:
    amplitudes = (-0.2, -0.1, 0.01, 0.05, 0.1, FIRING_NA, 0.3)
    sweeps = [sweep(f"{at}", at, spikes_ms=(10, 30) if at >= 0.1 else ()) for at in amplitudes]
    compared = compare_recording(FakeOperator(), FAMILY, recording(*sweeps), dt_ms=0.06)
    assert [step.amplitude_na for step in steps_to_show(compared.steps)] == [-0.2, 0.05, 0.1, 0.3]


def test_the_heat_map_names_z_scores_and_what_is_missing(compared) -> None:
    figure = z_scores_figure(compared)
    shown = cells(figure)
    assert [shown[BASE, column].get_text() for column in range(3)] == ["3.0"] * 3
    assert [shown[FIRING, column].get_text() for column in range(2)] == ["·"] * 2
    assert shown[STEADY, 2].get_color() == "#999999"  # not measured by targets at a step that fires
    assert len(shown) == 3 * len(FEATURE_NAMES)
    image = figure.axes[0].images[0].get_array()
    assert image[BASE, 0] == pytest.approx(3, abs=1e-4)
    assert np.isnan(image.filled(np.nan)[STEADY, 2])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ROWS
    assert "Step amplitude (nA)" in texts(figure)


def test_the_heat_map_tells_which_side_lacks_a_feature() -> None:
    silent = compare_recording(FakeOperator(silent=True), FAMILY, three_trials(), dt_ms=0.06)
    assert cells(z_scores_figure(silent))[FIRING, 2].get_text() == "R"
    quiet = recording(sweep("one", FIRING_NA, spikes_ms=()))
    fires = compare_recording(FakeOperator(), FAMILY, quiet, dt_ms=0.06)
    assert cells(z_scores_figure(fires))[FIRING, 0].get_text() == "F"


def test_many_steps_have_colours_without_numbers() -> None:
    sweeps = [sweep(f"{index}", -0.1 + 0.005 * index) for index in range(17)]
    compared = compare_recording(FakeOperator(), FAMILY[:1], recording(*sweeps), dt_ms=0.06)
    shown = {text.get_text() for text in z_scores_figure(compared).axes[0].texts}
    assert shown == {"·"}


def test_spreads_are_dots_in_units_of_the_trials() -> None:
    """Trials scatter by 2 mV, above the floor of 1 mV, at one step, and by 0.5 mV at the other; the family by 1 mV."""
    rests = {0.05: (-72.0, -70.0, -68.0), -0.1: (-70.5, -70.0, -69.5)}
    sweeps = [sweep(f"{at} {rest}", at, rest_mv=rest) for at, trials in rests.items() for rest in trials]
    figure = spreads_figure(compare_recording(FakeOperator(), FAMILY, recording(*sweeps), dt_ms=0.06))
    [axes] = figure.axes
    dots = [item for item in axes.collections if len(item.get_offsets()) and item.get_offsets()[0][1] == BASE]
    found = {tuple(dot.get_facecolor()[0]): dot.get_offsets()[:, 0].tolist() for dot in dots}
    assert found[mpl.colors.to_rgba(TRAINING_COLOUR)] == pytest.approx([0.5], abs=1e-3)
    assert found[mpl.colors.to_rgba("white")] == pytest.approx([2], abs=1e-3)
    medians = [
        line.get_xdata()[0] for line in axes.lines if len(line.get_ydata()) and line.get_ydata()[0] == BASE - 0.35
    ]
    assert medians == pytest.approx([1.25], abs=1e-3)
    assert "no ratio" in texts(figure)  # of spikes
    assert axes.get_xscale() == "log"
