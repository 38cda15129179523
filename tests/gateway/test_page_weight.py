"""What each view of the page costs a phone, counted in bytes of our own files, unpacked."""

import json
import re
from pathlib import Path

import pytest

import gateway

WEB = Path(gateway.__file__).parent / "web"
STATIC_IMPORT = re.compile(r'^(?:import|export) [^;]*?from "(\.[^"]+)"', re.MULTILINE)
OPERATORS = ("collections", "ingest", "status")

DESK = ("ingest/queue.js", "style/collections.css", "language/desk/zh.js")

# What each view loads beyond the shared files, and how many kB it may cost altogether: issue 6 allows a visitor 100.
VIEWS = {
    "match": ((), 85),
    "collections": (("collections/list.js", *DESK), 120),
    "collection": (("collections/collection.js", *DESK), 160),
    "place": (("collections/place.js", *DESK), 150),
    "status": (("status/view.js", *DESK), 120),
}


def imported(path: Path, seen: set[Path]) -> set[Path]:
    """A module and whatever it imports before it runs."""
    if path not in seen:
        seen.add(path)
        for found in STATIC_IMPORT.findall(path.read_text()) if path.suffix == ".js" else ():
            imported((path.parent / found).resolve(), seen)
    return seen


def loaded(*further: str) -> set[Path]:
    """Files of a view: those of every view, in the larger language, and its own."""
    page = (WEB / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"#]+\.(?:js|css|svg|webmanifest))"', page)
    language = max((WEB / "language").glob("*.js"), key=lambda path: path.stat().st_size)
    files = {WEB / "index.html", language}
    for name in (*named, *further):
        imported(WEB / name, files)
    return files


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_costs_more_than_its_budget(view: str):
    """HTML, styles, scripts and one language together, whichever page is opened first."""
    further, budget_kb = VIEWS[view]

    assert sum(path.stat().st_size for path in loaded(*further)) / 1024 <= budget_kb


def test_a_visitor_loads_nothing_of_the_operators():
    """The match view's files are its own and those that all views share."""
    strange = {path.relative_to(WEB).parts[0] for path in loaded()} & set(OPERATORS)

    assert strange == set()
    assert WEB / "style" / "collections.css" not in loaded()


def test_what_a_visitor_loads_is_asked_for_at_once():
    """Every module of the match view is named in the page: none waits for another to have been read."""
    page = (WEB / "index.html").read_text()
    named = {WEB / name for name in re.findall(r'rel="modulepreload" href="([^"]+)"', page)}
    modules = {path for path in loaded() if path.suffix == ".js" and path.parent.name != "language"}

    assert named == modules


def test_the_manifest_is_enough_to_install_the_page():
    """Chromium asks for a name, a start address, a display mode and PNG icons of 192 and 512 pixels."""
    manifest = json.loads((WEB / "manifest.webmanifest").read_text())

    sizes = {icon["sizes"] for icon in manifest["icons"] if icon["type"] == "image/png"}
    assert {"192x192", "512x512"} <= sizes
    assert any(icon.get("purpose") == "maskable" for icon in manifest["icons"])
    assert manifest["display"] == "standalone"
    assert {"name", "short_name", "start_url"} <= set(manifest)
