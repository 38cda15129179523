"""Browsers that keep nothing or falsify what is drawn: the page works in them."""

from collections.abc import Callable

import pytest
from e2e.product import Product
from e2e.scenes import fill, reference, snapshot
from e2e.visitor import Visitor
from playwright.sync_api import expect

Visit = Callable[..., Visitor]

STORAGES = {
    "blocked": """for (const area of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, area, { get() { throw new DOMException("denied", "SecurityError"); } });""",
    "absent": """for (const area of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, area, { get: () => null });""",
    "full": 'Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };',
}
STRIPES = """
    const stripes = (data) => data.fill(0).forEach((_, at) => (data[at] = at % 8 < 4 ? 0 : 255));
    const read = CanvasRenderingContext2D.prototype.getImageData;
    CanvasRenderingContext2D.prototype.getImageData = function (...box) {
      const image = read.apply(this, box);
      stripes(image.data);
      return image;
    };
    const encode = HTMLCanvasElement.prototype.toBlob;
    HTMLCanvasElement.prototype.toBlob = function (callback, ...how) {
      const pen = this.getContext("2d");
      pen.fillStyle = "#0f0";
      pen.fillRect(0, 0, this.width, this.height);
      encode.call(this, callback, ...how);
    };
"""
CANVASES = {"falsified": STRIPES, "silent": "HTMLCanvasElement.prototype.toBlob = () => {};"}


@pytest.fixture(autouse=True, scope="module")
def museum(product: Product) -> None:
    """A collection with photos."""
    fill(product, "odd browsers")


@pytest.mark.parametrize("storage", STORAGES)
def test_the_page_works_where_the_browser_keeps_nothing(visit: Visit, storage: str) -> None:
    """A photo is answered, the language changes, and an operator's photos are added."""
    visitor = visit("?collection=odd browsers", script=STORAGES[storage])
    page = visitor.page

    visitor.show_photo(snapshot("Rocket"))
    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    page.get_by_role("button", name="切换到中文").click()
    page.get_by_role("link", name="识别").click()
    assert page.evaluate("decodeURIComponent(location.hash)").endswith("collection=odd browsers")
    visitor.turn_to(f"#/collections/stored {storage}")
    visitor.choose([("1.jpg", reference("Rocket"))])
    page.locator(".review .primary").click()

    expect(page.locator(".tally")).to_contain_text("已添加 1")


@pytest.mark.parametrize("canvas", CANVASES)
def test_what_a_canvas_falsifies_is_never_sent(visit: Visit, canvas: str) -> None:
    """Where drawing gives back stripes, or nothing at all, the file itself is sent and recognised."""
    visitor = visit("#/match?collection=odd browsers", script=CANVASES[canvas])
    photo = snapshot("Cat Chelsea")

    visitor.sent()
    visitor.show_photo(photo)

    expect(visitor.page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_visible()
    assert [bytes(each) for each in visitor.sent()["photos"]] == [photo]
