"""Stores damaged in many ways, drawn from a seed: each is refused in one sentence, or reads as if it were whole."""

import json
import random
import shutil

import numpy as np
import pytest
from fake_family import FakeHall, SpikingResponder, small_config

from noble.data import Store, check_store, generate

VALUES = [None, -1, 1e30, 10**12, "x", [], {}, [[1]], True, float("nan")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("damage") / "a.zarr"
    generate(small_config(), FakeHall(), path, responder_factory=SpikingResponder())
    return path


def keys(content, path=()):
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from keys(value, (*path, key))


def damage(path, drawn: random.Random) -> str:
    """Change one file, and say how."""
    file = path / drawn.choice(sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()))
    name = str(file.relative_to(path))
    if file.name == "zarr.json" and drawn.random() < 0.7:
        content = json.loads(file.read_text())
        *way, last = drawn.choice(list(keys(content)))
        inner = content
        for key in way:
            inner = inner[key]
        inner[last] = drawn.choice(VALUES)
        file.write_text(json.dumps(content))
        return f"{name}: {way} {last} is {inner[last]}"
    content = bytearray(file.read_bytes())
    how = drawn.choice(["cut", "flipped", "noise", "empty", "gone"])
    if how == "gone":
        file.unlink()
    else:
        flipped = bytearray(content)
        flipped[drawn.randrange(len(content))] ^= 0xFF
        cut = content[: drawn.randrange(len(content))]
        file.write_bytes({"cut": cut, "flipped": flipped, "noise": drawn.randbytes(len(content)), "empty": b""}[how])
    return f"{name}: {how}"


def test_damage_is_refused_in_one_sentence_or_does_no_harm(made, tmp_path):
    drawn, whole, refused = random.Random(5), Store.open(made), 0
    for _ in range(50):
        path = shutil.copytree(made, tmp_path / "copy.zarr")
        how = damage(path, drawn)
        try:
            store = Store.open(path)
            voltage = store.voltage_mv(range(40))
        except ValueError as error:
            problem = str(error)
        else:
            problem = ""
        if problem:
            refused += 1
            assert "\n" not in problem, how
            assert check_store(path), how
        else:
            assert np.array_equal(voltage, whole.voltage_mv(range(40))), how
            assert np.array_equal(store.spikes(range(40)).times_ms, whole.spikes(range(40)).times_ms), how
            assert np.array_equal(store.feature_table, whole.feature_table), how
            assert [store.stimulus(row) for row in range(40)] == [whole.stimulus(row) for row in range(40)], how
        shutil.rmtree(path)
    assert refused > 25
