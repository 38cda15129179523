"""From the poster and the label to the visitor: sheets to print, QR codes, and the exhibit's page that they open."""

import re
from collections.abc import Callable
from io import BytesIO

import httpx
import pytest
from e2e.pdfs import read_pdf
from e2e.product import Product
from e2e.scenes import DESCRIPTION, fill, snapshot
from e2e.test_page import violations
from e2e.visitor import DESKTOP, PHONE, SMALL_PHONE, Visitor
from fakes.codes import read_code
from fakes.images import encode
from PIL import Image, ImageChops, ImageFilter, ImageOps
from playwright.sync_api import expect

Visit = Callable[..., Visitor]
Reach = Callable[..., Visitor]

ON_BOTH = pytest.mark.parametrize("person", [{"device": DESKTOP}, {"device": PHONE, "language": "zh-CN"}])
SHEETS = {"a4": (595, 842), "a5": (420, 595), "a6": (298, 420)}
"""Points of the printed page, ISO 216."""


@ON_BOTH
def test_no_code_is_made_of_an_address_that_phones_cannot_reach(visit: Visit, product: Product, person: dict) -> None:
    """On the machine's own address there is a sentence in place of the sheet, and nothing to save or print."""
    fill(product, "local")
    page = visit("#/collections/local", **person).page

    page.get_by_role("link", name=re.compile("QR code|二维码")).click()

    expect(page.get_by_text(re.compile("only this computer can reach|只有这台电脑能打开"))).to_be_visible()
    expect(page.locator(".sheet")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("PNG|SVG"))).to_have_count(0)


@pytest.mark.parametrize("size", SHEETS)
@pytest.mark.parametrize("sheet", ["poster", "places/Rocket/label"])
def test_a_sheet_is_one_page_of_its_size(reach: Reach, product: Product, sheet: str, size: str) -> None:
    """The printer and the PDF get exactly the paper that was chosen, with nothing of the page around the sheet."""
    fill(product, "printed")
    page = reach(f"#/collections/printed/{sheet}", script="window.print = () => { window.printed = true; };").page

    page.get_by_label("Paper size").select_option(size)
    page.get_by_role("button", name="Print", exact=True).click()
    printed = page.pdf(prefer_css_page_size=True)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as PDF").click()

    assert page.evaluate("window.printed")
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert [tuple(round(float(side)) for side in box) for box in boxes] == [SHEETS[size]]
    points, picture = read_pdf(saved.value.path().read_bytes())
    assert points == SHEETS[size]
    assert picture.size == tuple(pytest.approx(side / 72 * 300, abs=3) for side in SHEETS[size])
    page.emulate_media(media="print")
    expect(page.locator(".sheet")).to_be_visible()
    expect(page.get_by_role("button", name="Print", exact=True)).to_be_hidden()
    expect(page.locator("#bar")).to_be_hidden()


def test_the_saved_sheet_looks_as_on_the_screen(reach: Reach, product: Product) -> None:
    """Its texts, in both languages and on several lines, stand where the page has them, and its code can be read."""
    name = "A very long name of a museum 名称很长的博物馆, which takes several lines"
    fill(product, name)
    page = reach(f"#/collections/{name}/poster").page
    sheet = page.locator(".sheet")

    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as PDF").click()

    assert saved.value.suggested_filename == f"{name}.pdf"
    _, picture = read_pdf(saved.value.path().read_bytes())
    assert read_code(encode(picture, "png")) == page.locator(".sheet-link").inner_text()
    screen = Image.open(BytesIO(sheet.screenshot()))
    paper, code = sheet.bounding_box(), sheet.locator("img").bounding_box()
    left, top = code["x"] - paper["x"], code["y"] - paper["y"]
    texts = []
    for view in (screen, picture.resize(screen.size)):
        # Neither the code, whose modules are whole pixels in the picture, nor the border that only the screen has.
        view.paste("white", tuple(map(round, (left, top, left + code["width"], top + code["height"]))))
        texts.append(ImageOps.crop(view.convert("L"), 10).filter(ImageFilter.GaussianBlur(4)))
    _, largest = ImageChops.difference(*texts).getextrema()
    assert largest < 60  # of 255; 110 if all lines are half a percent of the height too low


def test_a_label_survives_a_new_name(reach: Reach, product: Product) -> None:
    """Its code opens the exhibit's page, whatever exhibit and collection are called by then; so does the camera."""
    fill(product, "labelled")
    operator = reach("#/collections/labelled/places/Rocket")
    operator.page.get_by_role("link", name="Label with QR code").click()
    with operator.page.expect_download() as saved:
        operator.page.get_by_role("link", name="Save the code as PNG").click()
    address = read_code(saved.value.path().read_bytes())
    change = {"name": "Saturn V", "metadata": {"Year": 1967}, "latitude": 28.6, "longitude": -80.6}
    httpx.patch(f"{product.address}/collections/labelled/places/Rocket", json=change).raise_for_status()
    httpx.patch(f"{product.address}/collections/labelled", json={"name": "west wing"}).raise_for_status()

    visitor = reach(address.removeprefix(f"{product.public_address}/"), device=PHONE)
    page = visitor.page

    expect(page.get_by_role("heading", name="Saturn V", level=1)).to_be_visible()
    expect(page.get_by_text("west wing")).to_be_visible()
    expect(page.get_by_text(DESCRIPTION)).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("1967")
    expect(page.get_by_role("link", name="Show on a map")).to_be_visible()
    assert page.locator(".finder img").evaluate("async (image) => (await image.decode(), image.naturalWidth)") > 20
    assert page.title().startswith("Saturn V")
    page.get_by_role("link", name="Photograph another exhibit").click()
    visitor.show_photo(snapshot("Rocket"))
    expect(page.get_by_role("heading", name="Saturn V", level=1)).to_be_visible()


@pytest.mark.parametrize("way", ["dialog", "clipboard", "none"])
def test_an_exhibit_can_be_shared(reach: Reach, product: Product, way: str) -> None:
    """By the system's dialog, else the clipboard, else as a link to be copied; on the answer and on its own page."""
    fill(product, "shared/1")
    ways = {
        "dialog": "Object.defineProperty(navigator, 'share', { value: async ({ url }) => { window.shared = url; } });",
        "clipboard": "Object.defineProperty(navigator, 'share', { value: undefined });"
        "const writeText = async (text) => { window.shared = text; };"
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText } });",
        "none": "Object.defineProperty(navigator, 'share', { value: undefined });",
    }
    visitor = reach("?collection=shared/1&place=Rocket", device=PHONE, script=ways[way])
    page = visitor.page
    shared = f"{product.public_address}/?collection=shared%2F1&place=Rocket"

    page.get_by_role("button", name="Share").click()
    if way == "clipboard":
        expect(page.get_by_text("The link has been copied.")).to_be_visible()
    if way == "none":
        expect(page.get_by_role("link", name=shared)).to_be_visible()
    else:
        page.wait_for_function("window.shared")
        assert page.evaluate("window.shared") == shared
    page.get_by_role("link", name="Photograph another exhibit").click()
    visitor.show_photo(snapshot("Rocket"))
    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()

    expect(page.get_by_role("button", name="Share")).to_be_visible()


@pytest.mark.parametrize("address", ["?collection=kept&place=lost", "?collection=lost&place=Rocket"])
def test_a_label_of_something_that_was_deleted_says_so(reach: Reach, product: Product, address: str) -> None:
    """In the page's own words, with the way to the camera; not as an error."""
    fill(product, "kept")
    visitor = reach(address, device=PHONE, language="zh-CN")
    visitor.expect_complaint("404")

    expect(visitor.page.get_by_role("heading", name="这件展品目前不在此展出")).to_be_visible()
    expect(visitor.page.get_by_role("link", name="拍摄其他展品")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("device", [SMALL_PHONE, DESKTOP], ids=["320", "1280"])
def test_sheets_are_accessible(reach: Reach, product: Product, axe: str, device: object, language: str) -> None:
    """Poster and label have no serious finding of axe in either colour scheme, and never scroll sideways."""
    fill(product, "posted in a long address")
    found: dict[str, list[str]] = {}
    for view in ("poster", "places/Rocket/label"):
        visitor = reach(f"#/collections/posted in a long address/{view}", device=device, language=language)
        expect(visitor.page.locator(".sheet")).to_be_visible()
        for scheme in ("light", "dark"):
            visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found[f"{view} {scheme}"] = violations(visitor, axe)
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= device.width

    assert {where: what for where, what in found.items() if what} == {}
