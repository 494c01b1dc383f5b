"""Currents that a user recorded are a kind to learn from."""

from pathlib import Path

import numpy as np
import pytest
from fake_family import FakeHall

from noble.data import GenerationConfig, StimulusMix, TraceCounts
from noble.data.config import RecordedCurrents
from noble.data.laws import LAWS
from noble.data.plan import draw_plan
from noble.stimuli import Sampled
from noble.traces import TimeGrid

DT_MS = 0.1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two sweeps of noise of 2 s and one short step, as columns of text."""
    times = np.arange(20_000) * DT_MS
    noise = [np.repeat(np.random.default_rng(seed).normal(0.1, 0.05, 2000), 10) for seed in range(2)]
    rows = np.column_stack([times, *(column for current in noise for column in (np.full(times.size, -70.0), current))])
    path = tmp_path / "noise.csv"
    header = "time (ms),V0 (mV),I0 (nA),V1 (mV),I1 (nA)"
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.6f")
    return path


def config(path: Path, **options) -> GenerationConfig:
    recorded = RecordedCurrents(path=str(path), **options)
    mix = StimulusMix.model_validate({"step": 0, "recording": 1})
    return GenerationConfig(
        hall="x", traces=TraceCounts(train=20, validation=5, test=5, unseen_models=5), mix=mix, recording=recorded
    )


def drawn(given: GenerationConfig, seed: int) -> Sampled:
    found = LAWS["recording"].draw(0.1, rheobase_na=0.1, seed=seed, config=given)
    assert isinstance(found, Sampled)
    return found


def test_pieces_are_those_of_the_file(file):
    table = np.genfromtxt(file, delimiter=",", skip_header=1)
    given, starts = config(file), []
    for seed in range(20):
        piece = drawn(given, seed)
        assert (piece.start_ms, piece.dt_ms, piece.samples_na.size) == (15.0, pytest.approx(DT_MS), 5000)
        windows = [np.lib.stride_tricks.sliding_window_view(table[:, column], 5000) for column in (2, 4)]
        matches = [np.flatnonzero(np.abs(window[:, 0] - piece.samples_na[0]) < 1e-9) for window in windows]
        found = [
            start
            for window, possible in zip(windows, matches, strict=True)
            for start in possible
            if np.allclose(window[start], piece.samples_na, atol=1e-9)
        ]
        assert len(found) == 1
        starts += found
    assert len(set(starts)) > 10
    np.testing.assert_array_equal(drawn(given, 3).samples_na, drawn(given, 3).samples_na)


def test_a_sweep_that_is_shorter_than_the_window_is_whole(file):
    piece = drawn(config(file).model_copy(update={"window_ms": 3000.0}), 0)
    assert piece.samples_na.size == 20_000


def test_a_factor_makes_a_current_fit_another_cell(file):
    plain, scaled = config(file), config(file, factor=(0.5, 0.5))
    ratios = [np.median(drawn(scaled, seed).samples_na) / np.median(drawn(plain, seed).samples_na) for seed in range(5)]
    assert ratios == pytest.approx([0.5] * 5)


def test_a_plan_holds_them_and_gives_them_back(file):
    plan = draw_plan(config(file), FakeHall())
    grid = TimeGrid.spanning(515.0, dt_ms=0.06)
    for index in range(5):
        stimulus = plan.stimulus(index)
        assert isinstance(stimulus, Sampled)
        assert 0.05 < stimulus.sample(grid)[400:].mean() < 0.15


def test_what_is_missing_is_said(file):
    with pytest.raises(ValueError, match="mix gives a share to a recording; expected the file under recording"):
        GenerationConfig(hall="x", mix=StimulusMix.model_validate({"recording": 1}))
    with pytest.raises(FileNotFoundError, match="there is no recording"):
        drawn(config(file.with_name("none.csv")), 0)
    with pytest.raises(ValueError, match="no usable sweep of protocol 'Ramp'"):
        drawn(config(file, protocols=("Ramp",)), 0)


def test_configurations_without_them_are_what_they_were():
    assert "recording" not in GenerationConfig(hall="x").identity()
