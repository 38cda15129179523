"""A visit as a whole: the way in by a QR code, the way back to the camera, and what a reload must not lose."""

import json
import re
from collections.abc import Callable

import httpx
import pytest
from e2e.product import Product
from e2e.scenes import DESCRIPTION, fill, snapshot, stranger
from e2e.visitor import DESKTOP, PHONE, Visitor, payload
from playwright.sync_api import Route, expect

Visit = Callable[..., Visitor]

CAMERA = "What are you looking at?"


@pytest.fixture(scope="module")
def museums(product: Product) -> Product:
    """Two collections with photos, one of them last by alphabet."""
    fill(product, "visited museum")
    fill(product, "zoo")
    return product


def hold(visitor: Visitor, pattern: str) -> Callable[[], None]:
    """Keep requests from the server; what is returned lets them go."""
    held: list[Route] = []
    is_open = False

    def keep(route: Route) -> None:
        if is_open:
            route.continue_()
        else:
            held.append(route)

    def release() -> None:
        nonlocal is_open
        is_open = True
        for route in held:
            route.continue_()

    visitor.page.route(pattern, keep)
    return release


def answered(visitor: Visitor, place: str = "Rocket") -> None:
    """Wait for the answer."""
    expect(visitor.page.get_by_role("heading", name=place, level=1)).to_be_visible()


@pytest.mark.usefixtures("museums")
def test_whoever_came_by_a_qr_code_stays_in_that_collection(visit: Visit) -> None:
    """The logo, a reload, the bare address of the installed page: all ask the collection of the code."""
    visitor = visit("?collection=zoo", device=PHONE)
    page = visitor.page

    page.locator(".brand").click()
    page.reload()
    expect(page.get_by_role("heading", name=CAMERA)).to_be_visible()
    assert page.evaluate("decodeURIComponent(location.hash)") == "#/match?collection=zoo"
    visitor.go("#/status")
    visitor.go("")  # the start address of the installed page
    page.get_by_role("link", name="Match", exact=True).click()
    visitor.sent()
    visitor.show_photo(snapshot("Rocket"))
    answered(visitor)

    assert visitor.sent()["collection"] == "zoo"


@pytest.mark.usefixtures("museums")
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_an_outdated_qr_code_is_told_and_the_photo_is_asked_elsewhere(visit: Visit, language: str) -> None:
    """No invitation to add photos: what the code named is gone, and a photo taken meanwhile is not lost."""
    visitor = visit("#/collections", language=language)
    visitor.expect_complaint("status of 404")
    release = hold(visitor, "**/index/collections")
    visitor.turn_to_now("#/match?collection=former name")
    visitor.show_photo(snapshot("Rocket"))
    release()

    title = "This link is out of date" if language == "en-GB" else "此链接已失效"
    expect(visitor.page.get_by_role("heading", name=title)).to_be_visible()
    expect(visitor.page.get_by_text(re.compile("Add the first photos|添加第一批照片"))).to_have_count(0)
    visitor.page.get_by_role("button", name="zoo", exact=True).click()

    answered(visitor)


@pytest.mark.usefixtures("museums")
def test_a_photo_that_is_quicker_than_the_list_of_collections_waits_for_it(visit: Visit) -> None:
    """On a slow start nothing is answered from no collection at all."""
    visitor = visit("#/status")
    release = hold(visitor, "**/index/collections")
    visitor.turn_to_now("#/match")
    visitor.show_photo(snapshot("Rocket"))
    expect(visitor.page.locator(".words")).to_have_text("Preparing the photo…")

    release()

    answered(visitor)


@pytest.mark.usefixtures("museums")
def test_where_the_list_of_collections_does_not_come_the_photo_is_kept(visit: Visit) -> None:
    """The lost connection is shown; trying again answers."""
    visitor = visit("#/status")
    visitor.expect_complaint("ERR_FAILED")
    visitor.page.route("**/index/collections", lambda route: route.abort())
    visitor.turn_to_now("#/match")
    visitor.show_photo(snapshot("Rocket"))
    expect(visitor.page.get_by_role("alert")).to_contain_text("The server cannot be reached")

    visitor.page.unroute("**/index/collections")
    visitor.page.get_by_role("button", name="Try again").click()

    answered(visitor)


@pytest.mark.usefixtures("museums")
def test_back_leads_to_the_camera_and_forward_to_the_answer(visit: Visit) -> None:
    """An answer is one step from the camera: Back, the logo and the link lead there, Forward and a reload keep it."""
    visitor = visit("#/match?collection=zoo", device=PHONE)
    page = visitor.page
    visitor.show_photo(snapshot("Cat Chelsea"))
    answered(visitor, "Cat Chelsea")
    assert page.title().startswith("Cat Chelsea")

    page.go_back()
    expect(page.get_by_role("heading", name=CAMERA)).to_be_visible()
    page.go_forward()
    answered(visitor, "Cat Chelsea")
    page.reload()
    answered(visitor, "Cat Chelsea")
    expect(page.get_by_text(DESCRIPTION)).to_be_visible()
    expect(page.get_by_alt_text("Your photo")).to_have_js_property("complete", True)
    assert page.get_by_alt_text("Your photo").evaluate("(image) => image.naturalWidth") > 100
    page.get_by_role("link", name="Match", exact=True).click()
    expect(page.get_by_role("heading", name=CAMERA)).to_be_visible()
    page.go_back()
    page.locator(".brand").click()

    expect(page.get_by_role("heading", name=CAMERA)).to_be_visible()


@pytest.mark.usefixtures("museums")
def test_back_while_a_photo_is_compared_leads_to_the_camera(visit: Visit) -> None:
    """Nobody is thrown out of the page, and the photo that was given up does not come back as an answer."""
    visitor = visit("#/match?collection=zoo", device=PHONE)
    held: list[Route] = []
    visitor.page.route("**/match", lambda route: held.append(route))
    visitor.show_photo(snapshot("Rocket"))
    expect(visitor.page.get_by_role("progressbar")).to_be_visible()

    visitor.page.go_back()

    expect(visitor.page.get_by_role("heading", name=CAMERA)).to_be_visible()
    for route in held:
        route.abort()
    visitor.page.reload()
    expect(visitor.page.get_by_role("heading", name=CAMERA)).to_be_visible()


@pytest.mark.usefixtures("museums")
def test_another_photo_comes_from_the_camera(visit: Visit) -> None:
    """On a phone the buttons beside an answer open the camera, and the pictures stay within reach."""
    visitor = visit("#/match?collection=zoo", device=PHONE, language="zh-CN")
    visitor.show_photo(stranger())
    expect(visitor.page.get_by_role("heading", name="没有找到相符的展品或景点")).to_be_visible()

    again = visitor.page.get_by_label("再拍一张")
    assert again.get_attribute("capture") == "environment"
    assert visitor.page.get_by_label("补拍另一角度").get_attribute("capture") == "environment"
    assert visitor.page.get_by_label("另选一张照片").get_attribute("capture") is None
    again.set_input_files(payload("next.jpg", snapshot("Rocket")))

    answered(visitor)


@pytest.mark.usefixtures("museums")
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_every_candidate_opens_its_text(visit: Visit, language: str) -> None:
    """A refused photo's candidates can be read about, from their cards and once the visitor says which it is."""
    visitor = visit("#/match?collection=zoo", device=PHONE, language=language)
    visitor.show_photo(stranger())
    page = visitor.page
    expect(page.locator(".unknown")).to_be_visible()

    page.locator(".cards button").nth(1).click()
    expect(page.get_by_role("dialog")).to_contain_text(DESCRIPTION)
    page.keyboard.press("Escape")
    page.locator(".feedback button").nth(1).click()
    page.locator(".feedback").get_by_role("button", name="Rocket", exact=True).click()
    page.get_by_role("button", name=re.compile("Read about “Rocket”|查看“Rocket”的介绍")).click()

    expect(page.get_by_role("dialog").get_by_role("heading", name="Rocket")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text(DESCRIPTION)


@pytest.mark.usefixtures("museums")
def test_an_answer_is_never_contradicted_by_its_candidates(visit: Visit) -> None:
    """Beside "not found" no candidate "agrees"; beside a certain answer nothing that was ruled out is offered."""
    visitor = visit("#/match?collection=zoo", language="zh-CN")

    def accepted(route: Route) -> None:
        reply = route.fetch(headers={**route.request.headers, "accept": "application/json"}).json()
        reply["candidates"][0]["verdict"]["is_match"] = True
        route.fulfill(json=reply)

    visitor.page.route("**/match", accepted, times=1)
    visitor.show_photo(stranger())
    expect(visitor.page.locator(".cards")).to_contain_text("部分细节相符，不足以确认")
    expect(visitor.page.locator(".cards")).not_to_contain_text("细节一致")

    def certain(route: Route) -> None:
        reply = route.fetch(headers={**route.request.headers, "accept": "application/json"}).json()
        reply["confidence"] = 0.99
        for other in reply["candidates"][1:]:
            other["verdict"]["is_match"] = False
        route.fulfill(json=reply)

    visitor.page.route("**/match", certain, times=1)
    visitor.show_photo(snapshot("Cup of coffee"))

    answered(visitor, "Cup of coffee")
    expect(visitor.page.locator(".others")).to_have_count(0)


@pytest.mark.parametrize(
    ("agent", "address"),
    [
        (None, re.compile(r"^https://www\.openstreetmap\.org/\?mlat=39\.9&mlon=116\.4")),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0", re.compile(r"^geo:39\.9,116\.4\?q=39\.9,116\.4\(")),
    ],
    ids=["desk", "Android"],
)
def test_the_map_opens_on_every_device(visit: Visit, product: Product, agent: str | None, address: re.Pattern) -> None:
    """Android asks its map apps; where geo: leads nowhere, a map opens in a tab of its own."""
    fill(product, "mapped")
    images = httpx.get(f"{product.address}/index/images", params={"collection": "mapped", "place_id": "Rocket"}).json()
    path = f"{product.address}/index/images/{images['images'][0]['id']}"
    httpx.patch(path, json={"latitude": 39.9, "longitude": 116.4}).raise_for_status()
    visitor = visit("#/match?collection=mapped", device=DESKTOP)
    if agent:
        visitor.page.evaluate(f"Object.defineProperty(navigator, 'userAgent', {{ get: () => {json.dumps(agent)} }})")

    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_role("link", name="Show on a map")).to_have_attribute("href", address)


def test_too_many_requests_cost_time_only(visit: Visit, museums: Product) -> None:
    """Where the server says how long to wait, the page waits and sends the photo again by itself."""
    visitor = visit("#/match?collection=zoo")
    visitor.expect_complaint("status of 429")
    body = {"error": {"code": "rate_limited", "message": "more than 120 requests in a minute"}}
    limited = []

    def refuse(route: Route) -> None:
        limited.append(route.request.url)
        route.fulfill(status=429, json=body, headers={"Retry-After": "1"})

    visitor.page.route("**/match", refuse, times=2)

    visitor.show_photo(snapshot("Rocket"))

    answered(visitor)
    assert len(limited) == 2


@pytest.mark.usefixtures("museums")
def test_no_english_is_spoken_to_chinese_visitors(visit: Visit) -> None:
    """A refusal is one Chinese sentence; the server's words for engineers stay out of sight."""
    visitor = visit("#/match?collection=zoo", language="zh-CN")
    visitor.expect_complaint("status of 4")

    visitor.show_photo(b"this is no photo")

    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text("不支持这种文件，请使用 JPEG、PNG、WebP、AVIF 或 HEIC 照片")
    expect(alert.get_by_role("button")).to_have_count(0)
    seen = re.sub("JPEG|PNG|WebP|AVIF|HEIC", "", alert.inner_text())
    assert re.findall("[A-Za-z]{2,}", seen) == []
