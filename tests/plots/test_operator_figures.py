"""Figures are read back through matplotlib's objects, the page through a parser."""

import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from noble.evaluation import METRICS, Evaluation
from noble.plots.operator import fi_figure, latent_plane_figure, traces_figure, training_figure
from noble.plots.style import PREDICTED_COLOUR, SIMULATED_COLOUR, feature_label, save_figure
from noble.report.page import PageFigure, write_index
from noble.traces import TimeGrid, TraceBatch

GRID = TimeGrid(0.5, 200)


def traces(count: int, *, offset_mv: float = 0.0) -> TraceBatch:
    rng = np.random.default_rng(0)
    return TraceBatch(GRID, -70 + offset_mv + rng.normal(size=(count, 200)), rng.normal(size=(count, 200)) * 0.01)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text for item in figure.findobj(mpl.text.Text) if (text := item.get_text())]


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_traces_show_every_pair_with_its_current(count: int):
    reference, predicted = traces(count), traces(count, offset_mv=2.0)
    figure = traces_figure(reference, predicted, titles=[f"trace {index}" for index in range(count)])
    assert len(figure.axes) == 2 * count
    for index in range(count):
        above, below = figure.axes[2 * index : 2 * index + 2]
        simulated, ours = above.lines
        np.testing.assert_array_equal(simulated.get_ydata(), reference.voltage_mv[index])
        np.testing.assert_array_equal(ours.get_ydata(), predicted.voltage_mv[index])
        assert (simulated.get_color(), ours.get_color()) == (SIMULATED_COLOUR, PREDICTED_COLOUR)
        assert ours.get_zorder() >= simulated.get_zorder()
        np.testing.assert_array_equal(below.lines[0].get_ydata(), reference.current_na[index])
        assert above.get_title(loc="left") == f"trace {index}"
    shown = texts(figure)
    assert {"Voltage (mV)", "Current\n(nA)", "Time (ms)", "simulated", "predicted"} <= set(shown)


def test_panels_of_traces_are_equally_large_and_do_not_overlap():
    figure = traces_figure(traces(7), traces(7))
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in figure.axes]
    for start in (0, 1):
        np.testing.assert_allclose([box.width for box in boxes[start::2]], boxes[start].width, rtol=1e-6)
    for index, box in enumerate(boxes):
        assert not any(box.fully_overlaps(other) for other in boxes[:index])


def test_traces_can_be_zoomed():
    figure = traces_figure(traces(1), traces(1), window_ms=(10.0, 30.0))
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (10.0, 30.0)


def test_bad_traces_are_refused():
    with pytest.raises(ValueError, match="expected at least one trace"):
        traces_figure(traces(2), traces(3))
    with pytest.raises(ValueError, match="no titles or one a trace"):
        traces_figure(traces(2), traces(2), titles=["one"])


def test_firing_curves_show_both_with_units():
    amplitudes = np.linspace(-0.1, 0.3, 9)
    simulated = np.maximum(0, np.outer([1.0, 2.0, 3.0], 100 * amplitudes))
    figure = fi_figure(amplitudes, simulated, simulated + 1, titles=["a", "b", "c"])
    assert len(figure.axes) == 3
    for row, axes in enumerate(figure.axes):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), simulated[row])
        np.testing.assert_array_equal(axes.lines[1].get_ydata(), simulated[row] + 1)
        assert axes.lines[0].get_marker() != axes.lines[1].get_marker()  # told apart in grey
        assert axes.get_title(loc="left") == "abc"[row]
    assert {"Step amplitude (nA)", "Firing rate (Hz)"} <= set(texts(figure))


def test_a_large_family_is_thinned_and_says_so():
    curves = np.tile(np.arange(50.0)[:, None], (1, 4))
    figure = fi_figure(np.arange(4.0), curves, curves)
    assert len(figure.axes) == 12
    assert figure.axes[0].get_title(loc="left") == "model 0"
    assert figure.axes[-1].get_title(loc="left") == "model 49"
    assert any("12 of 50 models" in text for text in texts(figure))


def test_bad_firing_curves_are_refused():
    with pytest.raises(ValueError, match="expected both of shape"):
        fi_figure(np.arange(4.0), np.zeros((2, 3)), np.zeros((2, 3)))


def log(columns: tuple[str, str]) -> list[dict[str, str]]:
    """As Lightning's CSV logger writes it: training by step, validation by epoch, in rows of their own."""
    rows = []
    for epoch in range(5):
        for step in range(2):
            rows.append(
                {"epoch": str(epoch), "step": str(step), columns[0]: str(10.0 / (epoch + 1) + step), columns[1]: ""}
            )
        rows.append({"epoch": str(epoch), "step": "2", columns[0]: "", columns[1]: str(1.0 + abs(epoch - 3))})
    return rows


@pytest.mark.parametrize(
    "columns", [("train_loss", "val_loss"), ("train/loss", "validation/loss"), ("train_loss_step", "val_loss")]
)
def test_training_shows_both_losses_by_epoch_and_the_best(columns: tuple[str, str]):
    [axes] = training_figure(log(columns)).axes
    train, validation, best = axes.lines
    np.testing.assert_allclose(train.get_ydata(), [10.0 / (epoch + 1) + 0.5 for epoch in range(5)])
    np.testing.assert_allclose(validation.get_ydata(), [4, 3, 2, 1, 2])
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (3, 1.0)
    assert axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Epoch", "Loss")


def test_training_prefers_values_by_epoch_and_takes_named_columns():
    rows = [{"epoch": 0, "train_loss_step": 5.0, "train_loss_epoch": 4.0, "val_loss": 3.0, "val_timing": -1.0}]
    assert training_figure(rows).axes[0].lines[0].get_ydata()[0] == 4.0
    axes = training_figure(rows, validation="val_timing").axes[0]
    assert axes.lines[1].get_ydata()[0] == -1.0
    assert axes.get_yscale() == "linear"


def test_a_log_without_losses_is_refused():
    with pytest.raises(ValueError, match="no losses found among the columns epoch, accuracy"):
        training_figure([{"epoch": 0, "accuracy": 1.0}])


def test_the_latent_plane_shows_models_hull_and_units():
    square = np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 300.0], [0.0, 300.0], [0.05, 150.0], [0.5, 900.0]])
    held_out = np.array([False, False, False, False, False, True])
    [axes] = latent_plane_figure(square, ("rheobase", "fi_gain"), ("nA", "Hz/nA"), held_out).axes
    training, outside = axes.collections
    np.testing.assert_allclose(training.get_offsets(), square[:5])
    np.testing.assert_allclose(outside.get_offsets(), square[5:])
    corners = axes.patches[0].get_path().vertices
    assert {tuple(corner) for corner in corners.tolist()} == {tuple(corner) for corner in square[:4].tolist()}
    assert axes.get_xlabel().endswith("(nA)")
    assert axes.get_ylabel().endswith("(Hz/nA)")


def test_a_family_on_a_line_has_no_hull_and_a_given_hull_is_drawn():
    line = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    nobody = np.zeros(3, dtype=bool)
    assert not latent_plane_figure(line, ("a", "b"), ("mV", "ms"), nobody).axes[0].patches
    given = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]])
    drawn = latent_plane_figure(line, ("a", "b"), ("mV", "ms"), nobody, hull=given).axes[0].patches[0]
    assert {tuple(corner) for corner in drawn.get_path().vertices.tolist()} == {(0.0, 0.0), (2.0, 0.0), (2.0, 2.0)}


def test_a_bad_plane_is_refused():
    with pytest.raises(ValueError, match="at least two features"):
        latent_plane_figure(np.zeros((3, 1)), ("a",), ("mV",), np.zeros(3, dtype=bool))
    with pytest.raises(ValueError, match=r"one entry a model, \(3,\)"):
        latent_plane_figure(np.zeros((3, 2)), ("a", "b"), ("mV", "mV"), np.zeros(2, dtype=bool))


def test_labels_carry_units():
    assert feature_label("input_resistance", "MOhm") == "Input resistance (MΩ)"
    assert feature_label("AP1_width", "ms") == "First spike's width (ms)"
    assert feature_label("Spikecount", "1") == "Spike count"
    assert feature_label("i_thr", "nA") == "Rheobase (nA)"
    assert feature_label("own_feature", "mV") == "own feature (mV)"


def test_drawing_leaves_matplotlibs_settings_and_pyplot_alone():
    before = dict(mpl.rcParams)
    traces_figure(traces(1), traces(1))
    assert dict(mpl.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_saving_is_atomic_repeatable_and_at_200_dpi(tmp_path: Path):
    figure = traces_figure(traces(1), traces(1))
    first = save_figure(figure, tmp_path / "new" / "a.png").read_bytes()
    second = save_figure(traces_figure(traces(1), traces(1)), tmp_path / "new" / "b.png").read_bytes()
    assert first == second
    width, height = (int.from_bytes(first[start : start + 4], "big") for start in (16, 20))
    assert (width, height) == tuple(round(size * 200) for size in figure.get_size_inches())
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.png", "b.png"]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save_figure(traces_figure(traces(1), traces(1)), tmp_path / "a.png")
    before = path.read_bytes()
    broken = Figure()

    def fail(target: Path, **_: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(broken, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(broken, path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["a.png"]


class Page(HTMLParser):
    """Tags, their attributes and the text between them; complains about what is not closed."""

    VOID = frozenset({"meta", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


EVALUATION = Evaluation.from_dict(
    {
        "unseen_currents": {
            "relative_l2_percent": 2.3456,
            "missed_percent": 0.0,
            "spike_time_median_ms": None,
            "traces": 600,
            "regimes": {"sub_threshold": {"relative_l2_percent": 0.1234}, "spiking": {"relative_l2_percent": 123.4}},
        },
        "unseen_models": {"relative_l2_percent": 11.7, "traces": 60},
    }
)


def page(folder: Path, **options: object) -> Page:
    (folder / "a b.png").write_bytes(b"")
    figures = [PageFigure("a b.png", 'Voltage of <one> & "other" models', "noble demo --seed 0 && ls")]
    title = "Demo <script>alert(1)</script>"
    path = write_index(folder, title, EVALUATION, figures=figures, **options)  # type: ignore[arg-type]
    assert path == folder / "index.html"
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_holds_numbers_figures_and_commands(tmp_path: Path):
    found = page(tmp_path, summary="Fires < 1 ms off.", facts={"seed": 0, "torch": "2.13"})
    for expected in ("2.35 %", "11.7 %", "0.123 %", "123 %", "600", "Sub-threshold", "Fires < 1 ms off.", "2.13"):
        assert expected in found.text
    assert "noble demo --seed 0 && ls" in found.text
    [(_, image)] = [item for item in found.tags if item[0] == "img"]
    assert image == {"src": "a%20b.png", "alt": 'Voltage of <one> & "other" models'}
    assert all(label in found.text for label, _ in METRICS.values())


def test_the_page_needs_no_script_and_no_network(tmp_path: Path):
    found = page(tmp_path)
    assert "script" not in {tag for tag, _ in found.tags}
    assert "link" not in {tag for tag, _ in found.tags}
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//|@import|url\(", text)
    assert "Demo <script>alert(1)</script>" in found.text


def test_a_figure_that_is_not_there_is_refused(tmp_path: Path):
    for file in ("missing.png", str(tmp_path / "a.png")):
        with pytest.raises(ValueError, match="give its relative path"):
            write_index(tmp_path, "t", figures=[PageFigure(file, "")])
    assert not (tmp_path / "index.html").exists()
