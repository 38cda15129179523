"""What visitors see in place of the operator's desk: the museum's own page, and the list of their visit."""

import io
import re
from collections.abc import Callable

import pytest
from e2e.product import Product
from e2e.scenes import fill, snapshot
from e2e.test_page import violations
from e2e.visitor import DESKTOP, PHONE, SMALL_PHONE, Visitor, payload
from PIL import Image
from playwright.sync_api import Locator, expect

Visit = Callable[..., Visitor]

YELLOW = "#ffd400"
CAMERA = "What are you looking at?"


@pytest.fixture(scope="module")
def museum(product: Product) -> Product:
    """The product with a collection that presents nothing of its own."""
    fill(product, "my museum")
    return product


def logo() -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (60, 30), "#8a1538").save(buffer, "PNG")
    return buffer.getvalue()


def colour_of(element: Locator) -> str:
    """The colour behind an element."""
    return str(element.evaluate("(element) => getComputedStyle(element).backgroundColor"))


def test_a_curator_gives_the_page_the_museums_face(visit: Visit, museum: Product, axe: str) -> None:
    """Name, logo, colour, privacy note and footer are on the visitors' page; the desk keeps the product's."""
    curator = visit("#/collections/my museum", device=DESKTOP)
    page = curator.page
    page.get_by_role("heading", name="Visitors' page").click()
    page.get_by_label("Name of the museum").fill("City Museum")
    page.get_by_label("Choose a picture").set_input_files([payload("logo.png", logo())])
    expect(page.get_by_role("img", name="Logo")).to_be_visible()
    page.get_by_label("A colour of your own").check()
    page.get_by_label("Colour", exact=True).fill(YELLOW)
    page.get_by_label("Privacy note").fill("Your photo is compared and forgotten.")
    page.get_by_label("Last line, such as an ICP number").fill("ICP 1")
    page.get_by_label("Where the last line leads").fill("https://beian.miit.gov.cn/")
    assert violations(curator, axe) == []
    with page.expect_response("**/branding") as saved:
        page.get_by_role("button", name="Save").click()
    assert saved.value.ok
    expect(page.locator("#main").get_by_text("Saved.")).to_be_visible()
    expect(page.locator(".brand")).to_have_attribute("aria-label", "Semantic Image Matcher")

    for how in ({"device": SMALL_PHONE, "language": "zh-CN"}, {"device": DESKTOP, "dark": True}):
        visitor = visit("?visitor&collection=my museum", **how)
        brand = visitor.page.locator(".brand")
        expect(brand).to_have_text("City Museum")
        expect(brand.locator("img")).to_have_js_property("naturalWidth", 60)
        expect(visitor.page).to_have_title(re.compile("City Museum$"))
        visitor.page.get_by_text(re.compile("^(Privacy|隐私说明)$")).click()
        expect(visitor.page.get_by_text("Your photo is compared and forgotten.")).to_be_visible()
        expect(visitor.page.get_by_role("link", name="ICP 1")).to_have_attribute("href", "https://beian.miit.gov.cn/")
        button = visitor.page.locator(".ways .primary:visible, .ways .choose:visible").first
        assert colour_of(button) not in ("rgb(11, 98, 90)", "rgb(111, 214, 196)")
        assert violations(visitor, axe) == []
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= how["device"].width


@pytest.mark.usefixtures("museum")
def test_in_visitor_mode_nothing_leads_to_the_desk(visit: Visit) -> None:
    """Not on an open server either, nor at the desk's own addresses; a reload keeps the mode."""
    visitor = visit("?visitor&collection=my museum", device=PHONE)
    page = visitor.page

    for address in ("#/collections/my museum", "#/status", "#/match?collection=my museum"):
        visitor.turn_to(address)
        page.reload()
        expect(page.get_by_role("heading", name=CAMERA)).to_be_visible()
        expect(page.locator("nav a")).to_have_text(["Match"])
        expect(page.get_by_role("link", name="For staff")).to_have_count(0)
    visitor.wait_until_loaded()
    loaded = page.evaluate("() => performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)")
    code = [name for name in loaded if name.endswith((".js", ".css"))]
    assert code != []
    assert [
        name for name in code if re.match("/(collections|ingest|status|language/desk|style/collections)", name)
    ] == []


@pytest.mark.usefixtures("museum")
def test_the_exhibits_of_a_visit_are_listed_until_they_are_deleted(visit: Visit, axe: str) -> None:
    """Answers survive Back and a reload, denied ones leave the list, and every entry opens the exhibit's page."""
    visitor = visit("?collection=my museum", device=PHONE)
    page = visitor.page
    for place in ("Rocket", "Cat Chelsea", "Cup of coffee"):
        visitor.show_photo(snapshot(place))
        expect(page.get_by_role("heading", name=place, level=1)).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name=CAMERA)).to_be_visible()
    page.go_forward()
    with page.expect_response("**/feedback"):
        page.get_by_role("button", name="Wrong", exact=True).click()
    page.get_by_role("link", name="Match", exact=True).click()
    page.get_by_role("link", name="My visit").click()
    page.reload()

    expect(page.locator(".card-name")).to_have_text(["Cat Chelsea", "Rocket"])
    assert violations(visitor, axe) == []
    page.get_by_role("link", name="Rocket").click()
    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Remove “Rocket” from the list").click()
    expect(page.locator(".card-name")).to_have_text(["Cat Chelsea"])
    page.get_by_role("button", name="Delete the list").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the list").click()

    expect(page.locator(".card-name")).to_have_count(0)
    assert page.evaluate("localStorage.visit") is None
    page.get_by_role("link", name="Photograph an exhibit").click()
    expect(page.get_by_role("heading", name=CAMERA)).to_be_visible()
    expect(page.get_by_role("link", name="My visit")).to_have_count(0)
