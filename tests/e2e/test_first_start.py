"""The first five minutes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.product import start_product
from e2e.scenes import PLACES, reference, snapshot
from e2e.visitor import DESKTOP, Visitor
from playwright.sync_api import Browser, expect


@pytest.fixture
def newcomer(browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody in front of a product whose gallery is empty."""
    with start_product(tmp_path) as product:
        person = Visitor(browser, product.address, device=DESKTOP)
        yield person
        person.leave()


def test_an_empty_gallery_leads_to_the_upload_and_on_to_the_first_answer(newcomer: Visitor) -> None:
    """Nothing → first photos → a photo recognised, without leaving the page."""
    page = newcomer.page
    newcomer.go("")

    page.get_by_role("link", name="Add the first photos").click()
    page.get_by_label("Name").fill("My museum")
    page.get_by_role("button", name="Create").click()
    newcomer.choose([(f"{place}.jpg", reference(place)) for place in PLACES])
    page.get_by_role("button", name="Add 3 photos").click()
    page.get_by_role("link", name="Open for visitors").click()
    newcomer.show_photo(snapshot("Cat Chelsea"))

    expect(page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_visible()
    assert newcomer.complaints == []
