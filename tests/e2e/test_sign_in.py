"""A product with keys: visitors match without one, curators sign in where it is needed."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from e2e.product import Product, start_product
from e2e.scenes import PLACES, reference, snapshot
from e2e.visitor import DESKTOP, Visitor
from playwright.sync_api import Browser, expect

from serving.auth.keys import KeysError, create_key, revoke_key

PLACE = next(iter(PLACES))
REFUSED = "Failed to load resource: the server responded with a status of 401"


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the product's keys are: an admin's to begin with."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    create_key(path, "boss", "admin")
    return path


@pytest.fixture(scope="module")
def museum(tmp_path_factory: pytest.TempPathFactory, keys_file: Path) -> Iterator[Product]:
    """A product that asks for keys, with one place in its gallery."""
    settings = {"GATEWAY_KEYS_FILE": str(keys_file), "GATEWAY_ANONYMOUS_ROLE": "match"}
    with start_product(tmp_path_factory.mktemp("guarded"), **settings) as product:
        added = httpx.post(
            f"{product.address}/index/images",
            headers={"Authorization": f"Bearer {create_key(keys_file, 'filler', 'manage')}"},
            data={"collection": "museum", "place_id": PLACE, "place_name": PLACE},
            files={"file": ("a.jpg", reference(PLACE))},
            timeout=60,
        )
        assert added.json()["added"] == 1
        yield product


@pytest.fixture
def curator_key(museum: Product, keys_file: Path) -> Iterator[str]:
    """A key that may manage."""
    yield create_key(keys_file, "curator", "manage")
    with suppress(KeysError):  # the test has revoked it
        revoke_key(keys_file, "curator")


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


def test_a_curator_signs_in_where_it_is_needed(person: Visitor, curator_key: str) -> None:
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
    expect(page.get_by_text("You are signed in as curator")).to_be_visible()
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
    expect(page.get_by_text("You are signed in as curator")).to_be_visible()

    revoke_key(keys_file, "curator")
    person.go(f"#/collections/museum/places/{PLACE}")

    expect(page.get_by_role("heading", name="This needs a key")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert").filter(has_text="this needs a key with the role manage")).to_be_visible()


def test_an_admin_sees_the_keys_and_what_runs(person: Visitor, curator_key: str, keys_file: Path) -> None:
    """Names and roles of the keys, models and queues; nobody else is shown them."""
    person.expect_complaint(REFUSED)
    page = person.page
    person.go("#/status")
    expect(page.get_by_text("shown to admins")).to_be_visible()
    expect(page.get_by_text("Photos in the queue")).to_have_count(0)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Key").fill(create_key(keys_file, "auditor", "admin"))
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()

    expect(page.get_by_text("You are signed in as auditor (may do everything).")).to_be_visible()
    expect(page.get_by_text("Photos in the queue")).to_be_visible()
    expect(page.locator("dt", has_text="curator")).to_be_visible()
    assert curator_key not in page.content()
