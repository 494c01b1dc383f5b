import re

import numpy as np
import pytest

from noble.evaluation import model_card
from noble.evaluation.results import STABLE_KEYS
from noble.operator import FeatureSpec, Operator, Scope, bundle, shipped_bundles
from noble.operator.spiking.config import SpikePhaseConfig
from noble.traces import TimeGrid

TABLE = np.array([[0.1, 100.0], [0.31234567, 100.0], [0.1, 300.0]])
FACTS = {
    "hall": {"name": "stylised-pv", "digest": "c" * 64},
    "store_digest": "d" * 64,
    "training_run": {"best_epoch": 7, "wall_seconds": 12.5},
}
METRICS = {
    "unseen_currents": {**{key: 1.0 + index for index, key in enumerate(STABLE_KEYS)}, "traces": 128, "regimes": {}},
    "unseen_models": {**dict.fromkeys(STABLE_KEYS), "traces": 64},
}


STEPS = Scope(kinds=("Step",), lowest_na=-0.11, highest_na=0.28, duration_ms=515.0, step_ms=400.0, dt_ms=0.06)


def operator(scope: Scope | None = None, **facts) -> Operator:
    spec = FeatureSpec.fit(TABLE, ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
    config = SpikePhaseConfig(width=8, hidden=8, blocks=1, slow_width=8, shapes=2, shape_width=8)
    return Operator.build(config, spec, TimeGrid.spanning(515.0, dt_ms=0.06), seed=17, scope=scope, provenance=facts)


@pytest.fixture
def card() -> str:
    return model_card(operator(**FACTS), METRICS)


def rows_of(card: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in card.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in cells}


def test_it_says_what_it_is(card):
    assert card.startswith("# stylised-pv: a spike-phase operator\n")
    count = sum(item.numel() for item in operator().parameters())
    assert f"{count:,} parameters" in card
    assert "`rheobase`: 0.1 to 0.31235 nA over the 3 training models" in card
    assert "`fi_gain`: 100 to 300 Hz/nA" in card


def test_it_says_where_it_comes_from(card):
    assert "514.98 ms at dt 0.06 ms" in card or "515 ms at dt 0.06 ms" in card
    assert "d" * 64 in card
    assert '"best_epoch": 7' in card
    assert "seed 17" in card
    assert '"torch": ' in card


def test_it_says_how_good_it_is(card):
    rows = rows_of(card)
    assert rows["quantity"] == ["unseen currents", "unseen models"]
    assert rows["traces"] == ["128", "64"]
    for index, key in enumerate(STABLE_KEYS):
        assert rows[key] == [f"{1.0 + index:.4g}", "-"]


def test_it_says_where_it_ends(card):
    limits = card[card.index("## Limits") :]
    assert re.search(r"outside their hull", limits)
    assert "not from recordings" in limits


def test_an_operator_without_a_past_has_a_card_too():
    card = model_card(operator(), {})
    assert "unknown" in card
    assert "Not evaluated yet." in card
    assert not set(rows_of(card)) & set(STABLE_KEYS)


def currents_of(card: str) -> str:
    return card[card.index("## What currents") : card.index("## Features")]


def test_it_says_which_currents_were_learned():
    card = model_card(operator(STEPS, **FACTS), METRICS)
    assert "under steps of 400 ms from -0.11 to 0.28 nA, from 2 features" in card.splitlines()[2]
    assert "any current" not in card
    text = currents_of(card)
    assert "kind Step, each 400 ms long" in text
    assert "-0.11 to 0.28 nA" in text
    assert "up to 515 ms" in text
    assert "a step of another length" in text
    assert "was not measured; spike times may be at chance" in text


def test_a_mix_is_not_told_as_steps():
    mixed = STEPS.model_copy(update={"kinds": ("OrnsteinUhlenbeck", "Step"), "step_ms": None})
    card = model_card(operator(mixed, **FACTS), METRICS)
    assert "under OrnsteinUhlenbeck, Step from -0.11 to 0.28 nA, at most 515 ms long" in card.splitlines()[2]
    assert "a step of another length" not in card


def test_it_has_a_row_for_each_kind_of_current_and_says_where_spikes_are_at_chance():
    def measured(coincidence: float) -> dict:
        return {"unseen_currents": {"traces": 120, "coincidence_1ms": coincidence, "relative_l2_percent": 10.4}}

    currents = {"noise": measured(0.0966), "ramp": measured(-0.03), "step": measured(0.98)}
    card = model_card(operator(STEPS, **FACTS), {**METRICS, "currents": currents})
    text = currents_of(card)
    assert "**spike times are at chance under noise, ramp**" in text
    rows = rows_of(text)
    assert rows["noise"] == ["unseen currents", "120", "0.0966", "-", "-", "-", "10.4"]
    assert rows["step"][2] == "0.98"
    assert rows_of(card[card.index("## How good") :])["quantity"] == ["unseen currents", "unseen models"]


@pytest.mark.parametrize("name", shipped_bundles())
def test_shipped_cards_are_what_is_written_today(name):
    """After a change of the card: `python experiments/scope/into_bundles.py`, and any_current/into_bundle.py."""
    written = (bundle.locate(name) / bundle.CARD).read_text(encoding="utf-8")
    assert written == model_card(Operator.load(name), bundle.read_metrics(name))
    assert ("**spike times are at chance under noise, ramp, chirp**" in written) == (name != "human-pv")
