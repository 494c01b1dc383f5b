import re

import numpy as np
import pytest

from noble.evaluation import model_card
from noble.evaluation.results import STABLE_KEYS
from noble.operator import FeatureSpec, Operator
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


def operator(**facts) -> Operator:
    spec = FeatureSpec.fit(TABLE, ("rheobase", "fi_gain"), ("nA", "Hz/nA"))
    config = SpikePhaseConfig(width=8, hidden=8, blocks=1, slow_width=8, shapes=2, shape_width=8)
    return Operator.build(config, spec, TimeGrid.spanning(515.0, dt_ms=0.06), seed=17, provenance=facts)


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
