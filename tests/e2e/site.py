"""A museum's own web site, with one page that has the widget's line."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Site(ThreadingHTTPServer):
    """The running web server.

    Attributes:
        page: HTML.
        policy: content security policy of the page.
    """

    page = ""
    policy = ""

    @property
    def origin(self) -> str:
        """Its address in the browser."""
        return f"http://localhost:{self.server_port}"

    def embed(self, product: str, attributes: str) -> None:
        """Put the widget's line into the page, whose policy forbids inline styles.

        Args:
            product: address of the product.
            attributes: of the line, in HTML.
        """
        line = f'<script src="{product}/widget.js" {attributes}></script>'
        self.page = f"<!doctype html><html lang=en><title>Museum</title><h1>Our museum</h1>{line}<p>Imprint</p></html>"
        self.policy = f"default-src 'none'; script-src {product}; frame-src {product}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        """Answer every request with the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.end_headers()
        self.wfile.write(self.server.page.encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def serving_site() -> Iterator[Site]:
    """Serve until the block ends."""
    with Site(("127.0.0.1", 0), _Handler) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        yield site
        site.shutdown()
