"""The page of an evolution: its tables, its figures, and what they are drawn from."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from checked_hall import CELL, STEP_MS, check_of, checked_hall, targets, values_of
from noble.cells import HallOfFame
from noble.evolve import Candidate, Evolution, EvolutionConfig
from noble.evolve.assay import Score
from noble.recordings import Recording, Sweep
from noble.report.evolution import WORTH_LABELS, write_evolution_report
from noble.report.evolution_figures import evolution_figures
from noble.traces import TimeGrid, Trace, TraceBatch

START = {item.name: [values_of(0.5)[item.name], 2.0 if item.quantity == "e_pas" else 0.4] for item in CELL.parameters}
STAGES = [
    {"name": "passive", "free": ["g_pas", "e_pas"], "population": 8, "generations": 2},
    {"name": "active", "optimiser": "CMA", "population": 8, "generations": 2},
]
FIGURES = ["traces", "firing_rates", "deviations", "generations", "parameters", "latent_plane"]


class CellsAndPictures(HTMLParser):
    """Texts of a page's table cells by row, and sources of its pictures; complains about what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.pictures: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(str(dict(attrs)["src"]))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("img", "meta"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


class Bells:
    """Stands in for Arbor: rests at e_pas and answers a step above 0.2 nA with two spikes."""

    def __init__(self, **_: Any) -> None:
        pass

    def respond(self, neurons: Any, stimuli: Any, grid: TimeGrid) -> TraceBatch:
        current = np.stack([stimulus.sample(grid) for stimulus in stimuli])
        voltage = np.array([[model.values["e_pas.all"]] for model in neurons]) + 30.0 * current
        for row, stimulus in zip(voltage, stimuli, strict=True):
            if stimulus.amplitude_na > 0.2:
                for time in (5.0, 20.0):
                    row += 110 * np.exp(-0.5 * ((grid.times_ms - stimulus.start_ms - time) / 0.5) ** 2)
        return TraceBatch(grid, voltage, current)


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noble.report.evolution_figures.ArborSimulator", Bells)


@pytest.fixture
def evolution(tmp_path: Path) -> Evolution:
    """Two seeds and two stages, with two generations of two candidates each in the run's folder."""
    targets().save(tmp_path / "targets.json")
    content = {"name": "made", "cell": "stylised-pv", "targets": "targets.json", "seeds": [1, 2]}
    content |= {"source": "made <up>", "start": START, "stages": STAGES}
    (tmp_path / "made.yaml").write_text(yaml.safe_dump(content))
    made = Evolution(EvolutionConfig.load(tmp_path / "made.yaml"), tmp_path / "run")
    point = tuple(made.space.point(values_of(0.5)).tolist())
    for seed in (1, 2):
        for stage in ("passive", "active"):
            folder = made.folder / f"seed-{seed}" / stage
            folder.mkdir(parents=True)
            for number in (0, 1):
                tried = [Candidate(point, values_of(0.5), Score({"a@0.1": 4.0 - number + z})) for z in (0.0, 1.0)]
                content = json.dumps([item.to_dict() for item in tried])
                (folder / f"generation-{number:03d}.json").write_text(content)
    return made


def recording(**changes: Any) -> Recording:
    """Two trials of every step of the targets, onset at 40 ms, resting at -80 mV, with one spike from 0.3 nA on."""
    grid = TimeGrid(0.05, 4000)
    sweeps = []
    for step in targets().steps:
        for trial in (0, 1):
            bell = np.exp(-0.5 * ((grid.times_ms - 50.0 - trial) / 0.5) ** 2)
            voltage = -80.0 + step.amplitude_na + 100.0 * bell * step.fires
            trace = Trace(grid, voltage, np.zeros(grid.count))
            amplitude = step.amplitude_na
            sweeps.append(Sweep(f"{amplitude}-{trial}", amplitude, 0.0, 0.0, 40.0, 40.0 + STEP_MS, "", trace))
    facts = {"source": "made.nwb", "sha256": "0" * 64, "sweeps": tuple(sweeps), "unusable": {}}
    return Recording(**facts | changes)


@pytest.mark.usefixtures("bells")
def test_the_page_shows_scores_by_seed_the_halls_worth_and_every_figure(evolution: Evolution) -> None:
    path = write_evolution_report(evolution, checked_hall(), evolution.folder / "report.html", recording=recording())
    assert path == evolution.folder / "report.html"
    text = path.read_text(encoding="utf-8")
    page = CellsAndPictures(text)
    assert page.pictures == [f"report/{name}.png" for name in FIGURES]
    for picture in page.pictures:
        assert (path.parent / picture).stat().st_size > 5000
    # eight candidates a seed; scores are 0.5 + share for shares 0.5, 0.52, ... of the seeds 1 and 2 in turn
    assert ["1", "8", "4", "1", "1", "1.06", "1.12"] in page.rows
    assert ["2", "8", "3", "0", "1.02", "1.06", "1.1"] in page.rows
    worth = {row[0]: row[1] for row in page.rows if len(row) == 2}
    assert {label for label, _ in WORTH_LABELS.values()} <= set(worth)
    assert worth["Models that block at any step"] == "0"
    assert worth["recording"] == "made <up>"
    assert worth["stage active"] == "CMA, 2 generations of 8"
    assert worth["final check"] == "5 steps of 30 ms"
    assert worth["arbor"] == "0"
    assert "noble evolve made.yaml" in text
    assert "http" not in text
    assert str(evolution.folder) not in text


@pytest.mark.usefixtures("bells")
def test_without_a_recording_the_models_are_shown_alone(evolution: Evolution) -> None:
    drawn = {name: (figure, caption) for name, figure, caption in evolution_figures(evolution, checked_hall(), None)}
    assert list(drawn) == FIGURES
    figure, caption = drawn["traces"]
    assert len(figure.axes) == 3 * 4  # three models; the lowest, the first that fires, the highest, and a spike
    assert "Black" not in caption
    assert [axes.get_title(loc="left") for axes in figure.axes[::4]] == [
        f"model {rank}: mean |z| {score}" for rank, score in enumerate(("1.00", "1.02", "1.04"))
    ]
    assert [axes.get_title(loc="right") for axes in figure.axes[1:3]] == ["0.3 nA", "0.4 nA"]


@pytest.mark.usefixtures("bells")
def test_the_recordings_first_trial_is_shown_from_its_onset(evolution: Evolution) -> None:
    _, figure, caption = next(evolution_figures(evolution, checked_hall(), recording()))
    assert len(figure.axes) == 4 * 4
    assert "Black: the first trial of the recording" in caption
    shown = figure.axes[1].lines[0]  # the recording at 0.3 nA
    assert shown.get_xdata()[np.argmax(shown.get_ydata())] == pytest.approx(10.0, abs=0.03)
    assert shown.get_xdata()[0] == pytest.approx(-15.0, abs=0.06)
    assert shown.get_xdata()[-1] == pytest.approx(STEP_MS + 100.0, abs=0.06)
    models = figure.axes[5].lines[0]
    assert models.get_xdata()[np.argmax(models.get_ydata())] == pytest.approx(5.0, abs=0.1)


@pytest.mark.usefixtures("bells")
def test_a_recorded_step_that_lasts_longer_is_cut(evolution: Evolution) -> None:
    whole = recording()
    longer = replace(whole, sweeps=tuple(replace(sweep, offset_ms=sweep.onset_ms + 100.0) for sweep in whole.sweeps))
    _, figure, _ = next(evolution_figures(evolution, checked_hall(), longer))
    assert figure.axes[1].lines[0].get_xdata()[-1] == pytest.approx(STEP_MS, abs=0.06)


@pytest.mark.usefixtures("bells")
def test_figures_show_the_halls_own_numbers(evolution: Evolution) -> None:
    drawn = {name: figure for name, figure, _ in evolution_figures(evolution, checked_hall(), None)}
    rates = drawn["firing_rates"].axes[0].lines[0]
    np.testing.assert_allclose(rates.get_xdata(), [0.05, 0.1, 0.3, 0.4])
    np.testing.assert_allclose(rates.get_ydata(), np.array([0, 0, 2, 20]) / 0.03)
    names = [label.get_text() for label in drawn["deviations"].axes[0].get_yticklabels()]
    assert sorted(names) == ["Spikecount", "voltage base"]
    passive, active = drawn["generations"].axes
    for axes in (passive, active):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), [4.0, 3.0])
        np.testing.assert_array_equal(axes.lines[1].get_ydata(), [4.5, 3.5])
        assert len(axes.lines) == 4  # two seeds
    training, held_out = drawn["parameters"].axes[0].collections
    parameters = len(CELL.parameters)
    assert len(training.get_offsets()) == 6 * parameters
    assert len(held_out.get_offsets()) == parameters
    potential = [item.name for item in CELL.parameters].index("e_pas.all")
    assert np.asarray(held_out.get_offsets())[potential, 0] == pytest.approx(0.62)
    assert np.asarray(held_out.get_offsets())[:, 0].max() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "1" * 64}, r"made\.nwb is not the recording of the targets made"),
        ({"junction_potential_mv": 14.0}, "read with a junction potential of 14 mV, but .* measured with 0 mV"),
    ],
)
@pytest.mark.usefixtures("bells")
def test_a_recording_that_does_not_fit_is_refused(evolution: Evolution, changes: Any, message: str) -> None:
    path = evolution.folder / "report.html"
    with pytest.raises(ValueError, match=message):
        write_evolution_report(evolution, checked_hall(), path, recording=recording(**changes))
    assert not path.exists()


def test_a_hall_without_checks_is_refused(evolution: Evolution) -> None:
    hall = checked_hall()
    bare = replace(hall, models=(replace(hall.models[0], check=None), *hall.models[1:]))
    with pytest.raises(ValueError, match="hall made has 1 models without a final check"):
        write_evolution_report(evolution, bare, evolution.folder / "report.html")


def test_the_shown_models_are_simulated_by_arbor(evolution: Evolution) -> None:
    pytest.importorskip("arbor")
    hall = HallOfFame("one", CELL, (replace(checked_hall().models[0], check=check_of(1.0)),))
    _, figure, _ = next(evolution_figures(evolution, hall, None))
    voltages = [axes.lines[0].get_ydata() for axes in figure.axes if axes.lines]
    assert len(voltages) >= 3
    assert all(np.all(np.isfinite(voltage)) and voltage.size > 1000 for voltage in voltages[:3])
