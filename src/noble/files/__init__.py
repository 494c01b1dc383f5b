"""Files so that a crash, a second process or a hostile file costs one sentence: writing, reading, locks, checksums."""

from noble.files.digests import content_sha256, file_sha256
from noble.files.locking import locked
from noble.files.reading import read_bytes, read_json, read_text, read_yaml
from noble.files.values import number, numbers_by_name, shortened
from noble.files.writing import replacing, sweep_leftovers, write_json, write_text

__all__ = [
    "content_sha256",
    "file_sha256",
    "locked",
    "number",
    "numbers_by_name",
    "read_bytes",
    "read_json",
    "read_text",
    "read_yaml",
    "replacing",
    "shortened",
    "sweep_leftovers",
    "write_json",
    "write_text",
]
