"""`noble interpolate` as a user types it."""

import json

import pytest

from checked_hall import checked_hall, targets


@pytest.fixture
def here(place):
    checked_hall("a").save("a.json")
    targets().save("targets.json")
    return place


def test_discs_and_halfway_neurons_are_compared_printed_and_drawn(noble, here):
    pytest.importorskip("arbor")
    options = ("--hall", "a.json", "--targets", "targets.json", "--pairs", 1, "--workers", 0)
    result = noble("interpolate", "bundle", *options, "--points", 2, "--step", 0.1, "--json", "f.json", "-o", "figures")
    assert result.code == 0, result.err
    found = json.loads((here / "f.json").read_text())
    assert found["discs"]["points"]["traces"] == 2
    assert [row["model"] for row in found["discs"]["models"]] == [6]
    rows = found["halfway"]["populations"]
    assert [row["neurons"] for row in rows.values()] == [6, 6, 1, 1]
    assert rows["members_simulated"]["worst_mean_abs_z"] == pytest.approx(1.1)  # from the check, training models alone
    assert all(0 <= row["within_worst_percent"] <= 100 for row in rows.values())
    for words in ("2 points round it", "halfway in parameters, simulated", "halfway in features, operator"):
        assert words in result.out
    assert all((here / "figures" / name).stat().st_size > 5000 for name in ("discs.png", "halfway.png"))


def test_bad_options_are_one_sentence(noble, here):
    options = ("--hall", "a.json", "--targets", "targets.json")
    assert "absent.json" in noble("interpolate", "bundle", "--targets", "absent.json").error
    assert (
        "a positive radius"
        in noble("interpolate", "bundle", *options, "--pairs", 1, "--radius", 0, "--step", 0.1).error
    )
    # Before anything is simulated.
    assert "Ask for 1 to" in noble("interpolate", "bundle", *options, "--pairs", 99).error
    assert "name it with --hall" in noble("interpolate", "bundle", "--targets", "targets.json").error
    assert noble("interpolate", "bundle").code == 2  # the targets are required
