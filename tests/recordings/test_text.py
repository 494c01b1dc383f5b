"""Recordings in columns of text, as spreadsheets, numpy and other programs write them."""

import re

import numpy as np
import pytest

from noble.recordings import read_recording, read_sweeps
from noble.traces.columns import read_text_sweeps
from nwb_files import answer_mv, step_na, times_ms

AMPLITUDES = (-0.05, 0.05, 0.1)
EXPECTED = r"expected time_ms, and a voltage and a current a sweep with their units, such as V_mV and I_pA, or V \(mV\)"


def table(*, origin_ms: float = 0.0, scales=(1.0, 1.0, 1.0)) -> np.ndarray:
    """Time, then voltage and current of each sweep."""
    columns = [(origin_ms + times_ms()) * scales[0]]
    for amplitude in AMPLITUDES:
        columns += [answer_mv(amplitude) * scales[1], step_na(amplitude) * scales[2]]
    return np.column_stack(columns)


def text_of(values: np.ndarray, header: str, *, separator: str = ",", decimal: str = ".") -> str:
    rows = [separator.join(f"{value:.7g}" for value in row).replace(".", decimal) for row in values]
    return "\n".join([header, *rows, ""])


def amplitudes(path) -> list[float]:
    return [round(sweep.amplitude_na, 4) for sweep in read_recording(path).sweeps]


HEADERS = {
    "ours": ("time_ms,voltage_mv_0,current_na_0,voltage_mv_1,current_na_1,voltage_mv_2,current_na_2", (1, 1, 1)),
    "brackets": ("Time (s),V1 (V),I1 (pA),V2 (V),I2 (pA),V3 (V),I3 (pA)", (1e-3, 1e-3, 1e3)),
    "square": ('"t [ms]","Vm [mV]","I [nA]","Vm [mV]","I [nA]","Vm [mV]","I [nA]"', (1, 1, 1)),
    "underscores": ("time_s,V_mV_1,I_A_1,V_mV_2,I_A_2,V_mV_3,I_A_3", (1e-3, 1, 1e-9)),
    "slashes": ("t/ms,U1/mV,I1/pA,U2/mV,I2/pA,U3/mV,I3/pA", (1, 1, 1e3)),
    "words": ("time in seconds,v1 millivolts,i1 amps,v2 millivolts,i2 amps,v3 millivolts,i3 amps", (1e-3, 1, 1e-9)),
    "capitals": ("TIME (MS),V1 (MV),I1 (PA),V2 (MV),I2 (PA),V3 (MV),I3 (PA)", (1, 1, 1e3)),
    "a row of units": ("time,V1,I1,V2,I2,V3,I3\n(ms),(mV),(pA),(mV),(pA),(mV),(pA)", (1, 1, 1e3)),
    "micro": ("t (us),V1 (uV),I1 (µA),V2 (uV),I2 (µA),V3 (uV),I3 (µA)", (1e3, 1e3, 1e-3)),
}


@pytest.mark.parametrize("way", HEADERS)
def test_units_in_the_header_decide(tmp_path, way):
    header, scales = HEADERS[way]
    path = tmp_path / "cell.csv"
    path.write_text(text_of(table(scales=scales), header), encoding="utf-8")
    read = read_sweeps(path)
    assert read.unread == {}
    assert [sweep.trace.grid.dt_ms for sweep in read.sweeps] == pytest.approx([0.1] * 3)
    np.testing.assert_allclose(read.sweeps[1].trace.voltage_mv, answer_mv(0.05), atol=1e-3)
    assert amplitudes(path) == list(AMPLITUDES)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".dat", ".TXT"])
@pytest.mark.parametrize(
    ("separator", "decimal"),
    [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), (" ", "."), ("  ", "."), (", ", ".")],
)
def test_separators_and_decimal_commas(tmp_path, suffix, separator, decimal):
    header = separator.join(["time (ms)", "V1 (mV)", "I1 (nA)", "V2 (mV)", "I2 (nA)", "V3 (mV)", "I3 (nA)"])
    path = tmp_path / f"cell{suffix}"
    path.write_text(text_of(table(), header, separator=separator, decimal=decimal))
    assert amplitudes(path) == list(AMPLITUDES)


HEADER = "time_ms,V1_mV,I1_nA,V2_mV,I2_nA,V3_mV,I3_nA"
DRESSES = {
    "byte-order mark": lambda text: "\ufeff" + text,
    "comments": lambda text: "# made by hand\n; cell 7\n\n" + text,
    "a header that is a comment": lambda text: "# " + text,
    "a comment within": lambda text: text.replace("\n0.3,", "\n# here it moved\n0.3,"),
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "carriage returns alone": lambda text: text.replace("\n", "\r"),
    "blank lines": lambda text: text.replace("\n0.3,", "\n\n0.3,") + "\n\n",
    "a separator at the end": lambda text: text.replace("\n", ",\n"),
    "a separator after numbers": lambda text: text.replace("\n", ",\n").replace(HEADER + ",", HEADER),
    "a title": lambda text: "Cell 7, 2020-01-01\n" + text,
    "no last line break": lambda text: text.rstrip("\n"),
    "a column of notes": lambda text: text.replace("\n", ",7\n").replace(HEADER + ",7", HEADER + ",note"),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_text_that_says_the_same_in_another_way(tmp_path, dress):
    path = tmp_path / "cell.csv"
    path.write_bytes(DRESSES[dress](text_of(table(), HEADER)).encode())
    assert amplitudes(path) == list(AMPLITUDES)


@pytest.mark.parametrize("origin_ms", [20.0, -100.0, 3_600_000.0])
def test_time_starts_anywhere(tmp_path, origin_ms):
    path = tmp_path / "cell.csv"
    rows = [",".join(f"{value:.10g}" for value in row) for row in table(origin_ms=origin_ms)]
    path.write_text("\n".join([HEADER, *rows]))
    assert [sweep.start_ms for sweep in read_sweeps(path).sweeps] == pytest.approx([origin_ms] * 3)
    assert [sweep.onset_ms for sweep in read_recording(path).sweeps] == pytest.approx([60.0] * 3)


def test_sweeps_below_one_another_are_told_by_a_column(tmp_path):
    rows = [
        f"{number},{t:.7g},{v:.7g},{i:.7g}"
        for number, amplitude in zip((7, 3, 5), AMPLITUDES, strict=True)
        for t, v, i in zip(times_ms(), answer_mv(amplitude), step_na(amplitude), strict=True)
    ]
    path = tmp_path / "cell.csv"
    path.write_text("\n".join(["Sweep,time (ms),V (mV),I (nA)", *rows]))
    assert [sweep.name for sweep in read_sweeps(path).sweeps] == ["Sweep 7", "Sweep 3", "Sweep 5"]
    assert amplitudes(path) == list(AMPLITUDES)


def test_one_current_of_several_voltages_and_times_of_their_own(tmp_path):
    path = tmp_path / "shared.csv"
    values = np.column_stack([times_ms(), step_na(0.1), answer_mv(0.1), answer_mv(0.1) + 1])
    path.write_text(text_of(values, "time_ms,I_nA,V_mV_1,V_mV_2"))
    assert [sweep.trace.voltage_mv[0] for sweep in read_sweeps(path).sweeps] == [-70.0, -69.0]
    path = tmp_path / "own.csv"
    values = np.column_stack([times_ms(), answer_mv(0.1), step_na(0.1), 5 + times_ms(), answer_mv(0.2), step_na(0.2)])
    path.write_text(text_of(values, "t1 (ms),V1 (mV),I1 (nA),t2 (ms),V2 (mV),I2 (nA)"))
    assert [sweep.start_ms for sweep in read_sweeps(path).sweeps] == [0.0, 5.0]


def test_numbers_in_names_pair_them_in_any_order(tmp_path):
    path = tmp_path / "cell.csv"
    values = np.column_stack([times_ms(), answer_mv(0.1), answer_mv(0.2), step_na(0.2), step_na(0.1)])
    path.write_text(text_of(values, "time_ms,V1_mV,V2_mV,I2_nA,I1_nA"))
    assert amplitudes(path) == [0.1, 0.2]
    path.write_text(text_of(values, "time_ms,V1_mV,V2_mV,I2_nA,I3_nA"))
    with pytest.raises(
        ValueError, match="has the voltages V1_mV, V2_mV and the currents I2_nA, I3_nA; expected one each"
    ):
        read_sweeps(path)


def test_nan_is_named_with_its_time_and_empty_ends_are_cut_off(tmp_path):
    path = tmp_path / "cell.csv"
    values = table(origin_ms=20.0)
    values[1303, 3] = np.nan
    values[2000:, 1:3] = np.nan
    path.write_text(text_of(values, HEADER).replace("nan", ""))
    recording = read_recording(path)
    assert [sweep.trace.grid.count for sweep in recording.sweeps] == [2000, 2200]
    [reason] = recording.unusable.values()
    assert reason.startswith("its response is not finite at 150.3 ms;")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no row of numbers; " + EXPECTED),
        ("notes of the day\nnothing else\n", "has no row of numbers; " + EXPECTED),
        ("0,1,2\n0.1,1,2\n", "has no header; " + EXPECTED),
        ("time,V,I\n0,1,2\n1,1,2\n", "has columns time, V, I; " + EXPECTED),
        ("time (ms),V (mV)\n0,1\n1,1\n", r"has columns time \(ms\), V \(mV\); " + EXPECTED),
        ("V (mV),I (pA)\n0,1\n1,1\n", r"has columns V \(mV\), I \(pA\); " + EXPECTED),
        ("time_ms,V_mV,I_pA\n0,1\n1,1\n", "rows of 2 numbers under 3 names; expected one a column"),
        ("time_ms,V_mV,I_pA\n0,1,2,3\n1,1,2,3\n", "not a table of numbers|rows of 4 numbers under 3 names"),
        ("time_ms,V_mV,I_pA\n0,1,2\n1,2,x\n", r"not a table of numbers \(.*'x'.*\)"),
        ("time_ms,V_mV,I_pA\n0,1,2\n1,1,2,3,4,5\n", "not a table of numbers"),
        ("time_ms,V_mV_1,V_mV_2,I_pA,I_pA\n0,1,2,3\n", "rows of 4 numbers under 5 names"),
    ],
)
def test_what_is_no_such_table_is_refused_in_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "cell.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_sweeps(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"times": np.where(np.arange(2200) % 2, 0.02, 0.0)},
            "its times are not uniform: intervals from 0.08 to 0.12 occur",
        ),
        ({"times": np.where(np.arange(2200) > 700, 5.0, 0.0)}, "they pause after sample 700, for 51 intervals"),
        (
            {"times": -0.9999 * times_ms()},
            "its samples are 1e-05 ms apart; expected the unit of its time in the header",
        ),
        (
            {"voltage": 1e-3},
            "its voltage reaches 0.07.* mV; expected a membrane's, and its unit in the header, which may be V",
        ),
        ({"voltage": 1e3}, r"its voltage reaches \d+ mV"),
        ({"current": 1e3}, "its stimulus reaches 100 nA"),
    ],
)
def test_what_cannot_be_is_listed_with_its_reason(tmp_path, change, reason):
    times = times_ms() + change.get("times", 0.0)
    values = np.column_stack(
        [times, answer_mv(0.1) * change.get("voltage", 1.0), step_na(0.1) * change.get("current", 1.0)]
    )
    path = tmp_path / "cell.csv"
    path.write_text(text_of(values, "time_ms,V_mV,I_nA"))
    [found] = read_sweeps(path).unread.values()
    assert re.search(reason, found)


def test_a_folder_of_tables_is_one_recording(tmp_path):
    for index, amplitude in enumerate(AMPLITUDES):
        values = np.column_stack([times_ms(), answer_mv(amplitude), step_na(amplitude)])
        (tmp_path / f"sweep_{index}.csv").write_text(text_of(values, "time_ms,V_mV,I_nA"))
    (tmp_path / "notes.txt").write_text("a good cell")
    recording = read_recording(tmp_path)
    assert [sweep.name for sweep in recording.sweeps] == [f"sweep_{index}.csv: V_mV" for index in range(3)]
    assert [round(sweep.amplitude_na, 4) for sweep in recording.sweeps] == list(AMPLITUDES)
    assert list(recording.unusable) == ["notes.txt"]
    assert {sweep.protocol for sweep in recording.sweeps} == {"sweep"}


def test_one_of_several_voltages_may_be_named(tmp_path):
    path = tmp_path / "cell.csv"
    path.write_text(text_of(table(), HEADER))
    assert [sweep.name for sweep in read_sweeps(path, electrode="V2_mV").sweeps] == ["V2_mV"]
    with pytest.raises(ValueError, match="has no voltage 'V9'; expected one of V1_mV, V2_mV, V3_mV"):
        read_sweeps(path, electrode="V9")


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("V_V", "V"),
        ("I_A", "A"),
        ("time_s", "s"),
        ("V_1", ""),
        ("trace_a", ""),
        ("I_a", ""),
        ("current_a", "A"),
        ("V_s", ""),
        ("note", ""),
    ],
)
def test_a_letter_is_a_unit_of_what_can_have_it(name, base):
    from noble.traces.columns import _unit

    assert _unit(name)[0] == base


def test_a_table_of_its_own_reads_alike_as_traces(tmp_path):
    path = tmp_path / "cell.csv"
    path.write_text(text_of(table(origin_ms=20.0), HEADER))
    [first, *_] = read_text_sweeps(path, expected="a table")
    assert first.times_ms[0] == 20.0
    np.testing.assert_allclose(first.current_na, step_na(-0.05), atol=1e-6)
