"""The page is served whole, and nothing else is."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import AppClient, error_of
from PIL import Image

import gateway
from gateway.app import create_app
from gateway.page.lean import lean
from gateway.settings import GatewaySettings

WEB = Path(gateway.__file__).parent / "web"

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "javascript",
    ".png": "image/png",
    ".svg": "image/svg",
    ".webmanifest": "json",
}


@pytest.fixture(scope="module")
def site() -> Iterator[AppClient]:
    """A gateway without its services: the page does not need them to be shown."""
    with AppClient(create_app(GatewaySettings())) as client:
        yield client


def test_the_root_is_the_page(site: AppClient):
    """A browser that opens the address sees the page."""
    answer = site.get("/")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text == (WEB / "index.html").read_text()


@pytest.mark.parametrize("path", sorted(p.relative_to(WEB).as_posix() for p in WEB.rglob("*") if p.is_file()))
def test_every_file_of_the_page_is_served(site: AppClient, path: str):
    """Each comes as it is, code without its comments, with a type for browsers, and is checked anew after an update."""
    answer = site.get(f"/{path}")
    again = site.get(f"/{path}", headers={"If-None-Match": answer.headers["etag"]})

    is_code = Path(path).suffix in {".js", ".css"}
    assert answer.text == lean((WEB / path).read_text()) if is_code else answer.content == (WEB / path).read_bytes()
    assert _TYPES[Path(path).suffix] in answer.headers["content-type"]
    assert (again.status_code, answer.headers["cache-control"]) == (304, "no-cache")


def test_what_the_page_loads_is_there(site: AppClient):
    """Every script, style and icon the page names is served from the same place."""
    loaded = [path for path in re.findall(r'(?:src|href)="([^"#]+)"', site.get("/").text) if "://" not in path]

    assert loaded
    assert {path: site.get(f"/{path.lstrip('./')}").status_code for path in loaded} == dict.fromkeys(loaded, 200)


@pytest.mark.parametrize("path", ["/app.py", "/web/index.html", "/..%2fapp.py", "/style"])
def test_nothing_beside_the_page_is_served(site: AppClient, path: str):
    """Sources, folders and guesses are not found."""
    answer = site.get(path)

    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found")


def test_the_page_installed_by_a_visitor_starts_with_their_collection(site: AppClient):
    """The manifest of one collection differs by its start address alone."""
    plain = site.get("/manifest.webmanifest").json()

    one = site.get("/manifest.webmanifest", params={"collection": "江南 & 1"})

    assert one.headers["content-type"] == "application/manifest+json"
    assert one.json() == {**plain, "start_url": "./?collection=%E6%B1%9F%E5%8D%97%20%26%201"}
    visitors = site.get("/manifest.webmanifest", params={"collection": "east", "visitor": ""}).json()
    assert visitors["start_url"] == "./?collection=east&visitor"


def test_the_manifests_icons_are_what_it_says(site: AppClient):
    """Each is served, as a picture of its size; the maskable one leaves no corner transparent."""
    icons = json.loads(site.get("/manifest.webmanifest").text)["icons"]
    drawn = {icon["src"]: icon for icon in icons if icon["type"] == "image/png"}

    for name, icon in drawn.items():
        answer = site.get(f"/{name}")
        image = Image.open(io.BytesIO(answer.content))
        assert (answer.headers["content-type"], f"{image.width}x{image.height}") == ("image/png", icon["sizes"])
        assert image.getpixel((0, 0))[3] == (255 if icon.get("purpose") == "maskable" else 0)
        assert image.getpixel((image.width // 2, image.height // 2)) == (255, 255, 255, 255)
