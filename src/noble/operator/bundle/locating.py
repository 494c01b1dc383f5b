"""Where bundles are: those of users by path, shipped ones by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from noble.operator.bundle.layout import FILES
from noble.operator.bundle.replacing import settled, sweep


def shipped_bundles() -> tuple[str, ...]:
    """Names of the bundles in the package."""
    folder = resources.files("noble.operator") / "bundles"
    return tuple(sorted(item.name for item in folder.iterdir() if item.is_dir())) if folder.is_dir() else ()


def locate(folder_or_name: str | Path) -> Path:
    """The folder of a bundle: one of the user's by path, or a shipped one by name.

    A folder that only bears the name of a shipped bundle, of its results for example, is not taken for one. If saving a bundle
    was killed, what it has begun is finished, and what it left is removed.

    Raises:
        FileNotFoundError: if there is neither.
    """
    path = Path(folder_or_name)
    shipped = str(folder_or_name) in shipped_bundles()
    if settled(path) and (not shipped or any((path / name).exists() for name in FILES)):
        sweep(path, names=FILES)
        return path
    if shipped:
        return Path(str(resources.files("noble.operator") / "bundles" / str(folder_or_name)))
    raise FileNotFoundError(
        f"there is no bundle {str(folder_or_name)!r}: no such folder, and not one of the shipped bundles "
        f"({', '.join(shipped_bundles()) or 'none'})."
    )
