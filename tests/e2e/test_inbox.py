"""A visitor lets the museum keep a photo, or takes it back; the curator adds it to an exhibit."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e.product import Product, start_product
from e2e.scenes import fill, snapshot, stranger
from e2e.test_page import violations
from e2e.visitor import PHONE, visitors_at
from playwright.sync_api import Browser, expect


@pytest.fixture(scope="module")
def taking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose operator takes photos for 14 days."""
    folder: Path = tmp_path_factory.mktemp("taking")
    with start_product(folder, M1_INBOX_DAYS="14") as running:
        fill(running, "museum")
        yield running


def test_a_photo_goes_from_the_visitor_to_an_exhibit(browser: Browser, taking: Product, axe: str) -> None:
    """Nothing is sent before the visitor agrees; one click adds the photo to an exhibit, which is then recognised."""
    inbox = f"{taking.address}/collections/museum/inbox"
    with visitors_at(browser, taking.address) as open_page:
        visitor = open_page("#/match?collection=museum", device=PHONE)
        visitor.show_photo(stranger())
        expect(visitor.page.get_by_text("it is deleted within 14 days")).to_be_visible()
        assert httpx.get(inbox, timeout=60).json()["entries"] == []
        assert violations(visitor, axe) == []

        visitor.page.get_by_role("button", name="Yes, send the photo").click()

        expect(visitor.page.get_by_text("The photo has been sent.")).to_be_focused()
        (entry,) = httpx.get(inbox, timeout=60).json()["entries"]
        nearest = entry["match"]["place_name"]

        curator = open_page("#/collections/museum")
        curator.page.get_by_role("link", name="Inbox").click()
        expect(curator.page.get_by_text("No match")).to_be_visible()
        assert violations(curator, axe) == []
        curator.page.get_by_role("button", name=f"It is “{nearest}”").click()

        expect(curator.page.get_by_text("No photos are waiting.")).to_be_visible()
        visitor.show_photo(stranger(seen_again=True))
        expect(visitor.page.get_by_role("heading", name=nearest)).to_be_visible()


def test_a_visitor_who_was_answered_is_asked_only_after_saying_wrong(browser: Browser, taking: Product) -> None:
    """A right answer leads to no question. Whoever has sent a photo can take it back, also after a reload."""
    inbox = f"{taking.address}/collections/museum/inbox"
    with visitors_at(browser, taking.address) as open_page:
        visitor = open_page("#/match?collection=museum", device=PHONE)
        visitor.show_photo(snapshot("Cat Chelsea"))
        question = visitor.page.get_by_role("heading", name="May the museum keep this photo?")
        feedback = visitor.page.locator(".feedback")

        expect(feedback).to_be_visible()
        expect(question).to_have_count(0)
        feedback.get_by_role("button", name="Wrong", exact=True).click()
        expect(question).to_be_visible()
        feedback.get_by_role("button", name="Right", exact=True).click()
        expect(question).to_be_hidden()
        feedback.get_by_role("button", name="Wrong", exact=True).click()
        visitor.page.get_by_role("button", name="Yes, send the photo").click()
        expect(visitor.page.get_by_text("The photo has been sent.")).to_be_focused()
        assert len(httpx.get(inbox, timeout=60).json()["entries"]) == 1

        visitor.page.wait_for_function("JSON.parse(sessionStorage.answer ?? null)?.feedback === 'wrong'")
        visitor.page.reload()
        visitor.page.get_by_role("button", name="Delete it again").click()

        expect(visitor.page.get_by_text("The photo has been deleted.")).to_be_focused()
        assert httpx.get(inbox, timeout=60).json()["entries"] == []
