"""Results write what their fields say, and are short on a screen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from noble.results import IF_KNOWN, INLINE, UNWRITTEN, Result, keyed


@dataclass(frozen=True, repr=False)
class Part(Result):
    mean: float
    of: tuple[int, ...] = ()


@dataclass(frozen=True, repr=False)
class Whole(Result):
    name: str
    values: np.ndarray
    requested: float | None = field(metadata=keyed("asked"))
    part: Part | None = field(default=None, metadata=INLINE)
    parts: Mapping[str, Part] = field(default_factory=dict)
    note: str | None = field(default=None, metadata=IF_KNOWN)
    voltage_mv: np.ndarray | None = field(default=None, metadata=UNWRITTEN)


def test_fields_are_written_under_their_keys_and_in_their_order():
    whole = Whole("a", np.array([[1.0, np.nan]]), None, Part(0.5, (1, 2)), {"x": Part(np.inf)}, voltage_mv=np.zeros(9))
    assert json.dumps(whole.to_dict(), allow_nan=False) == json.dumps(
        {
            "name": "a",
            "values": [[1.0, None]],
            "asked": None,
            "mean": 0.5,
            "of": [1, 2],
            "parts": {"x": {"mean": None, "of": []}},
        }
    )
    assert Whole("a", np.array([1]), 2.0, note="n").to_dict() == {
        "name": "a",
        "values": [1],
        "asked": 2.0,
        "parts": {},
        "note": "n",
    }


def test_what_is_large_is_shown_by_its_size():
    whole = Whole("a", np.zeros((200, 500)), 1 / 3, Part(1.0), {"x": Part(2.0)})
    assert repr(whole) == (
        "Whole(name='a', values=<array 200 x 500>, requested=0.3333, part=Part(mean=1, of=<0>), parts=<1>, note=None, "
        "voltage_mv=None)"
    )
    assert repr(Whole("n" * 99, np.zeros(0), None)).startswith("Whole(name=<str>")
