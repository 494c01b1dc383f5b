"""Ways in which a file can be wrong, each drawn by a seeded generator: bytes, values in a tree, fields of a table, no file."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml
from hdf5 import damage_hdf5

# What a value is replaced by. The text is a name with markup, a way out of a folder, a control sequence, a very long one.
VALUES: Final[tuple[Any, ...]] = (
    float("nan"),
    float("inf"),
    None,
    True,
    -1,
    0,
    1e300,
    1e12,
    10**12,
    10**40,
    "",
    "text",
    "[/bold]",
    "../../../etc/passwd",
    "/etc/passwd",
    "\x1b[31m",
    "x" * 100_000,
    [],
    {},
    [[[[[[[[[[1]]]]]]]]]],
    list(range(1000)),
    {"unknown": 1},
)
TOKENS: Final = ("nan", "inf", "", "text", "-1", "0", "1e300", "1e12", "9" * 400, "[/bold]", "0x1", "1,5", "\x00", "-")
DEEP: Final = "[" * 20_000
LAUGHS: Final = "a0: &a0 [lol]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))


def damage(path: Path, kind: str, draw: Random, others: list[bytes]) -> str:
    """Make a healthy file a wrong one, in place; says how.

    Args:
        path: of the file.
        kind: what it holds: `json`, `yaml`, `table` (of text), `lists` (in parentheses), `hdf5` or `binary`.
        draw: every choice is drawn from it.
        others: contents of files of the same format, and of other formats.
    """
    special = draw.random() < 0.06
    if special:
        return _instead(path, draw)
    if kind == "hdf5" and draw.random() < 0.65:
        return damage_hdf5(path, draw)
    content = path.read_bytes()
    inner = {"json": _json, "yaml": _yaml, "table": _table, "lists": _lists}.get(kind)
    if inner is not None and draw.random() < 0.65:
        how, damaged = inner(content.decode(), draw)
    else:
        how, damaged = _bytes(content, draw, others)
    path.write_bytes(damaged)
    return how


def _instead(path: Path, draw: Random) -> str:
    """Put something else in the place of the file."""
    path.unlink()
    ways: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "a pipe": lambda: os.mkfifo(path),
        "an endless device": lambda: path.symlink_to("/dev/zero"),
        "a folder": lambda: path.mkdir(),
        "a link to nowhere": lambda: path.symlink_to("nowhere"),
        "a link to itself": lambda: path.symlink_to(path.name),
        "a file of a terabyte": lambda: _sparse(path),
    }
    how = draw.choice(list(ways))
    ways[how]()
    return how


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(10**12)


def _bytes(content: bytes, draw: Random, others: list[bytes]) -> tuple[str, bytes]:
    """Damage that knows nothing of what is in the file."""
    size = max(1, len(content))
    start, stop = sorted((draw.randrange(size), draw.randrange(size)))
    flipped = bytearray(content)
    for _ in range(draw.choice((1, 1, 8, 64))):
        if flipped:
            flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    ways = {
        "cut off": content[:start],
        "empty": b"",
        "bits flipped": bytes(flipped),
        "a part missing": content[:start] + content[stop:],
        "two parts swapped": content[stop:] + content[start:stop] + content[:start],
        "zeros in a part": content[:start] + bytes(stop - start) + content[stop:],
        "random bytes": draw.randbytes(draw.choice((1, 100, 10_000))),
        "twice": content * 2,
        "UTF-16": content.decode("latin-1").encode("utf-16"),
        "a byte-order mark": b"\xef\xbb\xbf" + content,
        "nested deeply": DEEP.encode(),
        "another file": draw.choice(others) if others else b"",
    }
    how = draw.choice(list(ways))
    return how, ways[how]


def _json(text: str, draw: Random) -> tuple[str, bytes]:
    tree = json.loads(text)
    how = _change_tree(tree, draw)
    damaged = json.dumps(tree, indent=1)
    if draw.random() < 0.1:  # a key twice, a part nested deeply
        key = json.dumps(draw.choice(list(tree)) if isinstance(tree, dict) and tree else "a")
        damaged = draw.choice(
            (damaged.replace("{", f"{{{key}: 1, {key}: 2, ", 1), damaged.replace("{", '{"a": ' + DEEP, 1))
        )
        how = "a key twice or a deep part"
    return how, damaged.encode()


def _yaml(text: str, draw: Random) -> tuple[str, bytes]:
    tree = yaml.safe_load(text)
    how = _change_tree(tree, draw)
    damaged = yaml.safe_dump(tree, sort_keys=False)
    if draw.random() < 0.25:
        how, more = draw.choice(
            (
                ("exploding aliases", LAUGHS),
                ("a value in itself", "a: &a [*a]\n"),
                ("a call", "a: !!python/object/apply:os.system ['true']\n"),
                ("a wrong tag", "a: !!timestamp x\n"),
                ("a key twice", text),
                ("no mapping", "- a\n"),
                ("a tab", "\ta: 1\n"),
            )
        )
        damaged += more
    return how, damaged.encode()


def _change_tree(tree: Any, draw: Random) -> str:
    """Change one place of nested dictionaries and lists."""
    places = list(_places(tree))
    if not places:
        return "nothing changed"
    owner, key = draw.choice(places)
    how = draw.choice(("replaced", "replaced", "replaced", "removed", "unknown key", "twice", "exchanged"))
    if how == "replaced":
        owner[key] = copy.deepcopy(draw.choice(VALUES))
    elif how == "removed":
        del owner[key]
    elif how == "unknown key" and isinstance(owner, dict):
        owner["unknown"] = 1
    elif how == "twice" and isinstance(owner, list):
        owner.append(owner[key])
    else:
        other, place = draw.choice(places)
        owner[key], other[place] = copy.deepcopy(other[place]), copy.deepcopy(owner[key])
    return f"{how}: {str(key)[:30]}"


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every dictionary and list with each of its keys; of a long list the first few."""
    if isinstance(tree, dict | list):
        keys = list(tree) if isinstance(tree, dict) else range(min(len(tree), 5))
        for key in keys:
            yield tree, key
            yield from _places(tree[key])


def _lists(text: str, draw: Random) -> tuple[str, bytes]:
    """One word or bracket of nested lists in parentheses."""
    words = re.findall(r'"[^"]*"|[()|<>,;]|[^\s()|<>,;"]+|\s+', text)
    index = draw.choice([place for place, word in enumerate(words) if word.strip()])
    how = draw.choice(
        ("a word", "a word", "a word", "a word less", "a word twice", "brackets", "a list twice", "a part in itself")
    )
    if how == "a word":
        words[index] = draw.choice((*TOKENS, "(", ")", "|", "<", ">", '"', ";", "(Axon)", "(Set)", "((1 1 1 1))"))
    elif how == "a word less":
        del words[index]
    elif how == "a word twice":
        words.insert(index, words[index])
    elif how == "brackets":
        words.insert(index, draw.choice("()") * draw.choice((1, 100, 200_000)))
    elif how == "a list twice":
        words[index:index] = words[draw.randrange(index + 1) : index]
    else:
        words[index] = text * 100
    return how, "".join(words).encode()


def _table(text: str, draw: Random) -> tuple[str, bytes]:
    """One field, line or separator of a table of text."""
    lines = text.splitlines()
    index = draw.randrange(len(lines)) if draw.random() < 0.8 else 0
    separator = "," if "," in text else " "
    fields = lines[index].split(separator)
    how = draw.choice(
        ("a field", "a field", "a field", "a field less", "a line less", "a line twice", "another separator")
    )
    if how == "a field":
        fields[draw.randrange(len(fields))] = draw.choice(TOKENS)
    elif how == "a field less":
        fields.pop()
    elif how == "another separator":
        fields = [";".join(fields)]
    lines[index] = separator.join(fields)
    if how == "a line less":
        del lines[index]
    elif how == "a line twice":
        lines.insert(index, lines[index])
    return how, ("\n".join(lines) + "\n").encode()
