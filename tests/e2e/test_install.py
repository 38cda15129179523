"""The page as an app of its own: what makes it installable, and what is there without a connection."""

import json
from collections.abc import Callable

import pytest
from e2e.product import Product
from e2e.scenes import fill, snapshot
from e2e.visitor import PHONE, Visitor
from playwright.sync_api import expect

Visit = Callable[..., Visitor]

PAGE = "#/match?collection=kept"
KEPT = """async () => {
  const shell = await caches.open("shell");
  const isKept = async () => navigator.serviceWorker.controller && (await shell.keys()).length > 17;
  while (!(await isKept())) await new Promise(requestAnimationFrame);
}"""


@pytest.fixture
def visitor(product: Product, visit: Visit) -> Visitor:
    """Somebody who has the page open, whose service worker has kept it."""
    fill(product, "kept")
    visitor = visit(PAGE, device=PHONE, offline_shell=True)
    visitor.page.evaluate(KEPT)
    return visitor


def test_the_browser_would_install_it(visitor: Visitor) -> None:
    """Chromium reads the manifest without complaint and finds nothing in the way."""
    devtools = visitor.page.context.new_cdp_session(visitor.page)

    manifest = devtools.send("Page.getAppManifest")
    obstacles = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]

    assert manifest["errors"] == []
    assert json.loads(manifest["data"])["short_name"]
    # A browser profile that leaves no traces installs nothing; Playwright's are of that kind.
    assert [each["errorId"] for each in obstacles if each["errorId"] != "in-incognito"] == []


def test_the_page_opens_without_a_connection(visitor: Visitor) -> None:
    """After one visit the page itself is there offline, and says plainly what it cannot do."""
    visitor.expect_complaint("ERR_INTERNET_DISCONNECTED")

    visitor.lose_connection()
    visitor.page.reload()
    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_role("alert")).to_contain_text("The server cannot be reached")


def test_a_part_of_the_page_that_is_not_kept_is_missed_in_words(visitor: Visitor) -> None:
    """Offline, a tap on the operator's pages says what is wrong, and the same tap works once there is a connection."""
    visitor.expect_complaint("ERR_INTERNET_DISCONNECTED")
    visitor.expect_complaint("ERR_FAILED")  # by the service worker
    page = visitor.page

    visitor.lose_connection()
    page.get_by_role("link", name="Collections").click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    visitor.find_connection()
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("link", name="kept")).to_be_visible()


def test_nothing_but_the_page_itself_is_kept(visitor: Visitor) -> None:
    """No answer, no photo and no list of places stays on the phone."""
    visitor.show_photo(snapshot("Rocket"))
    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()

    kept = visitor.page.evaluate(
        """async () => {
          const urls = [];
          for (const name of await caches.keys()) {
            for (const { url } of await (await caches.open(name)).keys()) urls.push(new URL(url).pathname);
          }
          return urls;
        }"""
    )

    assert kept
    assert [path for path in kept if path != "/" and not path.endswith((".js", ".css"))] == []


def test_a_new_version_replaces_the_kept_one_at_once(visitor: Visitor) -> None:
    """While there is a connection, what an older version has left on the phone is never shown."""
    visitor.page.evaluate(
        """async () => {
          const shell = await caches.open("shell");
          const old = new Response("document.title = 'old'", { headers: { "Content-Type": "text/javascript" } });
          await shell.put(new URL("app.js", location.href).href, old);
        }"""
    )

    visitor.page.reload()

    expect(visitor.page.get_by_role("heading", name="What are you looking at?")).to_be_visible()
    kept = visitor.page.evaluate(
        "caches.open('shell').then((shell) => shell.match('app.js')).then((app) => app.text())"
    )
    assert "document.title = 'old'" not in kept
