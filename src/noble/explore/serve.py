"""The page over HTTP, for this machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_ROOT: Final = ("/", "/index.html")


@contextmanager
def serving(text: str, *, port: int = 0) -> Iterator[str]:
    """Serve one page on the loopback address until the context ends; its address is yielded.

    Args:
        text: the page.
        port: where to listen; any free one if 0.

    Raises:
        OSError: if the port is taken.
    """
    content = text.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] not in _ROOT:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the command has said where the page is."""

    with ThreadingHTTPServer((LOOPBACK, port), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()
