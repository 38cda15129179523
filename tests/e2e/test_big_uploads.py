"""Uploads of hundreds of photos: in small batches, through pauses, broken connections and reloads."""

import json
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from e2e.product import Product
from e2e.scenes import PLACES, fill, packed, reference, snapshot
from e2e.visitor import PHONE, Visitor
from fakes.images import draw_place, encode
from playwright.sync_api import Request, Route, expect

from contracts.images import AddOutcome, AddReply

Visit = Callable[..., Visitor]

logger = logging.getLogger(__name__)


def photo(seed: int) -> bytes:
    """A small photo unlike all others."""
    return encode(draw_place(seed, (160, 120)))


def files_of(request: Request) -> int:
    """How many photos a request carries."""
    return len(re.findall(rb'filename="', request.post_data_buffer or b""))


def test_the_same_photos_again_add_nothing(visit: Visit, product: Product) -> None:
    """After a reload the operator may simply choose everything again: what is there is recognised."""
    fill(product, "repeated")
    operator = visit("#/collections/repeated")

    operator.choose([("again.jpg", reference("Rocket")), ("new.jpg", snapshot("Rocket"))])
    operator.page.get_by_role("button", name="Add 2 photos").click()

    expect(operator.page.locator(".tally")).to_have_text(re.compile("Added 1.*Already there 1.*Not added 0"))


def test_an_interrupted_upload_goes_on_by_itself(visit: Visit) -> None:
    """A broken connection costs time, no photo."""
    operator = visit("#/collections/interrupted")
    operator.expect_complaint("ERR_INTERNET_DISCONNECTED")
    operator.page.route("**/index/images", lambda route: route.abort("internetdisconnected"), times=2)

    operator.choose([(f"{number}.jpg", reference(place)) for number, place in enumerate(PLACES)])
    operator.page.get_by_role("button", name="Add 3 photos").click()

    expect(operator.page.get_by_text("The connection is interrupted")).to_be_visible()
    operator.page.get_by_role("button", name="Try now").click()
    expect(operator.page.locator(".tally")).to_contain_text("Added 3", timeout=20_000)


def test_five_hundred_photos_go_in_small_batches_and_can_be_paused(visit: Visit) -> None:
    """No request carries more than eight photos, every file has its row, and a pause holds everything back."""
    operator = visit("#/collections/large")
    batches: list[int] = []

    def accept(route: Route) -> None:
        names = re.findall(rb'filename="([^"]+)"', route.request.post_data_buffer or b"")
        batches.append(len(names))
        outcomes = [AddOutcome(filename=name.decode(), status="added") for name in names]
        reply = AddReply(collection="large", added=len(names), duplicates=0, rejected=0, results=outcomes)
        route.fulfill(json=json.loads(reply.model_dump_json()))

    operator.page.route("**/index/images", accept)

    operator.choose([(f"{number}.jpg", b"\xff\xd8 %d" % number) for number in range(500)])
    operator.page.get_by_role("button", name="Add 500 photos").click()
    operator.page.get_by_role("button", name="Pause").click()
    expect(operator.page.get_by_role("heading", name="Paused")).to_be_visible()
    operator.page.get_by_role("button", name="Continue").click()

    expect(operator.page.get_by_text("500 of 500 photos")).to_be_visible(timeout=60_000)
    expect(operator.page.locator(".files li.added")).to_have_count(500)
    assert sum(batches) == 500
    assert max(batches) == 8


@pytest.mark.parametrize("kind", ["photos", "zip"])
def test_an_upload_goes_on_after_a_reload(visit: Visit, kind: str) -> None:
    """The page remembers what was under way; the same chosen again sends only what had not arrived."""
    operator = visit(f"#/collections/reloaded-{kind}", device=PHONE)
    operator.expect_complaint("ERR_INTERNET_DISCONNECTED")
    page = operator.page
    page.on("dialog", lambda dialog: dialog.accept())  # leave, although photos are still being added
    photos = {f"{place}/{number}.jpg": photo(10 * place + number) for place in range(3) for number in range(8)}
    chosen = [("all.zip", packed(photos))] if kind == "zip" else [(path[2:], data) for path, data in photos.items()]
    sent: list[int] = []
    is_cut = True

    def note(route: Route) -> None:
        if is_cut and len(sent) == 2:
            route.abort("internetdisconnected")
        else:
            sent.append(files_of(route.request))
            route.continue_()

    page.route("**/index/images", note)
    operator.choose(chosen, "zip" if kind == "zip" else "image")
    page.get_by_role("button", name="Add 24 photos").click()
    expect(page.get_by_text("The connection is interrupted")).to_be_visible()
    page.reload()
    is_cut = False

    expect(page.get_by_text("An upload was interrupted: 16 of 24 photos had arrived.")).to_be_visible()
    operator.choose(chosen, "zip" if kind == "zip" else "image")
    page.get_by_role("button", name="Add 24 photos").click()

    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    expect(page.locator(".tally")).to_have_text(re.compile("Added 8.*Already there 16.*Not added 0"))
    expect(page.get_by_text("16 photos were there before and were not sent again.")).to_be_visible()
    assert sent == [8, 8, 8]
    page.reload()
    expect(page.get_by_role("link", name="QR code")).to_be_visible()
    expect(page.get_by_text("An upload was interrupted")).to_have_count(0)


def test_an_interrupted_upload_can_be_left_at_that(visit: Visit) -> None:
    """Whoever does not want the rest says so once; the way it was divided is remembered until then."""
    operator = visit("#/collections/abandoned")
    operator.expect_complaint("ERR_INTERNET_DISCONNECTED")
    page = operator.page
    page.on("dialog", lambda dialog: dialog.accept())
    page.route("**/index/images", lambda route: route.abort("internetdisconnected"))
    operator.choose([("1.jpg", photo(1)), ("2.jpg", photo(2))])
    page.get_by_label("All show the same place").check()
    page.get_by_label("Name of the place").fill("Tower")
    page.get_by_role("button", name="Add 2 photos").click()
    expect(page.get_by_text("The connection is interrupted")).to_be_visible()
    page.reload()

    operator.choose([("1.jpg", photo(1)), ("2.jpg", photo(2))])
    expect(page.get_by_label("All show the same place")).to_be_checked()
    expect(page.get_by_label("Name of the place")).to_have_value("Tower")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Leave it at that").click()
    page.reload()

    expect(page.get_by_text("Choose photos, or drop them here")).to_be_visible()
    expect(page.get_by_text("An upload was interrupted")).to_have_count(0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_hundred_photos_really_arrive(visit: Visit, product: Product, tmp_path: Path) -> None:
    """A folder of fifty places goes through the models into the gallery; the same again is known at once."""
    for seed in range(500):
        folder = tmp_path / f"place {seed % 50:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"{seed}.jpg").write_bytes(photo(1000 + seed))
    operator = visit("#/collections/five-hundred")
    page = operator.page

    def add_all() -> float:
        page.locator("input[webkitdirectory]").set_input_files(tmp_path)
        page.get_by_role("button", name="Add 500 photos").click()
        started = time.monotonic()
        expect(page.get_by_role("heading", name="Finished")).to_be_visible(timeout=840_000)
        return time.monotonic() - started

    took_s = add_all()
    expect(page.locator(".tally")).to_have_text(re.compile("Added 500.*Already there 0.*Not added 0"))
    expect(page.get_by_text("50 places · 500 photos")).to_be_visible()
    page.get_by_role("button", name="Done").click()
    again_s = add_all()
    expect(page.get_by_text("500 photos were there before and were not sent again.")).to_be_visible()

    logger.info("500 photos were added in %.0f s, and recognised in %.1f s", took_s, again_s)
    assert again_s < took_s / 2
    listed = httpx.get(f"{product.address}/index/places", params={"collection": "five-hundred"}).json()
    assert listed["total"] == 50
