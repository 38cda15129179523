"""What each view of the page costs a phone, counted in bytes of our own files."""

import gzip
import json
import re
from pathlib import Path

import pytest

import gateway
from gateway.page.lean import lean

WEB = Path(gateway.__file__).parent / "web"
DOCS = Path(__file__).parents[2] / "docs"
STATIC_IMPORT = re.compile(r'^(?:import|export) [^;]*?from "(\.[^"]+)"', re.MULTILINE)
OPERATORS = ("collections", "ingest", "status")

DESK = ("style/collections.css", "language/desk/zh.js")
PLACES = ("ingest/note.js", *DESK)

# What each view loads before anybody has touched it, beyond the files of all views, and how many kB it may cost
# altogether when it is opened first, unpacked and packed as it travels. The answer's parts come while a photo travels.
VIEWS = {
    "match": ((), 60, 26),
    "match, branded": (("page/branding.js", "style/branding.css"), 62, 27),
    "answer": (("match/answer.js", "match/kept.js", "style/answer.css", "language/answer/zh.js"), 80, 34),
    "visit": (("match/visit.js", "style/visit.css", "language/visit/zh.js"), 64, 28),
    "collections": (("collections/list.js", *DESK), 92, 38),
    "collection": (("collections/collection.js", *PLACES), 100, 42),
    "place": (("collections/place.js", *PLACES), 100, 42),
    "inbox": (("collections/inbox.js", "language/inbox/zh.js", *DESK), 92, 38),
    "statistics": (
        ("collections/statistics.js", "style/statistics.css", "language/statistics/zh.js", *DESK),
        92,
        38,
    ),
    "table": (("collections/table.js", "style/table.css", "language/table/zh.js", *DESK), 96, 40),
    "status": (("status/view.js", "language/details/zh.js", *DESK), 90, 36),
}
WHOLE_PAGE_KB = 150
"""Everything there is, packed: both languages, what is fetched at a tap, and what only errors show.

Nobody loads all of it, so it may grow: the views above have budgets of their own, the first screen at most 30 KB.
"""


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


def sent(path: Path) -> bytes:
    """A file as a browser gets it, unpacked."""
    return lean(path.read_text()).encode() if path.suffix in {".js", ".css"} else path.read_bytes()


def travels(path: Path) -> int:
    """Bytes of a file as the gateway sends it."""
    data = sent(path)
    return len(gzip.compress(data, compresslevel=5)) if len(data) >= 1000 else len(data)


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_costs_more_than_its_budget(view: str):
    """HTML, styles, scripts and one language together, whichever page is opened first."""
    further, budget_kb, packed_kb = VIEWS[view]
    files = loaded(*further)

    assert sum(len(sent(path)) for path in files) / 1024 <= budget_kb
    assert sum(map(travels, files)) / 1024 <= packed_kb


@pytest.mark.parametrize("name", ["page.md", "page.zh-CN.md"])
def test_documented_weights_are_those_measured(name: str):
    """The table of what each view weighs is right to a kilobyte, in both languages."""
    documented = re.findall(r"\| (\d+) KB \| (\d+) KB \|", (DOCS / name).read_text())

    weighed = [loaded(*further) for further, _, _ in VIEWS.values()]
    weighed.append({path for path in WEB.rglob("*") if path.is_file()})
    assert len(documented) == len(weighed)
    for figures, files in zip(documented, weighed, strict=True):
        measured = (sum(len(sent(path)) for path in files) / 1024, sum(map(travels, files)) / 1024)
        assert tuple(map(int, figures)) == pytest.approx(measured, abs=1)


def test_the_whole_page_travels_in_less_than_a_photo():
    """Whoever opens everything has fetched no more than this."""
    assert sum(travels(path) for path in WEB.rglob("*") if path.is_file()) / 1024 <= WHOLE_PAGE_KB


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
