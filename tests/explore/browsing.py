"""A browser without a window, for tests that use a page as people do; without one they are skipped."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Where the browser is; the test is skipped if there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    if found is None:
        pytest.skip("Chromium is not installed")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def opened(
    browser: Any, address: str | Path, *, width: int = 1440, height: int = 900, dark: bool = False
) -> Iterator[Any]:
    """A page, once it has answered; fails if it says anything on its console or asks the network for anything."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", accept_downloads=True
    )
    context.grant_permissions([])
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    own = address.resolve().as_uri() if isinstance(address, Path) else address
    page.goto(own)
    page.wait_for_function("typeof Explorer !== 'undefined' && Explorer.took > 0")
    try:
        yield page
        assert not said, said
        assert [url[:80] for url in asked if not url.startswith((own, "blob:", "data:"))] == []
    finally:
        context.close()


def answer_of(page: Any) -> dict[str, Any]:
    """What the page shows now, after the frames that were asked for."""
    settle(page)
    return page.evaluate(
        "() => ({ voltage: [...Explorer.shown.answer.voltage], spikes: Explorer.shown.answer.spikes,"
        " samples: [...Explorer.shown.samples], features: Explorer.shown.features, known: Explorer.state.known,"
        " current: { ...Explorer.state.current, values: [...(Explorer.state.current.values ?? [])] } })"
    )


def settle(page: Any) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function("!Explorer.frame")
