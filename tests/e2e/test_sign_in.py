"""A product with keys: visitors match without one, curators sign in where it is needed."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e.product import Product, start_product
from e2e.scenes import PLACES, reference, snapshot
from e2e.visitor import DESKTOP, Visitor
from playwright.sync_api import Browser, expect

from serving.auth.keys import create_key, revoke_key

PLACE = next(iter(PLACES))
REFUSED = "Failed to load resource: the server responded with a status of 401"


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Where the product's keys are."""
    return tmp_path / "keys.json"


@pytest.fixture
def curator_key(keys_file: Path) -> str:
    """A key that may manage."""
    return create_key(keys_file, "curator", "manage")


@pytest.fixture
def museum(tmp_path: Path, keys_file: Path, curator_key: str) -> Iterator[Product]:
    """A product that asks for keys, with one place in its gallery."""
    with start_product(tmp_path, GATEWAY_KEYS_FILE=str(keys_file), GATEWAY_ANONYMOUS_ROLE="match") as product:
        added = httpx.post(
            f"{product.address}/index/images",
            headers={"Authorization": f"Bearer {curator_key}"},
            data={"collection": "museum", "place_id": PLACE, "place_name": PLACE},
            files={"file": ("a.jpg", reference(PLACE))},
            timeout=60,
        )
        assert added.json()["added"] == 1
        yield product


@pytest.fixture
def person(browser: Browser, museum: Product) -> Iterator[Visitor]:
    """Somebody in front of it."""
    somebody = Visitor(browser, museum.address, device=DESKTOP)
    yield somebody
    somebody.leave()


def test_visitors_need_no_key(person: Visitor) -> None:
    """A photo is recognised, and its previews are shown, to people who never signed in."""
    person.go("")
    person.show_photo(snapshot(PLACE))

    expect(person.page.get_by_role("heading", name=PLACE, level=1)).to_be_visible()
    assert person.page.evaluate("document.images.length && [...document.images].every((image) => image.naturalWidth)")
    assert person.complaints == []


def test_a_curator_signs_in_where_it_is_needed(person: Visitor, curator_key: str, keys_file: Path) -> None:
    """Opening a place asks for a key; a wrong one is told; the right one leads on, and signing out ends it."""
    person.expect_complaint(REFUSED)
    page = person.page
    person.go("#/collections")
    page.get_by_role("link", name="museum").click()
    page.get_by_role("link", name=PLACE).click()
    page.get_by_role("textbox", name="Key").fill("sim_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").filter(has_text="not known here")).to_be_visible()
    page.get_by_role("textbox", name="Key").fill(curator_key)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("button", name="Delete this place")).to_be_visible()
    kept = page.evaluate("JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    assert curator_key not in kept
    assert "matcher_session" not in kept
    page.reload()
    expect(page.get_by_role("button", name="Delete this place")).to_be_visible()

    person.go("#/status")
    expect(page.get_by_text("curator (manage)")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are not signed in.")).to_be_visible()
    assert person.complaints == []


def test_a_revoked_key_is_asked_for_again(person: Visitor, curator_key: str, keys_file: Path) -> None:
    """A browser whose key was revoked meanwhile is told so by the next thing it does."""
    person.expect_complaint(REFUSED)
    page = person.page
    person.go("#/status")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Key").fill(curator_key)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("curator (manage)")).to_be_visible()

    revoke_key(keys_file, "curator")
    person.go(f"#/collections/museum/places/{PLACE}")

    expect(page.get_by_role("heading", name="This needs a key")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert").filter(has_text="this needs a key with the role manage")).to_be_visible()
