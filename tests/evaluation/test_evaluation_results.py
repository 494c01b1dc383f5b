"""What an evaluation shows and what it reads back."""

import json

import pytest

from noble.evaluation import METRICS, STABLE_KEYS, Evaluation
from noble.operator.bundle import read_metrics, shipped_bundles

WRITTEN = {
    "unseen_currents": {"relative_l2_percent": 2.5, "traces": 7, "regimes": {"spiking": {"rmse_mv": 1.25}}},
    "seconds": 3.0,
    "currents": {"noise": {"unseen_currents": {"relative_l2_percent": 11.0}}},
}


@pytest.mark.parametrize("name", shipped_bundles())
def test_the_metrics_of_shipped_bundles_come_back_as_they_were_written(name):
    written = read_metrics(name)
    assert json.loads(json.dumps(Evaluation.from_dict(written).to_dict())) == written


def test_an_older_file_has_no_number_where_it_has_none():
    found = Evaluation.from_dict(WRITTEN)
    assert list(found.subsets) == ["unseen_currents"]
    summary = found["unseen_currents"]
    assert (summary.relative_l2_percent, summary.traces, summary.rmse_mv) == (2.5, 7, None)
    assert summary.regimes is not None
    assert summary.regimes["spiking"].rmse_mv == 1.25
    assert found.currents["noise"]["unseen_currents"].relative_l2_percent == 11.0
    assert list(found.to_dict()) == ["unseen_currents", "currents"]


def test_numbers_have_the_names_of_the_table_alone():
    summary = Evaluation.from_dict(WRITTEN)["unseen_currents"]
    assert [summary.number(key) for key in ("relative_l2_percent", "traces", "rmse_mv")] == [2.5, 7, None]
    with pytest.raises(ValueError, match="'settings' is no number of a summary; expected one of relative_l2_percent"):
        summary.number("settings")
    assert set(STABLE_KEYS) < set(METRICS)


def test_a_notebook_shows_a_table_with_labels_units_and_dashes():
    found = Evaluation.from_dict(WRITTEN)
    frame = found.to_frame()
    assert list(frame.index) == list(METRICS)
    assert frame.loc["relative_l2_percent", "unseen_currents"] == 2.5
    page = found._repr_html_()
    for text in ("Unseen currents, training models", "Relative L2 error of the voltage (%)", "2.5", ">-<"):
        assert text in page
    assert len(repr(found)) < 100
