"""A person in front of the page, on a phone or at a desk."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, FilePayload, Locator, Page, expect


@dataclass(frozen=True, slots=True)
class Device:
    """Screen and fingers."""

    width: int
    height: int
    is_phone: bool


PHONE = Device(390, 844, is_phone=True)
SMALL_PHONE = Device(320, 640, is_phone=True)
DESKTOP = Device(1280, 900, is_phone=False)


class Visitor:
    """One browser profile with one open page.

    Attributes:
        page: Playwright's page.
        complaints: errors and warnings of the console, uncaught exceptions, requests to other hosts.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        *,
        device: Device,
        language: str = "en-GB",
        dark: bool = False,
        offline_shell: bool = False,
        script: str = "",
        permissions: Sequence[str] = (),
    ) -> None:
        self._address = address
        self._context = browser.new_context(
            viewport={"width": device.width, "height": device.height},
            is_mobile=device.is_phone,
            has_touch=device.is_phone,
            locale=language,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            permissions=permissions,
            # A service worker would stand between the tests and the requests they interrupt.
            service_workers="allow" if offline_shell else "block",
        )
        if script:  # which changes the browser before the page runs
            self._context.add_init_script(script)
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self._expected = [] if offline_shell else ["Service Worker registration blocked by Playwright"]
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("request", lambda request: self._note_foreign(request.url))

    def go(self, address: str) -> None:
        """Open an address within the page, such as ``#/status``, and wait for its heading."""
        self.page.goto(f"{self._address}/{address}")
        self.page.locator("h1").first.wait_for()

    def turn_to(self, view: str) -> None:
        """Go to another view without loading the page again, and wait until all of it is there."""
        self.turn_to_now(view)
        self.wait_until_loaded()

    def wait_until_loaded(self) -> None:
        """Wait until nothing on the page says that it is being fetched."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def boxes(self, selector: str) -> list[dict[str, float]]:
        """Where every shown element is, in pixels; read in one step, as a view that is drawn anew replaces them."""
        self.page.locator(selector).first.wait_for()
        return self.page.evaluate(
            """(selector) =>
              [...document.querySelectorAll(selector)]
                .filter((element) => element.checkVisibility())
                .map((element) => element.getBoundingClientRect().toJSON())""",
            selector,
        )

    def expect_complaint(self, part: str) -> None:
        """Let the browser say something, such as that a request failed which the test makes fail."""
        self._expected.append(part)
        self.complaints = [complaint for complaint in self.complaints if part not in complaint]

    def turn_to_now(self, view: str) -> None:
        """Go to another view without loading the page again, and do not wait for what it asks the server."""
        self.page.evaluate(
            """(view) => {
              for (const element of document.getElementById("main").children) element.dataset.left = "";
              location.hash = view;
            }""",
            view,
        )
        self.page.locator("#main > :not([data-left]) h1").first.wait_for()

    def delete_collection(self) -> Locator:
        """On a collection's page: ask for its deletion. Returns the question that comes first."""
        # The browser's own note of a picture that was deleted while it was fetched.
        self.expect_complaint("404")
        expect(self.page.locator(".cards .card")).not_to_have_count(0)
        self.page.get_by_role("button", name="Delete", exact=True).click()
        return self.page.get_by_role("dialog")

    def show_photo(self, data: bytes, name: str = "photo.jpg") -> None:
        """Choose a photo on the match page or beside an answer."""
        self.page.locator("input[type=file]:not([capture])").first.set_input_files(payload(name, data))

    def sent(self) -> Any:
        """What the page's last form carried: its collection, and every photo's bytes. Call it before as well."""
        return self.page.evaluate(
            """async () => {
              const { sent } = window;
              const send = XMLHttpRequest.prototype.send;
              if (!("sent" in window))
                XMLHttpRequest.prototype.send = function (form) {
                  window.sent = form;
                  send.call(this, form);
                };
              window.sent ??= null;
              const bytes = async (file) => [...new Uint8Array(await file.arrayBuffer())];
              const photos = sent && (await Promise.all(sent.getAll("file").map(bytes)));
              return sent && { collection: sent.get("collection"), photos };
            }"""
        )

    def choose(self, files: Sequence[tuple[str, bytes]], kind: str = "image") -> None:
        """Choose files on a collection's page; ``kind`` is image or zip."""
        self.page.locator(f".dropzone input[accept*={kind}]").set_input_files([payload(*file) for file in files])

    def lose_connection(self) -> None:
        """No network from here on."""
        self._context.set_offline(True)

    def find_connection(self) -> None:
        """The network is back."""
        self._context.set_offline(False)

    def leave(self) -> None:
        """Close the profile."""
        self._context.close()

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(part in text for part in self._expected):
            self.complaints.append(text)

    def _note_foreign(self, url: str) -> None:
        if not url.startswith((self._address, "blob:", "data:")):
            self.complaints.append(f"asked another host: {url}")


def payload(name: str, data: bytes) -> FilePayload:
    """A file as Playwright hands it to an input."""
    content: Any = {"name": name, "mimeType": "application/zip" if name.endswith(".zip") else "image/jpeg"}
    return {**content, "buffer": data}


@contextmanager
def visitors_at(browser: Browser, site: str, *, expected: Sequence[str] = ()) -> Iterator[Callable[..., Visitor]]:
    """Give a function that opens the page; whatever the page complains about fails the test at the end of the block.

    Args:
        browser: that all visitors use.
        site: the page's address.
        expected: parts of complaints that are none here.
    """
    visitors: list[Visitor] = []

    def open_page(address: str = "", **person: object) -> Visitor:
        visitor = Visitor(browser, site, **{"device": DESKTOP, **person})
        for part in expected:
            visitor.expect_complaint(part)
        visitors.append(visitor)
        visitor.go(address)
        return visitor

    yield open_page
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for visitor in visitors:
        visitor.leave()
    assert not complaints, complaints
