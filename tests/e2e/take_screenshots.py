"""Photographs the page for the documents: products of its own, the sample's photographs, a real browser.

`make screenshots` writes docs/images/*.webp: the pictures of the READMEs, and in both languages those of three journeys
in docs/page.md.
"""

import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
from e2e.conftest import CHROMIUM
from e2e.product import Product, start_product
from e2e.site import Site, serving_site
from e2e.visitor import DESKTOP, PHONE, Device, Visitor, payload
from fakes.images import encode, see_again
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from core.building.sample_photos import SAMPLE_PHOTOS

WEB = Path(__file__).parents[2] / "gateway" / "web"
PATIENCE_MS = 120_000
QUERY = "Ask about: Cup of coffee"
PUBLIC_URL = "https://guide.example.org"
DESK = Device(960, 640, is_phone=False)
SIDE_BY_SIDE_PX = 280
"""Width of a phone's screen in a row of several."""
MARGIN_PX = 16
EXHIBITS = [photo for photo in SAMPLE_PHOTOS if photo.file in {"coffee.png", "chelsea.png", "coins.png", "rocket.jpg"}]
(COINS,) = [photo for photo in EXHIBITS if photo.file == "coins.png"]
(COFFEE,) = [photo for photo in EXHIBITS if photo.file == "coffee.png"]


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the documents.

    Attributes:
        tag: of the page's sentences.
        locale: of the browser.
        suffix: of the names of pictures.
        museum: name of the collection.
        site: heading of the museum's own site.
    """

    tag: str
    locale: str
    suffix: str
    museum: str
    site: str

    def sentences(self) -> Callable[..., str]:
        """The page's sentences by key; values fill the braces."""
        found: dict[str, str] = {}
        for path in WEB.glob(f"language/**/{self.tag}.js"):
            found.update(re.findall(r'^  "?([\w.]+)"?:\s+"(.*)",$', path.read_text(), re.MULTILINE))
        return lambda key, **values: found[key].format(**values)


LANGUAGES = (
    Language("en", "en-GB", "", "City Museum", "Plan your visit"),
    Language("zh", "zh-CN", ".zh-CN", "江南博物馆", "参观指南"),
)


def main(folder: Path) -> None:
    """Write all pictures into a folder."""
    if CHROMIUM is None:
        raise SystemExit("no chromium: make test-e2e installs Debian's")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with started() as product:
            readmes(browser, product, folder)
        for language in LANGUAGES:
            with (
                serving_site() as site,
                started(GATEWAY_PUBLIC_URL=PUBLIC_URL, GATEWAY_FRAME_ANCESTORS=site.origin) as product,
            ):
                curator(browser, product, language, folder)
                visitor(browser, product, language, folder)
                integrator(browser, product, language, site, folder)
        browser.close()


@contextmanager
def started(**settings: str) -> Iterator[Product]:
    """A product with an empty gallery."""
    with tempfile.TemporaryDirectory() as gallery, start_product(Path(gallery), **settings) as product:
        yield product


def readmes(browser: Browser, product: Product, folder: Path) -> None:
    """An answer, on a phone, and a collection, a comparison and the status, at a desk."""
    operator = Visitor(browser, product.address, device=DESKTOP)
    operator.go("#/collections")
    operator.page.get_by_role("button", name="Load a sample collection").click()
    operator.page.get_by_role("heading", name="This is a sample").wait_for(timeout=PATIENCE_MS)
    save(folder / "collection", seen(operator.page))
    phone = Visitor(browser, product.address, device=PHONE)
    phone.go("#/collections/sample")
    phone.page.get_by_role("button", name=QUERY).click()
    phone.page.locator(".answered h1").wait_for(timeout=PATIENCE_MS)
    save(folder / "answer", seen(phone.page))
    curious = Visitor(browser, product.address, device=DESKTOP)
    curious.go("#/collections/sample")
    curious.page.get_by_role("button", name=QUERY).click()
    curious.page.get_by_role("button", name="Compare the photos", exact=True).click(timeout=PATIENCE_MS)
    curious.page.locator(".overlay circle").first.wait_for()
    save(folder / "comparison", seen(curious.page))
    curious.go("#/status")
    curious.page.locator(".times").wait_for()
    save(folder / "status", seen(curious.page))


def curator(browser: Browser, product: Product, language: Language, folder: Path) -> None:
    """From an empty start to the poster."""
    words = language.sentences()
    person = Visitor(browser, product.address, device=DESK, language=language.locale)
    page = person.page
    shots: list[Image.Image] = []

    person.go("")
    page.get_by_role("link", name=words("match.empty.action")).click()
    page.get_by_label(words("collections.name")).fill(language.museum)
    shots.append(seen(page))
    page.get_by_role("button", name=words("collections.create")).click()
    person.choose([(f"{photo.name[language.tag]}.png", photo.read()) for photo in EXHIBITS])
    add = page.get_by_role("button", name=words("upload.start.other", count=len(EXHIBITS)))
    shots.append(seen(page, page.locator(".review")))
    add.click()
    page.locator(".cards .card-name").nth(len(EXHIBITS) - 1).wait_for(timeout=PATIENCE_MS)
    shots.append(seen(page, page.locator(".cards")))

    page.get_by_role("link", name=COINS.name[language.tag]).click()
    page.get_by_role("button", name=words("place.edit")).click()
    page.get_by_label(words("place.description")).first.fill(COINS.description[language.tag])
    shots.append(seen(page))
    page.get_by_role("button", name=words("place.save")).click()
    page.locator(".description", has_text=COINS.description[language.tag]).wait_for()
    page.locator(".back").click()
    health = page.locator("summary", has=page.get_by_role("heading", name=words("health.title")))
    health.click()
    page.locator("details[open] .folded-body .details summary").click(timeout=PATIENCE_MS)
    shots.append(seen(page, health))

    page.get_by_role("link", name=words("collection.qr"), exact=True).click()
    page.get_by_label(words("poster.size")).select_option("a6")
    page.set_viewport_size({"width": DESK.width, "height": 900})
    shots.append(seen(page))
    for number, shot in enumerate(shots, start=1):
        save(folder / f"curator-{number}{language.suffix}", shot)
    person.leave()


def visitor(browser: Browser, product: Product, language: Language, folder: Path) -> None:
    """From the poster's code to the list of the visit, in two rows of screens."""
    words = language.sentences()
    descriptions = {photo.name[language.tag]: photo.description[language.tag] for photo in EXHIBITS}
    listed = httpx.get(f"{product.address}/index/places", params={"collection": language.museum}).json()["places"]
    for place in listed:
        path = f"{product.address}/collections/{quote(language.museum)}/places/{quote(place['id'], safe='')}"
        httpx.patch(path, json={"description": descriptions[place["name"]]}).raise_for_status()
    person = Visitor(browser, product.address, device=PHONE, language=language.locale)
    page = person.page

    person.go(f"?visitor&collection={quote(language.museum)}")
    shots = [seen(page)]
    for photo in (COINS, COFFEE):
        person.show_photo(encode(see_again(picture_of(photo.read()), seed=4).image))
        page.get_by_role("heading", name=photo.name[language.tag], level=1).wait_for(timeout=PATIENCE_MS)
        shots.append(seen(page))
        if photo is COFFEE:
            feedback = page.locator(".feedback")
            feedback.get_by_role("button", name=words("feedback.wrong")).click()
            feedback.get_by_text(words("feedback.which")).wait_for()
            shots[-1] = seen(page, feedback)
            feedback.get_by_role("button", name=words("feedback.right")).click()
            feedback.get_by_text(words("feedback.thanks")).wait_for()
        page.locator("nav a").first.click()
    page.get_by_role("link", name=words("visit.title")).click()
    page.locator(".card-name").nth(1).wait_for()
    shots.append(seen(page))
    save(folder / f"visitor{language.suffix}", side_by_side(shots))
    person.leave()


def integrator(browser: Browser, product: Product, language: Language, site: Site, folder: Path) -> None:
    """The visitors' page on the museum's own site, with an answer."""
    site.embed(product.address, f'data-collection="{language.museum}" data-height="520"')
    site.page = site.page.replace("Our museum", language.site).replace("<p>Imprint</p>", "")
    site.policy = ""
    page = browser.new_page(locale=language.locale, viewport={"width": DESK.width, "height": DESK.height})
    page.goto(site.origin)
    guide = page.frame_locator("iframe")
    photo = encode(see_again(picture_of(COINS.read()), seed=4).image)
    guide.locator("input[type=file]:not([capture])").first.set_input_files([payload("photo.jpg", photo)])
    guide.get_by_role("heading", name=COINS.name[language.tag], level=1).wait_for(timeout=PATIENCE_MS)
    save(folder / f"integrator{language.suffix}", seen(page))
    page.close()


def picture_of(data: bytes) -> Image.Image:
    """A photograph in RGB."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def seen(page: Page, part: Locator | None = None) -> Image.Image:
    """What is on the screen once its pictures are there; with ``part``, scrolled to it."""
    if part is not None:
        part.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
    page.evaluate(
        """() => {
          const isSeen = ({ top, bottom }) => top < innerHeight && bottom > 0;
          const seen = [...document.images].filter((image) => isSeen(image.getBoundingClientRect()));
          return Promise.all(seen.map((image) => image.decode()));
        }"""
    )
    return picture_of(page.screenshot())


def side_by_side(shots: Sequence[Image.Image]) -> Image.Image:
    """Screens of a phone in a row, on nothing."""
    height = round(shots[0].height * SIDE_BY_SIDE_PX / shots[0].width)
    row = Image.new("RGBA", (len(shots) * (SIDE_BY_SIDE_PX + MARGIN_PX) - MARGIN_PX, height))
    for at, shot in enumerate(shots):
        row.paste(shot.resize((SIDE_BY_SIDE_PX, height)), (at * (SIDE_BY_SIDE_PX + MARGIN_PX), 0))
    return row


def save(path: Path, picture: Image.Image) -> None:
    """Write a picture, small."""
    file = path.with_name(f"{path.name}.webp")
    picture.save(file, "WEBP", quality=80, method=6)
    print(f"{file}: {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
