"""Figures of an evolution, read back through matplotlib's objects."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noble.plots.evolution import (
    Answer,
    answers_figure,
    deviations_figure,
    generations_figure,
    interpolation_figure,
    ranges_figure,
    rates_figure,
)
from noble.plots.style import SIMULATED_COLOUR, TRAINING_COLOUR

TIMES = np.arange(-15.0, 60.0, 0.1)


def answer(*spikes_ms: float, rest_mv: float = -80.0) -> Answer:
    """Rest and bells of 1 ms."""
    voltage = np.full(TIMES.size, rest_mv)
    for time in spikes_ms:
        voltage += (20.0 - rest_mv) * np.exp(-0.5 * ((TIMES - time) / 0.5) ** 2)
    return Answer(TIMES, voltage)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text for item in figure.findobj(mpl.text.Text) if (text := item.get_text())]


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of titles and axis labels that lie over each other."""
    figure.draw_without_rendering()
    found = [item for axes in figure.axes for item in (axes.title, axes._left_title, axes._right_title)]
    found += [item for axes in figure.axes for item in (axes.xaxis.label, axes.yaxis.label)]
    shown = [item for item in found if item.get_text()]
    boxes = [item.get_window_extent() for item in shown]
    assert len(shown) > 3
    return [
        (shown[one].get_text(), shown[other].get_text())
        for one in range(len(shown))
        for other in range(one)
        if boxes[one].overlaps(boxes[other])
    ]


# --- answers

AMPLITUDES = (-0.1, 0.2, 0.3)
RECORDED = (answer(rest_mv=-90), answer(20.0, 40.0), answer(10.0, 30.0, 50.0))
MODELS = {
    "model 0": (answer(rest_mv=-91), answer(22.0, 43.0), answer(12.0, 33.0)),
    "model 1": (answer(rest_mv=-92), answer(18.0), answer(9.0, 31.0, 55.0)),
}


def colours(axes: Axes) -> list[Any]:
    return [line.get_color() for line in axes.lines]


def test_answers_have_a_row_a_model_below_the_recording() -> None:
    figure = answers_figure(AMPLITUDES, MODELS, RECORDED)
    grid = np.array(figure.axes, dtype=object).reshape(3, 4)
    assert [axes.get_title(loc="left") for axes in grid[:, 0]] == ["recording", "model 0", "model 1"]
    assert [axes.get_title(loc="right") for axes in grid[0]] == [
        "\N{MINUS SIGN}0.1 nA",
        "0.2 nA",
        "0.3 nA",
        "first spike, 0.2 nA",
    ]
    np.testing.assert_array_equal(grid[0, 1].lines[0].get_ydata(), RECORDED[1].voltage_mv)
    np.testing.assert_array_equal(grid[2, 2].lines[0].get_ydata(), MODELS["model 1"][2].voltage_mv)
    assert {"Voltage (mV)", "Time from onset (ms)", "Time from peak (ms)"} <= set(texts(figure))
    assert overlaps(figure) == []


def test_the_recording_lies_under_models_without_spikes_and_under_the_first_spike() -> None:
    grid = np.array(answers_figure(AMPLITUDES, MODELS, RECORDED).axes, dtype=object).reshape(3, 4)
    both = [SIMULATED_COLOUR, TRAINING_COLOUR]
    assert [colours(axes) for axes in grid[0]] == [[SIMULATED_COLOUR]] * 4
    for row in grid[1:]:
        assert [colours(axes) for axes in row] == [both, [TRAINING_COLOUR], [TRAINING_COLOUR], both]
        assert row[0].lines[0].get_linewidth() > row[0].lines[1].get_linewidth()  # told apart in grey
    for line in grid[2, 3].lines:
        assert line.get_xdata()[np.argmax(line.get_ydata())] == pytest.approx(0.0, abs=0.06)


def test_columns_with_spikes_share_a_voltage_scale() -> None:
    figure = answers_figure(AMPLITUDES, MODELS, RECORDED)
    figure.draw_without_rendering()
    grid = np.array(figure.axes, dtype=object).reshape(3, 4)
    assert len({axes.get_ylim() for axes in grid[:, 1:].flat}) == 1
    assert len({axes.get_ylim() for axes in grid[:, 0]}) == 1
    low, high = grid[0, 0].get_ylim()
    assert -93 < low < high < -75


def test_answers_without_a_recording_or_without_spikes() -> None:
    figure = answers_figure(AMPLITUDES, MODELS)
    assert len(figure.axes) == 2 * 4
    assert all(colours(axes) == [TRAINING_COLOUR] for axes in figure.axes)
    silent = {"model 0": (answer(rest_mv=-90), answer(rest_mv=-70))}
    assert len(answers_figure((-0.1, 0.1), silent).axes) == 2  # no column for a spike


def test_a_step_that_the_recording_lacks_is_left_empty() -> None:
    grid = np.array(answers_figure(AMPLITUDES, MODELS, (None, *RECORDED[1:])).axes, dtype=object).reshape(3, 4)
    assert colours(grid[0, 0]) == []
    assert colours(grid[1, 0]) == [TRAINING_COLOUR]


def test_answers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one model, and one answer a step"):
        answers_figure(AMPLITUDES, {"model 0": MODELS["model 0"][:2]})
    with pytest.raises(ValueError, match="at least one model"):
        answers_figure(AMPLITUDES, {}, RECORDED)


# --- firing rates


def test_rates_show_every_model_the_trials_and_the_tolerance() -> None:
    amplitudes = np.array([0.1, 0.2, 0.3])
    rates = np.array([[0.0, 9.0, 21.0], [1.0, 11.0, 19.0]])
    figure = rates_figure(amplitudes, rates, [[0, 0], [8, 12], [20, 20]], np.array([np.nan, 2.0, 3.0]))
    [axes] = figure.axes
    found = [line.get_ydata() for line in axes.lines if line.get_color() == TRAINING_COLOUR]
    np.testing.assert_array_equal(found, rates)
    [medians] = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(medians.get_ydata(), [0, 10, 20])
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(0.2, 8.0), (0.2, 12.0), (0.3, 17.0), (0.3, 23.0)} <= {tuple(corner) for corner in corners.tolist()}
    assert {"Step amplitude (nA)", "Firing rate (Hz)", "2 models", "recording", "tolerated"} <= set(texts(figure))


def test_rates_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected rates of shape \(models, amplitudes\)"):
        rates_figure(np.arange(3.0), np.zeros((2, 4)), [[0]] * 3, np.zeros(3))


# --- deviations


def test_deviations_are_sorted_by_their_median_and_show_every_model() -> None:
    rng = np.random.default_rng(0)
    deviations = np.abs(rng.normal([2.0, 0.5, 1.0], 0.1, (20, 3)))
    figure = deviations_figure(["AP1_width", "sag", "ISI_CV"], deviations, 3.0)
    [axes] = figure.axes
    figure.draw_without_rendering()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sag", "ISI CV", "AP1 width"]
    shown = [np.asarray(points.get_offsets()) for points in axes.collections]
    for row, (points, column) in enumerate(zip(shown, (1, 2, 0), strict=True)):
        np.testing.assert_array_equal(points[:, 0], deviations[:, column])
        assert np.all(np.abs(points[:, 1] - row) < 0.4)
    assert "Mean |z| over steps (standard deviations of the recording)" in texts(figure)
    with pytest.raises(ValueError, match="expected \\(models, features\\)"):
        deviations_figure(["a"], deviations, 3.0)


# --- generations


def test_generations_show_best_so_far_and_median_of_every_seed() -> None:
    first = [np.array([3.0, 5.0, 4.0]), np.array([6.0, 3.5, 4.0]), np.array([1.0, 2.0, 3.0])]
    second = [np.array([2.0, 2.0])]
    figure = generations_figure({"passive": {1: first, 2: second}, "active": {1: second, 2: []}})
    passive, active = figure.axes
    np.testing.assert_array_equal(passive.lines[0].get_ydata(), [3.0, 3.0, 1.0])
    np.testing.assert_array_equal(passive.lines[1].get_ydata(), [4.0, 4.0, 2.0])
    np.testing.assert_array_equal(passive.lines[0].get_xdata(), [1, 2, 3])
    assert passive.lines[0].get_linestyle() != passive.lines[1].get_linestyle()
    assert passive.lines[0].get_marker() != passive.lines[2].get_marker()  # seeds are told apart in grey
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["stage passive", "stage active"]
    assert active.lines[0].get_color() == passive.lines[0].get_color()
    assert {"Generation", "Mean |z|", "seed 1, best", "seed 2, best", "median"} <= set(texts(figure))


def test_many_seeds_are_all_drawn() -> None:
    figure = generations_figure({"active": {seed: [np.ones(2)] for seed in range(8)}})
    assert len(figure.axes[0].lines) == 16


def test_no_generation_is_refused() -> None:
    with pytest.raises(ValueError, match="no generation"):
        generations_figure({"active": {1: []}})


# --- parameters


def test_ranges_show_positions_reach_and_bounds() -> None:
    positions = np.array([[0.1, 0.9], [0.2, 1.0], [0.3, 0.8]])
    held_out = np.array([False, False, True])
    labels = [("g_pas.all", "1e-7", "0.01 S/cm²"), ("e_pas.all", "-110", "-60 mV")]
    figure = ranges_figure(labels, positions, np.array([[0.0, 0.5], [0.25, 1.0]]), held_out)
    axes = figure.axes[0]
    training, held = (np.asarray(points.get_offsets()) for points in axes.collections)
    np.testing.assert_array_equal(training[:, 0].reshape(2, 2), positions[:2])
    np.testing.assert_array_equal(held[:, 0], positions[2])
    assert [round(height) for height in held[:, 1]] == [1, 0]  # the first parameter on top
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0.0, 0.5), (0.25, 0.75)]
    shown = texts(figure)
    assert {"g_pas.all   1e-7", "0.01 S/cm²", "training", "held out", "reach of the evolution"} <= set(shown)
    with pytest.raises(ValueError, match="expected positions of shape"):
        ranges_figure(labels[:1], positions, np.zeros((1, 2)), held_out)


def test_a_family_without_held_out_models_has_no_mark_for_them() -> None:
    figure = ranges_figure([("a", "0", "1")], np.array([[0.5]]), np.array([[0.0, 1.0]]), np.array([False]))
    assert "held out" not in texts(figure)


# --- interpolation


def test_halfway_models_are_shown_below_the_members() -> None:
    figure = interpolation_figure([1.0, 1.5, 2.0], [0.5, 2.5, 9.0, 3.0])
    [axes] = figure.axes
    members, halfway = (np.asarray(points.get_offsets()) for points in axes.collections)
    np.testing.assert_array_equal(members[:, 0], [1.0, 1.5, 2.0])
    np.testing.assert_array_equal(halfway[:, 0], [0.5, 2.5, 9.0, 3.0])
    assert members[:, 1].min() > halfway[:, 1].max()
    marks = [line.get_xdata()[0] for line in axes.lines]
    assert marks == [1.5, 2.75, 2.0]  # two medians and the worst model
    assert {"3 models\nof the hall", "4 halfway\nbetween two", "worst model of the hall"} <= set(texts(figure))
    with pytest.raises(ValueError, match="expected at least one of each"):
        interpolation_figure([1.0], [])
