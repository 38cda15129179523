"""The page inside another site: one line of HTML, and only where the operator allows it."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from e2e.product import Product, start_product
from e2e.scenes import fill, snapshot
from e2e.visitor import payload
from playwright.sync_api import Browser, Page, expect


class Site(ThreadingHTTPServer):
    """The museum's site, which has one page.

    Attributes:
        page: HTML.
        policy: content security policy of the page.
    """

    page = ""
    policy = ""


class SiteHandler(BaseHTTPRequestHandler):
    """Answers every request with the page."""

    server: Site

    def do_GET(self) -> None:
        """Send the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.end_headers()
        self.wfile.write(self.server.page.encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The museum's web server."""
    with Site(("127.0.0.1", 0), SiteHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Product]:
    """A product that the museum's site may show."""
    settings = {"GATEWAY_FRAME_ANCESTORS": f"http://localhost:{site.server_port}"}
    with start_product(tmp_path_factory.mktemp("embedded"), **settings) as running:
        fill(running, "east hall")
        fill(running, "zoo")
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own."""
    context = browser.new_context(locale="en-GB", service_workers="block")
    yield context.new_page()
    context.close()


@pytest.fixture
def open_site(page: Page, site: Site, embedded: Product) -> Callable[..., None]:
    """Opens the site's page, which has the widget's line and a policy that forbids inline styles."""

    def open_page(host: str, attributes: str = "") -> None:
        line = f'<script src="{embedded.address}/widget.js" data-collection="east hall" {attributes}></script>'
        site.page = f"<!doctype html><html lang=en><title>Museum</title><h1>Our museum</h1>{line}<p>Imprint</p></html>"
        site.policy = f"default-src 'none'; script-src {embedded.address}; frame-src {embedded.address}"
        page.goto(f"http://{host}:{site.server_port}/")

    return open_page


def test_one_line_shows_the_page_on_the_museums_site(page: Page, open_site: Callable[..., None]) -> None:
    """In place of the script; a photo is answered from its collection, and nothing of the operator's desk is there."""
    open_site("localhost", 'data-height="700" data-title="Photo guide"')
    guide = page.frame_locator("script + iframe")

    expect(page.get_by_title("Photo guide")).to_have_attribute("height", "700")
    expect(guide.get_by_role("heading", name="What are you looking at?")).to_be_visible()
    guide.locator("input[type=file]:not([capture])").set_input_files([payload("photo.jpg", snapshot("Rocket"))])
    expect(guide.get_by_role("heading", name="Rocket", level=1)).to_be_visible()

    expect(guide.get_by_role("link", name="Collections")).to_have_count(0)
    expect(guide.get_by_role("combobox")).to_have_count(0)
    guide.get_by_text("How this was found").click()
    expect(guide.locator(".details")).to_contain_text("east hall")


def test_the_line_can_show_one_exhibit(page: Page, open_site: Callable[..., None]) -> None:
    """With its id the exhibit's page is there."""
    open_site("localhost", 'data-place="Rocket"')

    expect(page.frame_locator("iframe").get_by_role("heading", name="Rocket", level=1)).to_be_visible()


def test_no_other_site_can_show_the_page(page: Page, open_site: Callable[..., None]) -> None:
    """The browser refuses the frame."""
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        open_site("127.0.0.1")

    expect(page.frame_locator("iframe").get_by_role("heading", name="What are you looking at?")).to_have_count(0)
