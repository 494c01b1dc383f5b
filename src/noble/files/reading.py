"""Reading files of users: whatever is wrong with one becomes one sentence, and none of them hangs or fills memory."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

# Text files of this package reach a few megabytes; a parser needs some ten times a file's size in memory.
LARGEST_TEXT_BYTES: Final = 64 * 2**20
# PyYAML reads some hundred kilobytes a second; configurations are written by hand.
LARGEST_YAML_BYTES: Final = 256 * 2**10
# A hall is nested six deep. What is not refused here must not exhaust the stack of whoever walks through it later.
DEEPEST_NESTING: Final = 50
# Aliases make a small YAML file large: this many values, each counted as often as it is named.
MOST_YAML_VALUES: Final = 100_000
# Below the largest double, so that no number of a file is too large to calculate with.
_MOST_DIGITS: Final = 300


def read_bytes(path: Path | str, *, expected: str = "a file", limit_bytes: int = LARGEST_TEXT_BYTES) -> bytes:
    """The bytes of a regular file of limited size.

    Args:
        path: the file; a link is followed.
        expected: what it should be, for messages: `a hall of fame`.
        limit_bytes: largest size that is read.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is a folder, pipe or device, is too large, or may not be read.
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = next(name for test, name in _KINDS if test(status.st_mode))
            raise ValueError(f"{path} is {kind}; expected {expected}, a regular file.")
        if status.st_size > limit_bytes:
            raise ValueError(
                f"{path} has {status.st_size / 2**20:,.0f} MiB; {expected} has at most {limit_bytes / 2**20:g} MiB. "
                "It is another file, or damaged."
            )
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"there is no file {path}; expected {expected}.") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); expected {expected}.") from error


_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (lambda mode: True, "a socket"),
)


def read_text(path: Path | str, *, expected: str = "a text file", limit_bytes: int = LARGEST_TEXT_BYTES) -> str:
    """The text of a regular UTF-8 file of limited size, without a byte-order mark.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: as `read_bytes` does, and if it is not UTF-8.
    """
    content = read_bytes(path, expected=expected, limit_bytes=limit_bytes)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not {expected}: it is not UTF-8 text (byte {error.start}). Save it as UTF-8, or restore it."
        ) from error


def read_json(path: Path | str, *, expected: str = "a JSON file", limit_bytes: int = LARGEST_TEXT_BYTES) -> Any:
    """The content of a JSON file; every number in it is finite, every key of an object unique.

    Args:
        path: the file.
        expected: what it should be, for messages: `a hall of fame`.
        limit_bytes: largest size that is read.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it cannot be read, is not JSON, has NaN, an infinite number or a key twice, or is nested too deeply.
    """
    text = read_text(path, expected=expected, limit_bytes=limit_bytes)
    try:
        content = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole, object_pairs_hook=_object
        )
        _check_depth(content)
    except RecursionError as error:
        raise ValueError(f"{path} is not {expected}: it is nested too deeply.") from error
    except ValueError as error:
        raise ValueError(f"{path} is not {expected}: it is not valid JSON ({error}).") from error
    return content


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that JSON knows")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError(f"the key {_first_repeated(key for key, _ in pairs)!r} is given twice")
    return content


def _first_repeated(keys: Iterable[Any]) -> Any:
    """The first key that has occurred before; None if each occurs once."""
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return None


def _check_depth(content: Any) -> None:
    """Refuse what is nested more deeply than anything of ours, one level at a time and without recursion."""
    level = [content]
    for _ in range(DEEPEST_NESTING):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise RecursionError


def read_yaml(path: Path | str, *, expected: str = "a YAML file", limit_bytes: int = LARGEST_YAML_BYTES) -> Any:
    """The content of a YAML file; every key of a mapping is unique, and aliases stay harmless. An empty file gives None.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it cannot be read, is not YAML, has a key twice, or is nested too deeply or grows too large by aliases.
    """
    text = read_text(path, expected=expected, limit_bytes=limit_bytes)
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check_node(node)
        return loader.construct_document(node)
    except RecursionError as error:
        raise ValueError(f"{path} is not {expected}: it is nested too deeply.") from error
    # PyYAML's constructors stumble over tags that do not fit their values: `!!bool x`, `!!timestamp x`.
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    finally:
        if loader is not None:
            loader.dispose()


def _check_node(root: yaml.Node) -> None:
    """Refuse keys that are given twice, values within themselves, and more values than any configuration has.

    The walk is without recursion: a node is entered, then what is in it, and then it is left.
    """
    left: dict[int, tuple[int, int]] = {}  # values and levels of each node, what its aliases name included
    entered: set[int] = set()
    pending = [root]
    while pending:
        node = pending[-1]
        if id(node) in left:
            pending.pop()
            continue
        inner = _inner(node)
        if id(node) not in entered:
            entered.add(id(node))
            if any(id(item) in entered and id(item) not in left for item in inner):
                raise ValueError("a value contains itself through an alias")
            pending += inner
            continue
        sizes = [left[id(item)] for item in inner]
        left[id(node)] = 1 + sum(values for values, _ in sizes), 1 + max((levels for _, levels in sizes), default=0)
    values, levels = left[id(root)]
    if levels > DEEPEST_NESTING:
        raise RecursionError
    if values > MOST_YAML_VALUES:
        raise ValueError(
            f"it holds {values:.3g} values, aliases counted as often as they are named; expected at most {MOST_YAML_VALUES:,}"
        )


def _inner(node: yaml.Node) -> list[yaml.Node]:
    """The nodes directly within one, keys among them."""
    if isinstance(node, yaml.MappingNode):
        keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = _first_repeated(key for key in keys if key[0] != "tag:yaml.org,2002:merge")
        if repeated is not None:
            line = node.start_mark.line + 1
            raise ValueError(f"the key {repeated[1]!r} is given twice in the mapping that starts at line {line}")
        return [item for pair in node.value for item in pair]
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if node.tag == "tag:yaml.org,2002:int" and len(node.value) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(node.value)} digits")
    return []
