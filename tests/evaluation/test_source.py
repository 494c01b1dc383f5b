"""What an operator learned from, by its record or as named."""

from types import SimpleNamespace
from typing import Any

import pytest

from noble.cells import HallOfFame
from noble.evaluation import OtherModelsError, UnknownSourceError, generation_of, hall_of
from noble.evaluation.source import fresh_source, recorded_generation

GENERATION = {"hall": "stylised-pv", "step_ms": 60.0, "amplitude": {"low_na": -0.2, "high_na": 0.15}}


def operator(**provenance: Any) -> Any:
    return SimpleNamespace(provenance=provenance)


def test_a_record_counts_where_nothing_is_named(tmp_path):
    known = operator(
        generation=GENERATION, hall={"name": "stylised-pv", "digest": HallOfFame.load("stylised-pv").digest}
    )
    assert hall_of(known).name == "stylised-pv"
    assert generation_of(known).step_ms == 60.0
    (tmp_path / "g.yaml").write_text("hall: stylised-pv\nstep_ms: 70\n")
    assert generation_of(known, tmp_path / "g.yaml").step_ms == 70.0
    hall, settings = fresh_source(known)
    assert (hall.name, settings.step_ms) == ("stylised-pv", 60.0)


def test_what_is_nowhere_is_asked_for(tmp_path):
    nobody = operator()
    for missing, words in ((hall_of, "name it with --hall"), (generation_of, "with --config")):
        with pytest.raises(UnknownSourceError, match=words):
            missing(nobody)
    with pytest.raises(UnknownSourceError, match="Name the file of the hall"):
        hall_of(operator(hall={"name": str(tmp_path / "gone.json")}))
    assert recorded_generation(nobody) is None


def test_a_hall_of_other_models_is_refused():
    with pytest.raises(
        OtherModelsError, match=r"the hall stylised-vip holds other models .* than the bundle was trained on"
    ):
        hall_of(operator(hall={"name": "stylised-pv", "digest": "0" * 64}), "stylised-vip")
