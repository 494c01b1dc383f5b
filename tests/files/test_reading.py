import json
import os
from pathlib import Path

import pytest

from noble.files import read_bytes, read_json, read_text, read_yaml, write_json
from noble.files.reading import DEEPEST_NESTING

# Nine times as many values a line, as in the "billion laughs".
LAUGHS = "a0: &a0 [lol]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12))
CHAIN = "a0: &a0 []\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 300))


def sentence(caught: pytest.ExceptionInfo[Exception]) -> str:
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


def test_json_reads_back_what_was_written(tmp_path):
    content = {"a": [1, -2.5, None, True], "b": {"c": "µ", "d": 10**200}}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


def test_a_byte_order_mark_is_no_content(tmp_path):
    (tmp_path / "a").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_text(tmp_path / "a") == '{"a": 1}'
    assert read_json(tmp_path / "a") == read_yaml(tmp_path / "a") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("[1, 2", "not valid JSON"),
        ('{"a": NaN}', "NaN is not a number that JSON knows"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("[1e999]", "1e999 is too large"),
        (f"[{'9' * 400}]", "400 digits"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' is given twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * (DEEPEST_NESTING + 1) + "]" * (DEEPEST_NESTING + 1), "nested too deeply"),
    ],
)
def test_a_json_file_that_is_wrong_is_one_sentence(tmp_path, text, says):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.json is not a hall of fame: ") as caught:
        read_json(tmp_path / "a.json", expected="a hall of fame")
    assert says in sentence(caught)


def test_nesting_that_is_just_allowed(tmp_path):
    text = "[" * DEEPEST_NESTING + "]" * DEEPEST_NESTING
    (tmp_path / "a").write_text(text)
    assert read_json(tmp_path / "a") == read_yaml(tmp_path / "a") == json.loads(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LAUGHS, "aliases counted as often as they are named"),
        (MERGES, "aliases counted as often as they are named"),
        (CHAIN, "nested too deeply"),
        ("[" * 2_000, "nested too deeply"),
        ("a: &a [*a]", "contains itself through an alias"),
        ("a: {b: 1, b: 2}", "the key 'b' is given twice in the mapping that starts at line 1"),
        ("a: !!bool x", "is not YAML"),
        ("a: !!timestamp x", "is not YAML"),
        ("a: 2001-99-99", "is not YAML"),
        (f"a: 0x{'f' * 999}", "1001 digits"),
        ("? {a: 1}\n: 2", "unhashable key"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: 1\n---\nb: 2", "expected a single document"),
    ],
)
def test_a_yaml_file_that_is_wrong_is_one_sentence(tmp_path, text, says):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"a\.yaml is not ") as caught:
        read_yaml(tmp_path / "a.yaml")
    assert says in sentence(caught)


def test_aliases_and_merges_of_an_honest_file_are_followed(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "first: &f {x: 1, y: [2]}\nsecond: {<<: *f, y: 3}\nthird: *f\n1: number\n'1': text\n"
    )
    first = {"x": 1, "y": [2]}
    assert read_yaml(tmp_path / "a.yaml") == {
        "first": first,
        "second": {"x": 1, "y": 3},
        "third": first,
        1: "number",
        "1": "text",
    }


def test_an_empty_yaml_file_is_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "a.yaml") is None


@pytest.mark.parametrize("read", [read_bytes, read_text, read_json, read_yaml])
@pytest.mark.parametrize(("what", "says"), [("folder", "a folder"), ("pipe", "a pipe"), ("device", "a device")])
def test_what_is_no_regular_file_is_not_even_opened(tmp_path, read, what, says):
    path = tmp_path / "a"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)  # opening it would wait for a writer for ever
    else:
        path.symlink_to("/dev/zero")  # reading it would never end
    with pytest.raises(ValueError, match=f"a is {says}; expected .*, a regular file"):
        read(path)


@pytest.mark.parametrize("read", [read_bytes, read_text, read_json, read_yaml])
def test_a_file_of_absurd_size_is_not_read(tmp_path, read):
    with (tmp_path / "a").open("wb") as stream:
        stream.truncate(10**12)  # sparse
    with pytest.raises(ValueError, match=r"a has 953,674 MiB; .* has at most"):
        read(tmp_path / "a")


@pytest.mark.parametrize("read", [read_text, read_json, read_yaml])
def test_another_encoding_is_named(tmp_path, read):
    (tmp_path / "a").write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(ValueError, match="it is not UTF-8 text"):
        read(tmp_path / "a")


@pytest.mark.parametrize("read", [read_bytes, read_text, read_json, read_yaml])
@pytest.mark.parametrize("place", ["nowhere", "file/under"])
def test_a_file_that_is_not_there(tmp_path, read, place):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*; expected"):
        read(tmp_path / place)


def test_a_path_that_no_system_takes(tmp_path):
    for path in (tmp_path / ("x" * 5000), Path("a\0b")):
        with pytest.raises((ValueError, FileNotFoundError)):
            read_bytes(path)
