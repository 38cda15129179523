"""The page inside another site: one line of HTML, and only where the operator allows it."""

from collections.abc import Callable, Iterator

import pytest
from e2e.product import Product, start_product
from e2e.scenes import fill
from e2e.site import Site, serving_site
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The museum's web server."""
    with serving_site() as running:
        yield running


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Product]:
    """A product that the museum's site may show."""
    with start_product(tmp_path_factory.mktemp("embedded"), GATEWAY_FRAME_ANCESTORS=site.origin) as running:
        fill(running, "east hall")
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own."""
    context = browser.new_context(locale="en-GB", service_workers="block")
    yield context.new_page()
    context.close()


@pytest.fixture
def open_site(page: Page, site: Site, embedded: Product) -> Callable[..., None]:
    """Opens the site's page, which has the widget's line."""

    def open_page(host: str, attributes: str = "") -> None:
        site.embed(embedded.address, f'data-collection="east hall" {attributes}')
        page.goto(site.origin.replace("localhost", host))

    return open_page


def test_the_line_can_show_one_exhibit(page: Page, open_site: Callable[..., None]) -> None:
    """With its id the exhibit's page is there."""
    open_site("localhost", 'data-place="Rocket"')

    expect(page.frame_locator("iframe").get_by_role("heading", name="Rocket", level=1)).to_be_visible()


def test_no_other_site_can_show_the_page(page: Page, open_site: Callable[..., None]) -> None:
    """The browser refuses the frame."""
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        open_site("127.0.0.1")

    expect(page.frame_locator("iframe").get_by_role("heading", name="What are you looking at?")).to_have_count(0)
