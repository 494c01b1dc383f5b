"""Figures of families, read back through matplotlib's objects."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from noble.plots.family import RECORDED_COLOUR, ensemble_figure, fi_family_figure, map_figure
from noble.plots.style import PREDICTED_COLOUR, SIMULATED_COLOUR, TRAINING_COLOUR
from noble.studies.maps import FeatureMap
from noble.traces import TimeGrid, TraceBatch

GRID = TimeGrid(0.5, 200)


def traces(count: int, *, offset_mv: float = 0.0) -> TraceBatch:
    rng = np.random.default_rng(0)
    return TraceBatch(GRID, -70 + offset_mv + rng.normal(size=(count, 200)), rng.normal(size=(count, 200)) * 0.01)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text for item in figure.findobj(mpl.text.Text) if (text := item.get_text())]


def test_an_ensemble_shows_some_traces_the_median_of_all_and_one_reference_over_them():
    family, reference = traces(9, offset_mv=2.0), traces(1)
    figure = ensemble_figure(family, reference, largest=4)
    above, below = figure.axes
    colours = [line.get_color() for line in above.lines]
    assert (colours.count(PREDICTED_COLOUR), colours.count(SIMULATED_COLOUR)) == (4, 1)
    [median] = [line for line in above.lines if line.get_color() == TRAINING_COLOUR]
    np.testing.assert_allclose(median.get_ydata(), np.median(family.voltage_mv, axis=0))
    assert {"4 of 9 predicted", "median", "5 to 95 %", "simulated", "Time (ms)", "Voltage (mV)"} <= set(texts(figure))
    np.testing.assert_allclose(below.lines[0].get_ydata(), family.current_na[0])
    assert "simulated" not in texts(ensemble_figure(family))


def test_several_references_have_a_panel_of_their_own():
    """Over the predictions, they would hide them."""
    family, reference = traces(9, offset_mv=2.0), traces(5)
    above, middle, below = (figure := ensemble_figure(family, reference, largest=4)).axes
    assert SIMULATED_COLOUR not in [line.get_color() for line in above.lines]
    assert [line.get_color() for line in middle.lines].count(SIMULATED_COLOUR) == 4
    for axes, batch in ((above, family), (middle, reference)):
        [median] = [line for line in axes.lines if line.get_color() == TRAINING_COLOUR]
        np.testing.assert_allclose(median.get_ydata(), np.median(batch.voltage_mv, axis=0))
    assert above.get_ylim() == middle.get_ylim()
    shown = texts(figure)
    assert {"4 of 9 predicted", "4 of 5 simulated"} <= set(shown)
    assert shown.count("median") == 1
    np.testing.assert_allclose(below.lines[0].get_ydata(), family.current_na[0])


def test_an_ensemble_off_its_reference_s_grid_is_refused():
    family, reference = traces(9), traces(2)
    other = TraceBatch(TimeGrid(0.25, 200), reference.voltage_mv, reference.current_na)
    for wrong in ((family, other), (traces(0), None)):
        with pytest.raises(ValueError, match="expected at least one trace, and one grid"):
            ensemble_figure(*wrong)


def test_firing_curves_of_a_family_show_the_median_of_all_and_both_kinds_of_points():
    amplitudes = np.linspace(0.1, 0.3, 21)
    rates = np.arange(9)[:, None] + 100 * amplitudes
    simulated = (np.array([0.1, 0.2]), np.array([[10.0, 20.0], [11.0, 21.0], [12.0, 22.0]]))
    recorded = np.array([[0.05, 5.0], [0.2, 19.0], [0.3, 30.0], [0.5, 50.0]])
    [axes] = fi_family_figure(amplitudes, rates, simulated=simulated, recorded=recorded, largest=4).axes
    by_colour: dict[str, list] = {}
    for line in axes.lines:
        by_colour.setdefault(str(line.get_color()), []).append(line)
    assert len(by_colour[PREDICTED_COLOUR]) == 4
    np.testing.assert_allclose(by_colour[TRAINING_COLOUR][0].get_ydata(), rates[4])
    np.testing.assert_array_equal(by_colour[SIMULATED_COLOUR][0].get_xdata(), [0.1, 0.2] * 3)
    np.testing.assert_array_equal(by_colour[SIMULATED_COLOUR][0].get_ydata(), [10, 20, 11, 21, 12, 22])
    # What lies beside the amplitudes shown is left out, and does not stretch the axis.
    np.testing.assert_array_equal(by_colour[RECORDED_COLOUR][0].get_xdata(), [0.2, 0.3])
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] < 45
    assert axes.get_xlabel().endswith("(nA)")
    assert axes.get_ylabel().endswith("(Hz)")
    for wrong in (rates[:, :-1], rates[:0], rates[0]):
        with pytest.raises(ValueError, match="at least one neuron"):
            fi_family_figure(amplitudes, wrong)


def test_a_family_alone_has_no_points():
    found = texts(fi_family_figure(np.array([0.1, 0.2]), np.ones((3, 2))))
    assert {"3 predicted", "median", "5 to 95 %"} <= set(found)
    assert not {"simulated", "recorded"} & set(found)


def a_map(values: np.ndarray) -> FeatureMap:
    """On a square of four models and a margin, of which the middle nine points lie inside."""
    first, second = np.linspace(0.1, 0.2, 5), np.linspace(300.0, 700.0, 5)
    inside = np.zeros((5, 5), dtype=bool)
    inside[1:4, 1:4] = True
    training = np.array([[0.12, 380.0], [0.18, 380.0], [0.18, 620.0], [0.12, 620.0]])
    units = ("nA", "Hz/nA")
    return FeatureMap(
        "AP1_width", "ms", 0.25, ("rheobase", "fi_gain"), units, first, second, values, inside, training, 0.0
    )


def test_a_map_colours_by_what_lies_inside_and_hatches_what_is_missing():
    values = np.arange(25.0).reshape(5, 5)
    values[2, 2] = np.nan
    figure = map_figure(a_map(values))
    found = texts(figure)
    assert {"no value (feature absent)", "hull of the training models", "outside: extrapolated"} <= set(found)
    assert "First spike's width (ms) at 0.25 nA" in found
    flat, solid = (axes for axes in figure.axes if axes.get_label() != "<colorbar>")
    mesh = next(item for item in flat.collections if isinstance(item, mpl.collections.QuadMesh))
    assert mesh.get_clim() == (6, 18)  # outside there are 0 and 24
    shown = np.ma.asarray(mesh.get_array()).reshape(5, 5)
    assert shown.mask.sum() == 1
    assert shown.mask[2, 2]
    np.testing.assert_array_equal(shown.compressed(), values[np.isfinite(values)])
    hull, models = flat.lines
    assert {tuple(point) for point in hull.get_xydata().tolist()} == {
        tuple(point) for point in models.get_xydata().tolist()
    }
    assert flat.get_xlabel().endswith("(nA)")
    assert flat.get_ylabel().endswith("(Hz/nA)")
    assert solid.get_zlabel() == "First spike's width (ms)"
    # The grey covers a corner of the frame and leaves the middle free.
    grey = next(patch for patch in flat.patches if patch.get_label() == "outside: extrapolated")
    assert _covered(grey.get_path(), (0.101, 310.0))
    assert not _covered(grey.get_path(), (0.15, 500.0))


def _covered(path, point) -> bool:
    """By the non-zero rule: how often the outlines wind round the point, all in all."""
    turns = 0.0
    for polygon in path.to_polygons():
        around = polygon - np.array(point)
        scaled = around / np.abs(around).max(axis=0)
        angles = np.unwrap(np.arctan2(scaled[:, 1], scaled[:, 0]))
        turns += (angles[-1] - angles[0]) / (2 * np.pi)
    return round(turns) != 0


def test_a_map_with_every_value_needs_no_hatching_and_one_without_any_is_drawn():
    assert "no value (feature absent)" not in texts(map_figure(a_map(np.ones((5, 5)))))
    assert "no value (feature absent)" in texts(map_figure(a_map(np.full((5, 5), np.nan))))
