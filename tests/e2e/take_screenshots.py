"""Photographs the page for the READMEs: a product of its own, the sample collection, a real browser.

`make screenshots` writes docs/images/*.webp.
"""

import io
import sys
import tempfile
from pathlib import Path

from e2e.conftest import CHROMIUM
from e2e.product import start_product
from e2e.visitor import DESKTOP, PHONE, Visitor
from PIL import Image
from playwright.sync_api import sync_playwright

PATIENCE_MS = 120_000
QUERY = "Ask about: Cup of coffee"


def main(folder: Path) -> None:
    """Write pictures of the answer, on a phone, and of a collection, a comparison and the status, at a desk."""
    if CHROMIUM is None:
        raise SystemExit("no chromium: make test-e2e installs Debian's")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as gallery,
        start_product(Path(gallery)) as product,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        operator = Visitor(browser, product.address, device=DESKTOP)
        operator.go("#/collections")
        operator.page.get_by_role("button", name="Load a sample collection").click()
        operator.page.get_by_role("heading", name="This is a sample").wait_for(timeout=PATIENCE_MS)
        for photo in operator.page.locator(".query img").all():
            photo.evaluate("(image) => image.decode()")
        save(operator, folder / "collection.webp")
        visitor = Visitor(browser, product.address, device=PHONE)
        visitor.go("#/collections/sample")
        visitor.page.get_by_role("button", name=QUERY).click()
        visitor.page.locator(".answered h1").wait_for(timeout=PATIENCE_MS)
        visitor.page.locator(".answered img").first.evaluate("(image) => image.decode()")
        save(visitor, folder / "answer.webp")
        curious = Visitor(browser, product.address, device=DESKTOP)
        curious.go("#/collections/sample")
        curious.page.get_by_role("button", name=QUERY).click()
        curious.page.get_by_role("button", name="Compare the photos", exact=True).click(timeout=PATIENCE_MS)
        curious.page.locator(".overlay circle").first.wait_for()
        save(curious, folder / "comparison.webp")
        curious.go("#/status")
        curious.page.locator(".times").wait_for()
        save(curious, folder / "status.webp")
        browser.close()


def save(person: Visitor, path: Path) -> None:
    """Write what is on the screen, small."""
    picture = Image.open(io.BytesIO(person.page.screenshot()))
    picture.convert("RGB").save(path, "WEBP", quality=80, method=6)
    print(f"{path}: {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
