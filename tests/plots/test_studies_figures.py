"""Figures are read back through matplotlib's objects."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from noble.evaluation import STABLE_KEYS, Summary
from noble.plots.studies import disc_figure, halfway_figure, resolution_figure, subsampling_figure
from noble.studies.resolution import Resolution, ResolutionStudy
from noble.studies.subsampling import HallFeature, SamplingError, SamplingErrors, SubsamplingStudy
from noble.traces import TimeGrid, TraceBatch


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text for item in figure.findobj(mpl.text.Text) if (text := item.get_text())]


def resolution_of(*errors: tuple[float, float | None]) -> ResolutionStudy:
    """A study in which every number at an interval is the same."""
    rows = [Resolution(dt_ms, Summary.from_dict(dict.fromkeys(STABLE_KEYS, error))) for dt_ms, error in errors]
    return ResolutionStudy(0.06, 0.02, 4, 0, "0" * 64, tuple(rows))


def test_resolution_shows_every_measure_over_the_interval_and_marks_the_trained_one():
    figure = resolution_figure(resolution_of((0.02, 3.0), (0.06, None), (0.12, 5.0)))
    assert len(figure.axes) == 6
    for axes in figure.axes:
        *curves, mark = axes.lines
        assert mark.get_xdata()[0] == 0.06
        for curve in curves:
            np.testing.assert_array_equal(curve.get_xdata(), [0.02, 0.06, 0.12])
            np.testing.assert_array_equal(curve.get_ydata(), [3.0, np.nan, 5.0])
        assert len({curve.get_linestyle() for curve in curves}) == len(curves)
        assert axes.get_ylim()[1] > 5
    shown = texts(figure)
    assert {"0.02", "0.06", "0.12", "Spike time error (ms)", "median", "90th percentile"} <= set(shown)
    assert any("(ms)" in text and "Sampling interval" in text for text in shown)
    with pytest.raises(ValueError, match="expected at least one"):
        resolution_figure(resolution_of())


def decimated(low_pass: bool, factor: int, **errors: float | None) -> SamplingErrors:
    features = {name: SamplingError(error, None, 0) for name, error in errors.items()}
    return SamplingErrors(factor, 0.02 * factor, low_pass, features, ())


def test_subsampling_shows_both_errors_below_the_halls_and_no_error_on_the_axis():
    found = SubsamplingStudy(
        hall="made",
        targets="made",
        native_dt_ms=0.02,
        step_ms=400.0,
        models=(0,),
        amplitudes_na=(0.2,),
        part=0.1,
        features={
            "AP1_width": HallFeature("ms", 0.05, 4),
            "sag_amplitude": HallFeature("mV", None, 4),
            "depol_block": HallFeature("1", 0.0, 4),
        },
        samplings=(
            decimated(True, 3, AP1_width=0.004, sag_amplitude=0.2, depol_block=0.0),
            decimated(True, 12, AP1_width=0.1, sag_amplitude=None, depol_block=0.0),
            decimated(False, 3, AP1_width=0.0, sag_amplitude=0.1, depol_block=0.0),
            decimated(False, 12, AP1_width=0.2, sag_amplitude=0.3, depol_block=0.0),
        ),
        justified_dt_ms=None,
    )
    figure = subsampling_figure(found)
    width, sag, block = figure.axes
    smooth, plain, hall = width.lines
    np.testing.assert_allclose(smooth.get_ydata(), [0.004, 0.1])
    np.testing.assert_allclose(plain.get_ydata(), [width.get_ylim()[0], 0.2])
    np.testing.assert_allclose(smooth.get_xdata(), [0.06, 0.24])
    assert smooth.get_linestyle() != plain.get_linestyle()
    assert list(hall.get_ydata()) == [0.05, 0.05]
    [negligible] = width.patches
    assert negligible.get_y() + negligible.get_height() == pytest.approx(0.005)
    assert (len(sag.lines), len(sag.patches)) == (2, 0)
    shown = texts(figure)
    assert {"AP1 width (ms)", "sag amplitude (mV)", "depol block", "hall against recording", "no error"} <= set(shown)
    assert "10 % of that" in shown
    assert len(block.get_yticks()) == 0
    with pytest.raises(ValueError, match="expected at least one"):
        subsampling_figure(replace(found, features={}))


GRID = TimeGrid(0.5, 40)


def steps(*levels_mv: float) -> TraceBatch:
    """A constant voltage a trace, under steps of -0.1, -0.2, ... nA."""
    currents = (
        np.tile([[0.0] * 10 + [1.0] * 30], (len(levels_mv), 1)) * -0.1 * np.arange(1, 1 + len(levels_mv))[:, None]
    )
    return TraceBatch(GRID, np.tile(np.array(levels_mv)[:, None], (1, 40)), currents)


def test_discs_show_the_points_and_the_model_a_row_a_model_and_a_column_an_amplitude():
    discs = [
        (f"model {k}", steps(-70.0 - k, -80.0 - k), (steps(-1.0, -2.0, -3.0), steps(-4.0, -5.0))) for k in range(5)
    ]
    figure = disc_figure(discs, largest=2, traces=2)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"model {k}, {amplitude} nA" for k in (0, 4) for amplitude in ("\N{MINUS SIGN}0.1", "\N{MINUS SIGN}0.2")
    ]
    levels = [[line.get_ydata()[0] for line in axes.lines] for axes in figure.axes]
    assert levels == [[-1, -3, -70], [-4, -5, -80], [-1, -3, -74], [-4, -5, -84]]
    assert {"Time (ms)", "Voltage (mV)", "simulated", "neurons round it, predicted"} <= set(texts(figure))
    for wrong in ([], [("model 0", steps(-70.0), (steps(-1.0), steps(-2.0)))]):
        with pytest.raises(ValueError, match="one predicted batch an amplitude"):
            disc_figure(wrong)


def test_halfway_shows_shares_below_each_deviation_and_the_halls_worst():
    figure = halfway_figure({"members": [1.0, 2.0], "halfway": [4.0, 1.5, 3.0, 0.5]})
    [axes] = figure.axes
    members, halfway, worst = axes.lines
    assert list(members.get_xdata()) == pytest.approx([0, 1, 2, 4.2])
    assert list(members.get_ydata()) == [0, 50, 100, 100]
    assert list(halfway.get_xdata()) == pytest.approx([0, 0.5, 1.5, 3, 4, 4.2])
    assert list(halfway.get_ydata()) == [0, 25, 50, 75, 100, 100]
    assert worst.get_xdata()[0] == 2
    assert members.get_linestyle() != halfway.get_linestyle() or members.get_linewidth() != halfway.get_linewidth()
    shown = texts(figure)
    assert {"members (2)", "halfway (4)", "hall's worst", "Share of the neurons (%)"} <= set(shown)
    for wrong in ({}, {"members": []}):
        with pytest.raises(ValueError, match="at least one neuron in each"):
            halfway_figure(wrong)
