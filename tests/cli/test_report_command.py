"""`noble report` as a user types it."""

from pathlib import Path


def test_what_commands_left_is_gathered_with_their_commands(noble, place):
    asked = ("map", "bundle", "--feature", "voltage_base", "--size", 4, "-o", "results/map")
    assert noble(*asked, "--json", "results/map/map.json").code == 0
    result = noble("report", "bundle", "results")
    assert result.code == 0, result.err
    assert "wrote results/report.html" in result.out
    page = Path("results/report.html").read_text()
    assert "noble map bundle --feature voltage_base --size 4 -o results/map --json results/map/map.json" in page
    assert "map/map-voltage_base.png" in page
    assert "spike-phase" in page


def test_a_folder_without_results_says_what_to_do(noble, place):
    assert "holds neither figures nor numbers; run commands with -o" in noble("report", "bundle", "results").error
