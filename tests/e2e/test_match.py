"""The visitor's page."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from e2e.product import Product
from e2e.scenes import DESCRIPTION, fill, snapshot, stranger
from e2e.visitor import DESKTOP, PHONE, Device, Visitor
from playwright.sync_api import Route, expect

from contracts.errors import ErrorBody, ErrorCode, ErrorDetail

Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def museum(product: Product) -> Iterator[str]:
    """The match page of a collection with three places."""
    fill(product, "museum")
    return "#/match?collection=museum"


@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_photo_of_a_known_place_is_answered_with_that_place(visit: Visit, museum: str, device: Device) -> None:
    """Place, description and confidence in words appear, and the keyboard stands at the place's name."""
    visitor = visit(museum, device=device)

    visitor.show_photo(snapshot("Cat Chelsea"))

    name = visitor.page.get_by_role("heading", name="Cat Chelsea", level=1)
    expect(name).to_be_focused()
    expect(visitor.page.get_by_text(DESCRIPTION)).to_be_visible()
    expect(visitor.page.locator(".confidence")).to_have_text(re.compile("Almost certain|Very likely|Probably"))
    expect(visitor.page.locator("#live")).to_contain_text("This is Cat Chelsea.")


def test_an_address_that_names_no_collection_asks_for_another(visit: Visit, museum: str) -> None:
    """It never answers from another collection instead: it says that the link is out of date, and asks where one is."""
    visitor = visit("#/match?collection=nowhere")

    expect(visitor.page.get_by_role("heading", name="This link is out of date")).to_be_visible()
    visitor.page.get_by_role("button", name="museum", exact=True).click()
    expect(visitor.page.get_by_role("heading", name="What are you looking at?")).to_be_visible()
    assert visitor.page.evaluate("location.hash") == "#/match?collection=museum"


def test_an_unknown_photo_is_told_kindly_with_the_nearest_places_as_guesses(visit: Visit, museum: str) -> None:
    """No place is claimed; what is nearest is offered."""
    visitor = visit(museum, device=PHONE)

    visitor.show_photo(stranger())

    expect(visitor.page.get_by_role("heading", name="not in the collection")).to_be_focused()
    expect(visitor.page.get_by_role("heading", name="What looks most like it")).to_be_visible()
    expect(visitor.page.locator(".cards button")).to_have_count(3)


def test_the_comparison_shows_both_photos_with_the_points_that_agree(visit: Visit, museum: str) -> None:
    """Lines join the photos, can be hidden, and the arrow keys lead through the candidates."""
    visitor = visit(museum)
    visitor.show_photo(snapshot("Cup of coffee"))

    visitor.page.get_by_role("button", name="Compare the photos", exact=True).click()

    dialog = visitor.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Cup of coffee")).to_be_visible()
    expect(dialog.get_by_text(re.compile(r"\d+ points agree"))).to_be_visible()
    expect(dialog.locator(".overlay circle").first).to_be_attached()
    expect(dialog.locator(".overlay .region")).to_have_count(2)
    dialog.get_by_label("Show the points").uncheck()
    expect(dialog.locator(".overlay circle")).to_have_count(0)
    visitor.page.keyboard.press("ArrowRight")
    expect(dialog.get_by_text("2 of 3")).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    visitor.page.get_by_role("button", name="Compare the photos", exact=True).click()
    visitor.turn_to("#/status")
    expect(dialog).to_have_count(0)


def test_what_was_fetched_for_a_page_that_is_left_does_not_open(visit: Visit, museum: str) -> None:
    """A tap on "compare" opens nothing over another page when its part arrives late."""
    visitor = visit(museum)
    visitor.show_photo(snapshot("Cup of coffee"))
    held: list[Route] = []
    visitor.page.route("**/match/comparison.js", lambda route: held.append(route))

    with visitor.page.expect_request("**/match/comparison.js"):
        visitor.page.get_by_role("button", name="Compare the photos", exact=True).click()
    visitor.turn_to("#/status")
    with visitor.page.expect_response("**/match/comparison.js"):
        held[0].continue_()
    visitor.page.evaluate("() => import(new URL('match/comparison.js', document.baseURI))")

    expect(visitor.page.get_by_role("dialog")).to_have_count(0)


def test_the_comparison_fills_its_dialog_for_an_operator_too(visit: Visit, museum: str) -> None:
    """The styles of the operator's pages, once loaded, leave the photos as large as they are for visitors."""
    visitor = visit(museum)
    visitor.turn_to("#/collections/museum")
    visitor.turn_to(museum)
    visitor.show_photo(snapshot("Cup of coffee"))

    visitor.page.get_by_role("button", name="Compare the photos", exact=True).click()

    photos = visitor.page.get_by_role("dialog").locator("img")
    expect(photos).to_have_count(2)
    assert min(photo.bounding_box()["width"] for photo in photos.all()) > 400


def test_the_photo_travels_small_and_without_what_the_camera_wrote_into_it(visit: Visit, museum: str) -> None:
    """At most 1600 px leave the phone, as JPEG, upright, without EXIF."""
    visitor = visit(museum)

    size = visitor.page.evaluate(
        """async () => {
          const { preparePhoto } = await import("./match/photo.js");
          const canvas = Object.assign(document.createElement("canvas"), { width: 4000, height: 3000 });
          const file = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
          const { blob } = await preparePhoto(file);
          const bitmap = await createImageBitmap(blob);
          const head = new Uint8Array(await blob.slice(0, 4096).arrayBuffer());
          return [bitmap.width, bitmap.height, blob.type, new TextDecoder("latin1").decode(head).includes("Exif")];
        }"""
    )

    assert size == [1600, 1200, "image/jpeg", False]


@pytest.mark.parametrize("gesture", ["drop", "paste"])
def test_a_photo_can_be_dropped_or_pasted(visit: Visit, museum: str, gesture: str) -> None:
    """The mouse and the clipboard lead to the same answer as the button."""
    visitor = visit(museum)

    visitor.page.evaluate(
        """([bytes, gesture]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([new Uint8Array(bytes)], "photo.jpg", { type: "image/jpeg" }));
          const event = gesture === "drop"
            ? new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
        }""",
        [list(snapshot("Rocket")), gesture],
    )

    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()


def test_progress_is_shown_at_once_and_can_be_cancelled(visit: Visit, museum: str) -> None:
    """On a slow connection the photo is on screen before anything was answered; cancelling leads back."""
    visitor = visit(museum)
    held: list[Route] = []
    visitor.page.route("**/match", lambda route: held.append(route))

    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_role("progressbar")).to_be_visible()
    expect(visitor.page.get_by_alt_text("Your photo")).to_be_visible()
    visitor.page.get_by_role("button", name="Cancel").click()
    expect(visitor.page.get_by_role("heading", name="What are you looking at?")).to_be_focused()
    for route in held:
        route.abort()


def test_a_file_that_is_no_photo_is_refused_in_the_servers_words(visit: Visit, museum: str) -> None:
    """The message says what is wrong; another photo is one tap away."""
    visitor = visit(museum)
    visitor.expect_complaint("status of 4")

    visitor.show_photo(b"this is no photo")

    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text("This file cannot be read as a photo")
    expect(alert).to_contain_text("JPEG")
    visitor.show_photo(snapshot("Rocket"))
    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()


@pytest.mark.parametrize(
    ("status", "code", "heading", "helps"),
    [
        (503, ErrorCode.OVERLOADED, "Too many people are asking", "Try again"),
        (503, ErrorCode.VERIFIER_UNAVAILABLE, "A part of the system is not available", "Try again"),
        (504, ErrorCode.DEADLINE_EXCEEDED, "That took too long", "Try again"),
        (413, ErrorCode.IMAGE_TOO_LARGE, "This photo is too large", "another photo"),
        (415, ErrorCode.UNSUPPORTED_FORMAT, "This file cannot be read as a photo", "another photo"),
        (500, ErrorCode.INTERNAL, "That did not work", "Try again"),
    ],
)
def test_every_refusal_has_a_heading_and_what_helps(
    visit: Visit, museum: str, status: int, code: ErrorCode, heading: str, helps: str
) -> None:
    """Our heading, the server's sentence, what would be accepted; the same photo again only where it can help."""
    visitor = visit(museum)
    visitor.expect_complaint(f"status of {status}")
    detail = ErrorDetail(code=code, message="the fact and the value", accepted="something else")
    body = ErrorBody(error=detail).model_dump_json()
    visitor.page.route("**/match", lambda route: route.fulfill(status=status, json=json.loads(body)), times=1)

    visitor.show_photo(snapshot("Cat Chelsea"))

    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text(heading)
    expect(alert).to_contain_text("the fact and the value")
    expect(alert).to_contain_text("something else")
    expect(alert.get_by_role("button", name="Try again")).to_have_count(1 if helps == "Try again" else 0)
    if helps == "Try again":
        alert.get_by_role("button", name="Try again").click()
    else:
        visitor.show_photo(snapshot("Cat Chelsea"))
    expect(visitor.page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_visible()


def test_a_lost_connection_is_said_and_survived(visit: Visit, museum: str) -> None:
    """The photo is kept; trying again answers."""
    visitor = visit(museum)
    visitor.expect_complaint("ERR_FAILED")
    visitor.page.route("**/match", lambda route: route.abort(), times=1)

    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    visitor.page.get_by_role("button", name="Try again").click()
    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()


def test_the_answer_survives_a_change_of_language(visit: Visit, museum: str) -> None:
    """Switching re-words the page, the server's reasons too, and keeps what was found; the choice is remembered."""
    visitor = visit(museum)
    visitor.show_photo(snapshot("Cat Chelsea"))
    expect(visitor.page.get_by_text("This is", exact=True)).to_be_visible()
    reason = visitor.page.locator(".details dd").first
    visitor.page.get_by_text("How this was found").click()
    expect(reason).to_contain_text("points agree in one")

    visitor.page.get_by_role("button", name="切换到中文").click()

    expect(visitor.page.get_by_text("这是", exact=True)).to_be_visible()
    expect(visitor.page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_visible()
    visitor.page.get_by_text("结果如何得出").click()
    expect(reason).to_contain_text("个点在同一")
    visitor.page.get_by_role("button", name="对比照片").first.click()
    expect(visitor.page.get_by_role("dialog")).to_contain_text("个点在同一")
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-CN")
    visitor.page.reload()
    expect(visitor.page.get_by_text("这是", exact=True)).to_be_visible()


def test_a_chinese_browser_is_greeted_in_chinese(visit: Visit, museum: str) -> None:
    """The browser's first language decides, and the whole way to the answer is in it."""
    visitor = visit(museum, language="zh-CN", device=PHONE)
    expect(visitor.page.get_by_role("heading", name="您眼前的是什么？")).to_be_visible()

    visitor.show_photo(stranger())

    expect(visitor.page.get_by_role("heading", name="没有找到相符的展品或景点")).to_be_visible()
