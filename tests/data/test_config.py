import os

import pytest

from noble.data import GenerationConfig
from noble.machine.cores import available_cores
from noble.traces import TimeGrid

FULL = """
hall: pv
traces: {train: 10, validation: 2, test: 2, unseen_models: 2}
amplitude: {low_na: -0.2, high_na: 0.4, mode_na: 0.1, skewness: 3, scale_na: 0.1}
mix: {step: 3, ornstein_uhlenbeck: 1}
seed: 5
workers: 2
"""


def test_yaml_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text(FULL)
    config = GenerationConfig.load(tmp_path / "a.yaml")
    assert config.traces.total == 16
    assert config.amplitude.mode_na == 0.1
    assert config.mix.shares == {"step": 0.75, "ramp": 0, "chirp": 0, "ornstein_uhlenbeck": 0.25}
    assert config.worker_count == 2


def test_the_papers_window_is_the_default():
    window = GenerationConfig(hall="pv").window
    assert window.grid.count == 8583
    assert window.simulated_grid == TimeGrid(0.06, 8833)
    assert window.offset_ms == 415.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hall: pv\nsed: 1\n", "unknown key sed; expected one of hall, traces"),
        ("hall: pv\namplitude: {low: 1}\n", "unknown key amplitude.low; expected one of low_na, high_na"),
        ("seed: 1\n", "the key hall is missing"),
        ("hall: pv\nchunk_traces: 0\n", "chunk_traces is 0"),
        ("hall: pv\nstep_ms: 600\n", "ends at 615 ms but window_ms is 515"),
        ("hall: pv\nstep_ms: 500\n", "ends at 515 ms but window_ms is 515, with its last sample at 514.92 ms"),
        ("hall: pv\ndt_ms: 0.05\n", "whole multiple of simulation_dt_ms"),
        ("hall: pv\namplitude: {low_na: 0.3, high_na: 0.2}\n", "expected low_na < high_na"),
        ("hall: pv\nmix: {stepp: 1}\n", "unknown key mix.stepp; expected one of step, ramp"),
        ("hall: pv\nmix: {step: 0}\n", "give at least one a share"),
        ("hall: [\n", "is not YAML"),
        ("- 1\n", "expected keys and values"),
    ],
)
def test_bad_yaml_is_one_sentence(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.yaml") as caught:
        GenerationConfig.load(tmp_path / "bad.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        GenerationConfig.load(tmp_path / "none.yaml")


def test_workers_and_place_of_the_hall_do_not_change_the_data():
    assert GenerationConfig(hall="a", workers=1).identity() == GenerationConfig(hall="b", workers=8).identity()
    assert GenerationConfig(hall="a", seed=1).identity() != GenerationConfig(hall="a", seed=2).identity()


@pytest.mark.parametrize(("onset_ms", "step_ms", "samples"), [(0.1, 0.6, 8), (0.1, 0.7, 9), (0.2, 0.4, 7)])
def test_a_current_may_end_at_the_last_sample_whatever_the_rounding(onset_ms, step_ms, samples):
    config = GenerationConfig(
        hall="pv", onset_ms=onset_ms, step_ms=step_ms, window_ms=samples * 0.1, dt_ms=0.1, simulation_dt_ms=0.1
    )
    assert config.window.offset_ms <= (config.window.grid.count - 1) * 0.1  # as feature extraction asks


def test_workers_are_the_cores_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 8}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert GenerationConfig(hall="pv").worker_count == available_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_cores() == 64
