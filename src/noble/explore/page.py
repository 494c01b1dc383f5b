"""The page itself: one file of HTML with style, program and weights inside, so that it runs from a disk."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from noble.files import write_text

PAGE: Final = "index.html"
SCRIPTS: Final = (
    "numbers.js",
    "prior.js",
    "network.js",
    "operator.js",
    "family.js",
    "stimuli.js",
    "measure.js",
    "background.js",
    "columns.js",
    "state.js",
    "words.js",
    "colours.js",
    "plane.js",
    "current.js",
    "plots.js",
    "neuron.js",
    "follow.js",
    "readings.js",
    "export.js",
    "app.js",
)
"""The page's own files, in the order in which they need each other; each makes one name known."""
COMPUTING: Final = SCRIPTS[: SCRIPTS.index("background.js")]
"""Those that a worker of the page runs, too."""
_VENDORED: Final = ("vendor/uplot/uPlot.iife.min.js",)
_STYLES: Final = ("vendor/uplot/uPlot.min.css", "page.css")


def write_page(folder: Path | str, contents: Sequence[Mapping[str, Any]]) -> Path:
    """Write `index.html` into a folder, which is made if it is not there.

    Args:
        folder: where.
        contents: of one operator or several; see `content_of`.

    Returns:
        The page's path.

    Raises:
        ValueError: for no operator.
    """
    path = Path(folder) / PAGE
    text = page_text(contents)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def page_text(contents: Sequence[Mapping[str, Any]]) -> str:
    """The page as text of HTML.

    Raises:
        ValueError: for no operator.
    """
    if not contents:
        raise ValueError("a page of no operator was asked for; expected at least one.")
    style = "\n".join(_read(name) for name in _STYLES)
    vendored = "\n".join(f"<script>{_script(_read(name))}</script>" for name in _VENDORED)
    computing = "\n".join(script_text(name) for name in COMPUTING)
    rest = "\n".join(script_text(name) for name in SCRIPTS[len(COMPUTING) :])
    bundles = "\n".join(
        f'<script type="application/json" class="bundle">{_json(content)}</script>' for content in contents
    )
    parts = {
        "@title@": html.escape(" · ".join(str(content["name"]) for content in contents)),
        "@style@": style,
        "@body@": f'{vendored}\n{bundles}\n<script id="computing">{_script(computing)}</script>\n'
        f"<script>{_script(rest)}</script>",
    }
    text = _read("page.html")
    for mark, part in parts.items():
        text = text.replace(mark, part, 1)
    return text


def script_text(name: str) -> str:
    """One of the page's own files, with the compiled kernel in its place."""
    text = _read(name)
    if name == "numbers.js":
        kernel = (resources.files("noble.explore") / "page" / "kernel.wasm").read_bytes()
        text = text.replace("@kernel@", base64.b64encode(kernel).decode())
    return text


def _read(name: str) -> str:
    return (resources.files("noble.explore") / "page" / name).read_text(encoding="utf-8")


def _json(content: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script."""
    return json.dumps(content, allow_nan=False).replace("<", "\\u003c")


def _script(text: str) -> str:
    """A program that may stand inside a script: nothing in it ends the script."""
    return text.replace("</", "<\\/")
