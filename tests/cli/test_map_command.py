"""`noble map` with an untrained operator."""

import json

from noble.operator.bundle import identity

TIMING = ("--onset", 10, "--length", 40, "--window", 60, "--dt", 0.1)


def test_a_map_is_printed_drawn_and_written(noble, place):
    options = ("--feature", "voltage_base", "--step", 0.2, "--size", 4, "--json", "m.json", "-o", "figures")
    result = noble("map", "bundle", *options, *TIMING)
    assert result.code == 0, result.err
    assert result.err == ""  # many points lie outside the hull, which the figure shows
    told = json.loads((place / "m.json").read_text())
    assert (told["feature"], told["unit"], told["plane"]) == ("voltage_base", "mV", ["rheobase", "fi_gain"])
    assert [len(row) for row in told["values"]] == [4] * 4
    assert told["made_by"]["command"].startswith("noble map bundle --feature voltage_base")
    assert told["made_by"]["bundle"] == identity("bundle")
    assert told["summary"]["inside"]["points"] + told["summary"]["outside"]["points"] == 16
    assert "voltage_base (mV) of 4 x 4 neurons at 0.2 nA" in result.out
    assert (place / "figures" / "map-voltage_base.png").stat().st_size > 10_000


def test_an_unknown_feature_is_refused(noble, place):
    result = noble("map", "bundle", "--feature", "AP_width")
    assert result.code == 2
    assert "'AP_width' is unknown" in result.error
