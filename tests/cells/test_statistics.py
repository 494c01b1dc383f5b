"""What a hall is worth, against halls whose faults are put in by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from checked_hall import PLANE, RECORDED, check_of, checked_hall
from noble.cells import HallOfFame
from noble.cells.statistics import hall_statistics

KEYS = [
    "models",
    "train",
    "held_out",
    "mean_abs_z_median",
    "mean_abs_z_worst",
    "i_thr_relative_spread",
    "s_thr_relative_spread",
    "blocked",
    "spike_count_out_of_tolerance",
    "fires_where_silent",
]
FROM_THE_CHECK = ["mean_abs_z_median", "mean_abs_z_worst", *KEYS[-3:]]


def with_check(hall: HallOfFame, index: int, **changes: Any) -> HallOfFame:
    """The hall with another final check of one model."""
    models = list(hall.models)
    models[index] = replace(models[index], check=check_of(1.0, **changes))
    return replace(hall, models=tuple(models))


def counts(**changes: int) -> dict[str, int]:
    """The recording's spike counts with some replaced; `at_0_3=1` is one spike at 0.3 nA."""
    replaced = {name.removeprefix("at_").replace("_", "."): count for name, count in changes.items()}
    assert set(replaced) <= set(RECORDED)
    return {amplitude: int(count) for amplitude, count in RECORDED.items()} | replaced


def test_the_numbers_of_a_hall_without_faults() -> None:
    worth = hall_statistics(checked_hall())
    assert list(worth) == KEYS
    assert [worth[key] for key in ("models", "train", "held_out", *KEYS[-3:])] == [7, 6, 1, 0, 0, 0]
    assert worth["mean_abs_z_median"] == pytest.approx(1.06)
    assert worth["mean_abs_z_worst"] == pytest.approx(1.12)
    plane = np.array(PLANE)
    assert worth["i_thr_relative_spread"] == pytest.approx(np.std(plane[:, 0]) / np.mean(plane[:, 0]))
    assert worth["s_thr_relative_spread"] == pytest.approx(np.std(plane[:, 1]) / np.mean(plane[:, 1]))


def test_models_that_block_are_counted_once_each() -> None:
    hall = with_check(with_check(checked_hall(), 0, blocked=["0.3", "0.4"]), 3, blocked=["0.4"])
    assert hall_statistics(hall)["blocked"] == 2
    assert hall_statistics(with_check(checked_hall(), 0, blocked=[]))["blocked"] == 0


@pytest.mark.parametrize(
    ("found", "out"),
    [
        (counts(at_0_3=4), 0),  # two spikes off, of 2
        (counts(at_0_3=5), 1),
        (counts(at_0_4=23), 0),  # 15 % of 20
        (counts(at_0_4=24), 1),
        (counts(at_0_4=16), 1),
        (counts(at_0_4=16, at_0_3=9), 1),  # one model, however often
        (counts(at_0_1=9), 0),  # silent in the recording: another number's business
    ],
)
def test_spike_counts_are_tolerated_by_two_or_fifteen_percent(found: dict[str, int], out: int) -> None:
    assert hall_statistics(with_check(checked_hall(), 2, spike_counts=found))["spike_count_out_of_tolerance"] == out


@pytest.mark.parametrize(
    ("found", "expected"), [(counts(at_0_1=9), 0), (counts(at_0_1=1, at_0_05=1), 1), (counts(at_0_3=0), 0)]
)
def test_one_silent_step_may_fire(found: dict[str, int], expected: int) -> None:
    assert hall_statistics(with_check(checked_hall(), 2, spike_counts=found))["fires_where_silent"] == expected


@pytest.mark.parametrize("check", [None, {}, {"spike_counts": {"0.3": 2}}])
def test_without_a_check_of_every_model_all_that_it_would_say_is_none(check: dict[str, Any] | None) -> None:
    hall = checked_hall()
    worth = hall_statistics(replace(hall, models=(replace(hall.models[0], check=check), *hall.models[1:])))
    assert list(worth) == KEYS
    assert [worth[key] for key in FROM_THE_CHECK] == [None] * 5
    assert worth["models"] == 7
    assert worth["i_thr_relative_spread"] == hall_statistics(hall)["i_thr_relative_spread"]


@pytest.mark.parametrize(
    "change",
    [
        lambda hall: replace(hall, provenance={}),
        lambda hall: replace(hall, provenance={"recording": "made.nwb"}),
        lambda hall: with_check(hall, 1, spike_counts={"0.3": 2}),
    ],
    ids=["no recording", "only its name", "other steps"],
)
def test_without_the_recordings_counts_those_of_the_models_are_not_judged(change) -> None:
    worth = hall_statistics(change(checked_hall()))
    assert list(worth) == KEYS
    assert [worth[key] for key in KEYS[-3:]] == [0, None, None]
    assert worth["mean_abs_z_worst"] == pytest.approx(1.12)


def test_a_hall_without_a_feature_has_no_spread_of_it() -> None:
    hall = checked_hall()
    bare = replace(hall, models=(replace(hall.models[0], features={"fi_gain": 200.0}), *hall.models[1:]))
    assert hall_statistics(bare)["i_thr_relative_spread"] is None
    assert hall_statistics(bare)["s_thr_relative_spread"] == hall_statistics(hall)["s_thr_relative_spread"]
