"""Halls joined: order, duplicates, held-out models, provenance, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checked_hall import PLANE, checked_hall, values_of
from noble.cells import HallOfFame
from noble.evolve.merge import merge_halls

A_SHARES = (0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.62)
B_SHARES = (0.51, 0.53, 0.54, 0.57, 0.59, 0.61)  # the third is one of the other's


def two() -> tuple[HallOfFame, HallOfFame]:
    """The second lies within the hull of the first, whose corners are its first four models."""
    inner = checked_hall("b", shares=B_SHARES)
    models = tuple(
        replace(model, features={"rheobase": 0.12 + 0.01 * rank, "fi_gain": 260.0 + 7.0 * rank**2})
        for rank, model in enumerate(inner.models)
    )
    return checked_hall("a", shares=A_SHARES), replace(inner, models=models)


def test_models_are_joined_best_first_and_once() -> None:
    merged = merge_halls(two(), name="both", held_out=0)
    shares = sorted({*A_SHARES, *B_SHARES})
    assert (merged.name, len(merged)) == ("both", 12)
    assert [model.score for model in merged.models] == [0.5 + share for share in shares]
    assert [model.values for model in merged.models] == [values_of(share) for share in shares]
    assert all(model.check is not None for model in merged.models)


def test_of_a_model_that_two_halls_have_the_better_score_stays() -> None:
    first, second = two()
    better = replace(second.models[2], score=0.1)
    merged = merge_halls(
        (first, replace(second, models=(*second.models[:2], better, *second.models[3:]))), name="x", held_out=0
    )
    assert merged.models[0].score == 0.1
    assert [model.values for model in merged.models].count(values_of(0.54)) == 1


def test_held_out_models_are_drawn_anew_inside_the_hull() -> None:
    merged = merge_halls(two(), name="both", held_out=3, seed=5)
    plane = [(model.features["rheobase"], model.features["fi_gain"]) for model in merged.models]
    assert len(merged.held_out) == 3
    assert not {plane[index] for index in merged.held_out} & set(PLANE[:4])  # the corners train
    assert merge_halls(two(), name="both", held_out=3, seed=5).held_out == merged.held_out
    assert len({merge_halls(two(), name="x", held_out=1, seed=seed).held_out for seed in range(8)}) > 1
    assert not merge_halls(two(), name="both", held_out=0).held_out


def test_more_than_lie_inside_cannot_be_held_out() -> None:
    with pytest.raises(ValueError, match="models lie inside the hull; 12 are to be held out"):
        merge_halls(two(), name="both", held_out=12)


def test_where_models_come_from_is_kept() -> None:
    first, second = two()
    merged = merge_halls((first, second), name="both", held_out=2, seed=5)
    assert merged.provenance["recording"] == first.provenance["recording"]
    assert merged.provenance["check"] == first.provenance["check"]
    assert merged.provenance["held_out_seed"] == 5
    assert [item["name"] for item in merged.provenance["merged"]] == ["a", "b"]
    assert [item["digest"] for item in merged.provenance["merged"]] == [first.digest, second.digest]
    assert merged.provenance["merged"][1]["provenance"]["command"] == "noble evolve b.yaml"
    again = merge_halls((merged, checked_hall("c", shares=(0.7,))), name="three", held_out=0)
    assert len(again) == 13
    assert again.provenance["merged"][0]["provenance"]["merged"][0]["name"] == "a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda hall: replace(hall, cell=replace(hall.cell, celsius=35.0)),
            r"a and b are of different cells \(celsius differ",
        ),
        (
            lambda hall: replace(hall, provenance=hall.provenance | {"recording": {"source": "other.nwb"}}),
            "differ in the recording that their provenance names",
        ),
        (
            lambda hall: replace(hall, provenance=hall.provenance | {"check": {"digest": "other"}}),
            "differ in the targets of the final check",
        ),
        (lambda hall: replace(hall, provenance={}), "differ in the recording"),
        (
            lambda hall: replace(
                hall, models=tuple(replace(model, features={"rheobase": 0.1}) for model in hall.models)
            ),
            "has no feature fi_gain",
        ),
    ],
    ids=["cell", "recording", "targets", "nothing known", "no slope"],
)
def test_halls_that_do_not_belong_together_are_refused(change, message: str) -> None:
    first, second = two()
    with pytest.raises(ValueError, match=message):
        merge_halls((first, change(second)), name="both", held_out=0)


def test_a_merged_hall_has_the_features_that_all_its_models_have() -> None:
    first, second = two()
    richer = replace(
        first, models=tuple(replace(model, features={**model.features, "latency": 9.0}) for model in first.models)
    )
    merged = merge_halls((richer, second), name="both", held_out=0)
    assert {tuple(model.features) for model in merged.models} == {("rheobase", "fi_gain")}
    assert HallOfFame.from_dict(merged.to_dict()) == merged


def test_halls_that_know_no_recording_are_refused() -> None:
    halls = tuple(replace(hall, provenance={}) for hall in two())
    with pytest.raises(ValueError, match="do not say which recording"):
        merge_halls(halls, name="both", held_out=0)


def test_one_hall_is_nothing_to_merge() -> None:
    with pytest.raises(ValueError, match="nothing to merge in 1 hall"):
        merge_halls(two()[:1], name="both")
