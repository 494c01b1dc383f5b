"""Models halfway between two: their values, which pairs, and by what they are judged."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from checked_hall import checked_hall, targets
from noble.evolve.assay import Score
from noble.evolve.interpolate import Interpolation, draw_pairs, halfway_values, interpolate_parameters
from noble.jobs import Pool

POOL = Pool(workers=0)


def test_the_arithmetic_mean_is_the_papers() -> None:
    hall = checked_hall()
    found = halfway_values(hall, 0, 3)
    assert set(found) == {item.name for item in hall.cell.parameters}
    for name, value in found.items():
        assert value == pytest.approx((hall.models[0].values[name] + hall.models[3].values[name]) / 2)


def test_the_geometric_mean_is_halfway_in_logarithms_but_for_potentials() -> None:
    hall = checked_hall()
    found = halfway_values(hall, 0, 3, "geometric")
    one, other = hall.models[0].values, hall.models[3].values
    assert found["e_pas.all"] == pytest.approx((one["e_pas.all"] + other["e_pas.all"]) / 2)
    rest = set(found) - {"e_pas.all"}
    for name in rest:
        assert math.log(found[name]) == pytest.approx((math.log(one[name]) + math.log(other[name])) / 2)
        assert found[name] < (one[name] + other[name]) / 2


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_halfway_values_stay_within_the_bounds_even_on_them(mean: Any) -> None:
    hall = checked_hall()
    for bound in ("low", "high"):
        values = {item.name: getattr(item, bound) for item in hall.cell.parameters}
        edge = replace(hall, models=(replace(hall.models[0], values=values),) * 2)
        assert edge.cell.model(halfway_values(edge, 0, 1, mean)).values == pytest.approx(values)


def test_another_mean_or_model_is_refused() -> None:
    with pytest.raises(ValueError, match="mean is 'harmonic'; expected arithmetic or geometric"):
        halfway_values(checked_hall(), 0, 1, "harmonic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="models 0 to 6; 7 was asked for"):
        halfway_values(checked_hall(), 0, 7)


def test_pairs_are_distinct_and_drawn_by_the_seed() -> None:
    pairs = draw_pairs(7, 20, 3)
    assert len({frozenset(pair) for pair in pairs}) == 20
    assert all(len(set(pair)) == 2 and set(pair) <= set(range(7)) for pair in pairs)
    assert draw_pairs(7, 20, 3) == pairs
    assert draw_pairs(7, 20, 4) != pairs
    assert sorted(draw_pairs(3, 3, 0)) == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("count", [0, 22])
def test_pairs_that_there_are_not_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} pairs are asked for; 7 models have 21. Ask for 1 to 21"):
        draw_pairs(7, count, 0)


def test_the_summary_counts_what_is_worse_than_all_members() -> None:
    halfway = tuple(Score({"a@0.1": z}) for z in (0.5, 1.9, 2.1, 9.0))
    members = tuple(Score({"a@0.1": z}) for z in (1.0, 1.5, 2.0))
    found = Interpolation(((0, 1), (0, 2), (1, 2), (1, 3)), halfway, members, "geometric")
    assert found.summary() == {
        "pairs": 4,
        "worse_than_worst": 2,
        "worst_member": 2.0,
        "median_member": 1.5,
        "median_pair": 2.0,
        "mean": "geometric",
    }


class Recorder:
    """Stands in for `full_scores`: remembers values, answers with a number a candidate."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def __call__(self, cell: Any, targets: Any, values: Any, pool: Any, **_: Any) -> list[Score]:
        self.targets, self.values = targets, list(values)
        return [Score({"a@0.1": float(rank)}) for rank in range(len(values))]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("noble.evolve.interpolate.full_scores", recorder)
    return recorder


def test_with_the_targets_of_the_check_only_pairs_are_simulated(asked: Recorder) -> None:
    hall = checked_hall()
    found = interpolate_parameters(hall, targets(), POOL, pairs=5, seed=2, mean="geometric")
    assert list(found.pairs) == draw_pairs(7, 5, 2)
    assert asked.values == [halfway_values(hall, one, other, "geometric") for one, other in found.pairs]
    assert [score.mean for score in found.halfway] == [0, 1, 2, 3, 4]
    assert [score.mean for score in found.members] == pytest.approx([model.score for model in hall.models])
    assert asked.targets == targets()


@pytest.mark.parametrize("why", ["other targets", "no digest", "a model without a check"])
def test_otherwise_the_models_are_simulated_too(asked: Recorder, why: str) -> None:
    hall, wanted = checked_hall(), targets()
    if why == "other targets":
        wanted = replace(wanted, name="another")
    elif why == "no digest":
        hall = replace(hall, provenance={})
    else:
        hall = replace(hall, models=(replace(hall.models[0], check=None), *hall.models[1:]))
    found = interpolate_parameters(hall, wanted, POOL, pairs=2)
    assert asked.values[2:] == [model.values for model in hall.models]
    assert [score.mean for score in found.halfway] == [0, 1]
    assert [score.mean for score in found.members] == [2, 3, 4, 5, 6, 7, 8]


def test_a_pair_is_simulated_as_the_check_would() -> None:
    """Two models and what lies between them, by Arbor; all three rest at different potentials, and score so."""
    pytest.importorskip("arbor")
    hall = checked_hall(shares=(0.5, 0.6))
    passive = tuple(replace(step, features={"voltage_base": step.features["voltage_base"]}) for step in targets().steps)
    with POOL as pool:
        found = interpolate_parameters(hall, replace(targets(), steps=passive[:1]), pool, pairs=1)
    assert found.pairs == ((0, 1),)
    z = [score.z["voltage_base@-0.05"] for score in (found.members[0], *found.halfway, found.members[1])]
    assert all(np.isfinite(z))
    assert z[0] > z[1] > z[2] or z[0] < z[1] < z[2]
