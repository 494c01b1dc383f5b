"""One page of what has been found out about a bundle: its metrics, every figure below a folder, and the numbers beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from noble.plots.style import command_of
from noble.report.page import TextTable, number_text, write_index

_CAPTIONS: Final[Mapping[str, str]] = {
    "ablation": "What each variant of the training is worth",
    "ensemble": "A family's answers to one step",
    "fi": "F-I curves",
    "finetune": "Fine-tuned to a feature, and what it costs elsewhere",
    "discs": "Neurons round each held-out model, and that model's simulation",
    "halfway": "Halfway between two models in features, and in parameters",
    "resolution": "Errors at other sampling intervals",
    "spreads": "Spread of the family beside the spread over trials",
    "subsampling": "What decimation does to e-features",
    "voltage": "Voltage beside the recording",
    "z_scores": "z-scores against the recording",
}
_MAP: Final = "map-"
PAGE: Final = "report.html"


def write_bundle_report(
    folder: Path | str, *, title: str, metrics: Mapping[str, Any], facts: Mapping[str, Any]
) -> Path:
    """Write `report.html` into a folder of results: metrics, facts, figures with their commands, numbers of JSON files.

    Other pages below the folder (`index.html` of `noble compare`) are left alone.

    Args:
        folder: that commands wrote into (`-o`, `--json`), at any depth.
        title: of the page.
        metrics: of the bundle: sections as `noble.ensemble.evaluate` gives them.
        facts: of the bundle, to list.

    Returns:
        The page's path.

    Raises:
        ValueError: if there is no such folder, or neither a figure nor a JSON file in it.
    """
    folder = Path(folder)
    images = sorted(path.relative_to(folder) for path in folder.rglob("[!.]*.png"))
    # Not those within a store of traces.
    numbers = sorted(
        path.relative_to(folder)
        for path in folder.rglob("[!.]*.json")
        if not any(part.endswith(".zarr") for part in path.parts)
    )
    if not images and not numbers:
        raise ValueError(
            f"{folder} holds neither figures nor numbers; run commands with -o {folder}/NAME first, for example "
            f"noble ensemble BUNDLE -o {folder}/ensemble."
        )
    figures = [(path.as_posix(), caption_of(path), command_of(folder / path)) for path in images]
    tables = [TextTable(path.as_posix(), ("", ""), rows) for path in numbers if (rows := _scalars(folder / path))]
    return write_index(folder, title, metrics, figures, page=PAGE, facts=facts, details=tables)


def caption_of(path: Path) -> str:
    """What a figure shows, by its name; with the folders that it lies in, which tell figures of one name apart."""
    within = "".join(f" ({part})" for part in path.parent.parts if part != path.stem)
    if path.stem.startswith(_MAP):
        return f"{path.stem.removeprefix(_MAP)} over threshold and slope{within}"
    return _CAPTIONS.get(path.stem, path.stem.replace("_", " ")) + within


def _scalars(path: Path) -> list[tuple[str, str]]:
    """Names and values of the numbers and texts at the top of a JSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); remove it, or write it again.") from None
    if not isinstance(content, Mapping):
        return []
    return [
        (name.replace("_", " "), value if isinstance(value, str) else number_text(value, ""))
        for name, value in content.items()
        if isinstance(value, (str, int, float))
    ]
