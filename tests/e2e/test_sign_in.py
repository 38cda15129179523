"""A product with keys: visitors match without one, curators sign in where it is needed."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from e2e.product import Product, start_product
from e2e.scenes import PLACES, reference, snapshot
from e2e.test_page import violations
from e2e.visitor import DESKTOP, PHONE, SMALL_PHONE, Visitor
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
def annex(museum: Product, keys_file: Path) -> Iterator[str]:
    """A second collection, without photos."""
    headers = {"Authorization": f"Bearer {create_key(keys_file, 'builder', 'manage')}"}
    httpx.post(f"{museum.address}/collections", json={"name": "annex"}, headers=headers).raise_for_status()
    yield "annex"
    httpx.delete(f"{museum.address}/collections/annex?permanently=true", headers=headers).raise_for_status()
    revoke_key(keys_file, "builder")


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
    """The operator's pages ask for a key; a wrong one is refused; the right one leads on, and signing out ends it."""
    person.expect_complaint(REFUSED)
    page = person.page
    person.go("")
    page.get_by_role("link", name="For staff").click()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Key").fill("sim_wrong")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").filter(has_text="not known here")).to_be_visible()
    page.get_by_role("textbox", name="Key").fill(curator_key)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="museum").click()
    page.get_by_role("link", name=PLACE).click()

    expect(page.get_by_role("button", name="Delete this place")).to_be_visible()
    kept = page.evaluate("JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    assert curator_key not in kept
    assert "matcher_session" not in kept
    page.reload()
    expect(page.get_by_role("button", name="Delete this place")).to_be_visible()

    person.go("#/status")
    expect(page.get_by_text("You are signed in as curator")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="For staff only")).to_be_visible()
    expect(page.locator("nav a")).to_have_text(["Match"])
    assert person.complaints == []


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize(
    "view", ["#/collections", "#/collections/museum", f"#/collections/museum/places/{PLACE}", "#/status"]
)
def test_visitors_do_not_see_the_operators_desk(browser: Browser, museum: Product, view: str, language: str) -> None:
    """No way to it in the bar; at its addresses a way in for staff, and nothing of what runs or could be changed."""
    visitor = Visitor(browser, museum.address, device=PHONE, language=language)
    visitor.go("")
    expect(visitor.page.get_by_role("link", name=re.compile("For staff|管理入口"))).to_be_visible()
    expect(visitor.page.locator("nav a")).to_have_count(1)

    visitor.turn_to(view)

    expect(visitor.page.get_by_role("heading", name=re.compile("For staff only|仅限工作人员"))).to_be_visible()
    expect(visitor.page.locator("nav a")).to_have_count(1)
    expect(visitor.page.locator("main button:visible")).to_have_text([re.compile("Sign in|登录")])
    expect(visitor.page.locator("main input, main img, main dd")).to_have_count(0)
    visitor.leave()
    assert visitor.complaints == []


def test_a_visitor_of_an_empty_collection_is_not_asked_to_fill_it(browser: Browser, museum: Product) -> None:
    """An outdated code and an empty gallery are explained for visitors."""
    visitor = Visitor(browser, museum.address, device=PHONE)
    visitor.go("?collection=former name")

    expect(visitor.page.get_by_role("heading", name="This link is out of date")).to_be_visible()
    expect(visitor.page.locator("main a")).to_have_count(0)
    visitor.page.get_by_role("button", name="museum").click()
    visitor.show_photo(snapshot(PLACE))
    expect(visitor.page.get_by_role("heading", name=PLACE, level=1)).to_be_visible()
    visitor.leave()


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
    expect(page.get_by_role("alert").filter(has_text="This needs a key")).to_be_visible()


def test_an_admin_sees_the_keys_and_what_runs(person: Visitor, curator_key: str, keys_file: Path) -> None:
    """Names and roles of the keys, models and queues; nobody else is shown them."""
    person.expect_complaint(REFUSED)
    page = person.page
    person.go("#/status")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Key").fill(curator_key)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("shown to admins")).to_be_visible()
    expect(page.get_by_text("Photos in the queue")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Key").fill(create_key(keys_file, "auditor", "admin"))
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()

    expect(page.get_by_text("You are signed in as auditor (may do everything).")).to_be_visible()
    expect(page.get_by_text("Photos in the queue")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="curator")).to_be_visible()
    assert curator_key not in page.content()


def sign_in(somebody: Visitor, key: str) -> None:
    """Sign in without the dialog; the page notices it when it is loaded again."""
    somebody.page.evaluate(
        "(key) => fetch('session', { method: 'POST', headers: { Authorization: `Bearer ${key}` } })", key
    )


@pytest.mark.parametrize("how", [{"device": DESKTOP}, {"device": PHONE, "language": "zh-CN"}], ids=["en", "zh"])
def test_an_admin_creates_and_revokes_keys_in_the_page(
    browser: Browser, museum: Product, keys_file: Path, axe: str, how: dict
) -> None:
    """The new key is shown once and works at once; revoked, it is refused."""
    admin = Visitor(browser, museum.address, **how)
    boss, name = create_key(keys_file, f"boss-{how['device'].width}", "admin"), f"desk-{how['device'].width}"
    admin.go("")
    sign_in(admin, boss)
    admin.go("#/status")
    admin.page.reload()
    page = admin.page

    page.get_by_label(re.compile("^(Who is it for|给谁使用)")).fill(name)
    page.get_by_label(re.compile("^(Role|权限)")).select_option("manage")
    page.get_by_role("button", name=re.compile("Create a key|创建密钥")).click()
    shown = page.get_by_role("dialog").get_by_role("textbox")
    expect(shown).to_have_value(re.compile("^sim_"))
    key = shown.input_value()
    assert violations(admin, axe) == []
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Close|关闭")).click()
    entry = page.get_by_role("listitem").filter(has_text=name)
    expect(entry).to_be_visible()
    assert violations(admin, axe) == []
    assert key not in page.content()
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{museum.address}/index/images", headers=headers).status_code == 200
    entry.get_by_role("button").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^(Revoke|吊销)$")).click()
    expect(entry).to_have_count(0)
    assert httpx.get(f"{museum.address}/index/images", headers=headers).status_code == 401
    assert page.evaluate("document.documentElement.scrollWidth") <= how["device"].width
    assert admin.complaints == []
    admin.leave()
    revoke_key(keys_file, f"boss-{how['device'].width}")


def test_a_key_for_one_collection_shows_no_other(
    browser: Browser, museum: Product, keys_file: Path, annex: str, axe: str
) -> None:
    """An admin chooses the collections of a new key; whoever signs in with it sees those alone and creates no other."""
    somebody = Visitor(browser, museum.address, device=SMALL_PHONE, language="zh-CN")
    page = somebody.page
    somebody.go("")
    sign_in(somebody, create_key(keys_file, "registrar", "admin"))
    somebody.go("#/status")
    page.reload()

    page.get_by_label(re.compile("^给谁使用")).fill("guide")
    page.get_by_label("权限").select_option("manage")
    page.get_by_role("checkbox", name="所有图库").uncheck()
    assert not page.locator("form.creation").evaluate("(form) => form.checkValidity()")
    page.get_by_role("checkbox", name="museum").check()
    assert violations(somebody, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALL_PHONE.width
    page.get_by_role("button", name="创建密钥").click()
    shown = page.get_by_role("dialog").get_by_role("textbox")
    expect(shown).to_have_value(re.compile("^sim_"))
    key = shown.input_value()
    page.get_by_role("dialog").get_by_role("button", name="关闭").click()
    expect(page.get_by_role("listitem").filter(has_text="guide")).to_contain_text("仅限 museum")

    sign_in(somebody, key)
    somebody.go("#/collections")
    page.reload()
    expect(page.get_by_role("link", name="museum")).to_be_visible()
    expect(page.get_by_role("link", name=annex)).to_have_count(0)
    expect(page.get_by_role("heading", name="新建图库")).to_have_count(0)
    somebody.go("#/status")
    expect(page.get_by_text("您的密钥仅可用于 museum。")).to_be_visible()
    somebody.leave()
    assert somebody.complaints == []
