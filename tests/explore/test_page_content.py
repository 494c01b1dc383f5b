"""What is written: one file that needs nothing else, of operators that it can run."""

import json
import re
import urllib.error
import urllib.request

import numpy as np
import pytest
from explored import GRID, curve_spec, operator_of, told_of, twin_spec

import noble
from noble.explore import SimulatedTrace, content_of, maps_of, page_text, write_page
from noble.explore.page import SCRIPTS, script_text
from noble.explore.serve import LOOPBACK, serving
from noble.operator import Operator
from noble.traces import Trace


def bundles_in(text: str) -> list[dict]:
    found = re.findall(r'<script type="application/json" class="bundle">(.*?)</script>', text, re.DOTALL)
    return [json.loads(item) for item in found]


def test_a_page_is_one_file_that_refers_to_nothing_outside_it(tmp_path):
    path = write_page(tmp_path / "page", [told_of(operator_of(curve_spec()))])
    text = path.read_text(encoding="utf-8")
    assert [item.name for item in path.parent.iterdir()] == ["index.html"]
    assert not re.search(
        r'<(script|link|img|iframe)[^>]*\s(src|href)=(?!"data:)|@import|url\(\s*["\']?http|fetch\(|XMLHttp', text
    )
    assert "@body@" not in text
    assert "@kernel@" not in text
    assert path.stat().st_size < 2_000_000


def test_the_page_carries_what_the_operator_is():
    operator = operator_of(curve_spec())
    (told,) = bundles_in(page_text([told_of(operator)]))
    assert told["name"] == "small"
    assert [feature["name"] for feature in told["features"]] == list(operator.feature_names)
    assert told["features"][0]["label"] == "Rheobase"
    assert told["features"][2]["unit"] == "MΩ"
    assert told["models"]["features"] == [list(row) for row in operator.spec.training_features]
    assert told["scope"]["kinds"] == ["OrnsteinUhlenbeck", "Step"]
    assert told["plane"]["features"] == ["rheobase", "fi_gain"]
    assert len(told["plane"]["hull"]) >= 3
    assert told["window"] == {"dtMs": 0.06, "durationMs": pytest.approx(GRID.duration_ms)}


def test_names_end_no_script_and_are_no_html():
    evil = operator_of(curve_spec(), name="</script><img src=x onerror=alert(1)><!--")
    text = page_text([told_of(evil)])
    assert "<img" not in text
    assert text.count("</script>") == text.count("<script")
    assert bundles_in(text)[0]["name"] == evil.name


def test_maps_and_simulated_traces_come_with_it():
    operator = operator_of(curve_spec())
    maps = maps_of(operator, ["mean_frequency", "voltage_base"], 0.3, size=3)
    assert [item.feature for item in maps] == ["mean_frequency", "voltage_base"]
    step = noble.Step(15, 415, 0.2)
    voltage = np.linspace(-80, 20, GRID.count)
    trace = Trace(GRID, voltage, step.sample(GRID))
    features = dict(zip(operator.feature_names, operator.spec.training_features[1], strict=True))
    simulated = [
        SimulatedTrace(1, features, learned=True, step=step, trace=trace),
        SimulatedTrace(99, features, learned=False, step=step, trace=trace),
    ]
    told = content_of(operator, maps=maps, simulated=simulated)
    assert np.shape(told["maps"][0]["values"]) == (3, 3)
    assert told["maps"][1]["label"] == "Resting voltage"
    assert [item["place"] for item in told["simulated"]] == [1, None]
    assert told["simulated"][1]["label"] == "model 99, not learned, 200 pA"
    page_text([told])  # it is JSON


def test_an_operator_without_features_has_no_plane():
    told = told_of(operator_of(twin_spec()))
    assert (told["plane"], told["family"], told["features"]) == (None, None, [])
    assert maps_of(operator_of(twin_spec()), ["mean_frequency"], 0.3, size=3) == []


def test_another_kind_of_operator_is_refused():
    with pytest.raises(ValueError, match="human-pv is of kind 'spike-phase'; the explorer runs those of kind"):
        content_of(_spike_phase())


def _spike_phase() -> Operator:
    from noble.operator.config import preset

    operator = Operator.build(preset("spike-phase"), curve_spec(), GRID, seed=0)
    operator.name = "human-pv"
    return operator


def test_a_page_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        page_text([])


def test_the_page_is_served_on_the_loopback_address_alone():
    with serving("<p>here</p>") as address:
        assert address.startswith(f"http://{LOOPBACK}:")
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == b"<p>here</p>"
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + "etc/passwd")


def test_every_file_of_the_page_makes_one_name_known():
    for name in SCRIPTS:
        text = script_text(name)
        assert text.startswith('"use strict";\n/*'), name
        assert len(re.findall(r"^const \w+ = \(\(\) => \{$", text, re.MULTILINE)) == 1, name


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.1)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_lines_stand_out_from_what_is_behind_them(scheme):
    style = script_text("page.css")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
    for behind in ("paper", "card"):
        for text in ("ink", "muted", "doubt"):
            assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
        for line in ("neuron", "held"):
            assert contrast(colours[line], colours[behind]) >= 3, (line, behind)
    # Those who see no hue tell the two lines apart by lightness in the dark; dashes do so everywhere.
    assert colours["neuron"] != colours["held"]
