"""What holds for every view: reachable by everyone, small, at home in both languages, asking nobody else."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from e2e.product import Product
from e2e.scenes import fill, reference, snapshot
from e2e.visitor import DESKTOP, PHONE, SMALL_PHONE, Device, Visitor
from playwright.sync_api import Route, expect

Visit = Callable[..., Visitor]

VIEWS = (
    "#/match?collection=seen",
    "#/collections",
    "#/collections/seen",
    "#/collections/seen/places/Rocket",
    "#/collections/seen/inbox",
    "#/collections/seen/statistics",
    "#/collections/seen/table",
    "#/exhibit/seen/Rocket",
    "#/status",
)
"""Places of interest; ``seen`` makes the collection."""
WEB = Path(__file__).parents[2] / "gateway" / "web"
PARTS = ["", *(f"{path.name}/" for path in sorted((WEB / "language").iterdir()) if path.is_dir())]
"""Of the page's sentences: every part is fetched by the views that need it."""
BUDGET = 100 * 1024


@pytest.fixture(scope="module")
def seen(product: Product) -> None:
    """A collection to look at, with a place of which facts are known."""
    fill(product, "seen")
    facts = {"metadata": {"Photographer": "NASA"}}
    httpx.patch(f"{product.address}/collections/seen/places/Rocket", json=facts, timeout=60).raise_for_status()


def violations(visitor: Visitor, axe: str) -> list[str]:
    """Serious and critical findings of axe in what is on screen, WCAG 2.2 A and AA."""
    visitor.page.evaluate(axe)
    found = visitor.page.evaluate(
        """async () => {
          const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
          const { violations } = await axe.run(document, { runOnly: tags });
          return violations
            .filter(({ impact }) => ["serious", "critical"].includes(impact))
            .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
        }"""
    )
    return [str(each) for each in found]


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_view_has_a_serious_accessibility_finding(visit: Visit, axe: str, device: Device, language: str) -> None:
    """Contrast, names, roles and order hold in every view, in both colour schemes."""
    visitor = visit(device=device, language=language)
    found: dict[str, list[str]] = {}

    for view in VIEWS:
        visitor.turn_to(view)
        for scheme in ("light", "dark"):
            visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found[f"{view} {scheme}"] = violations(visitor, axe)

    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_way_to_the_comparison_has_no_serious_accessibility_finding(visit: Visit, axe: str, language: str) -> None:
    """Waiting, the answer with what may be said of it, and two photos side by side are as accessible as the start."""
    visitor = visit(VIEWS[0], language=language, device=PHONE)
    held: list[Route] = []
    visitor.page.route("**/match", lambda route: held.append(route), times=1)
    found: list[str] = []

    with visitor.page.expect_request("**/match"):
        visitor.show_photo(snapshot("Rocket"))
    expect(visitor.page.get_by_role("progressbar")).to_be_visible()
    found += violations(visitor, axe)
    held.pop().continue_()
    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    visitor.page.locator(".feedback button").nth(1).click()
    expect(visitor.page.locator(".feedback .row").nth(1)).to_be_visible()
    found += violations(visitor, axe)
    visitor.page.locator(".said button").first.click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()
    found += violations(visitor, axe)

    assert found == []


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("device", [SMALL_PHONE, PHONE, DESKTOP], ids=["320", "390", "1280"])
def test_nothing_is_wider_than_the_screen(visit: Visit, device: Device, language: str) -> None:
    """No view scrolls sideways, down to 320 px (WCAG 1.4.10)."""
    visitor = visit(device=device, language=language)
    widths: dict[str, int] = {}

    for view in VIEWS:
        visitor.turn_to(view)
        widths[view] = visitor.page.evaluate("document.documentElement.scrollWidth")

    assert {view: width for view, width in widths.items() if width > device.width} == {}


@pytest.mark.usefixtures("seen")
def test_no_view_shows_a_value_that_is_not_there(visit: Visit) -> None:
    """Where there is nothing to say nothing is written, and no JavaScript value either."""
    visitor = visit(device=DESKTOP)
    shown: dict[str, str] = {}

    for view in VIEWS:
        visitor.turn_to(view)
        shown[view] = visitor.page.locator("body").inner_text()

    assert "seen" in shown["#/collections"]
    written = {view: re.findall(r"undefined|\bnull\b|\bNaN\b|\[object", text) for view, text in shown.items()}
    assert [(view, found) for view, found in written.items() if found] == []


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_bar_is_one_line_and_the_camera_is_on_the_first_screen(visit: Visit, language: str) -> None:
    """On a phone of 360 px nothing of the bar wraps; held sideways, the camera is there without scrolling."""
    upright = visit(VIEWS[0], device=Device(360, 740, is_phone=True), language=language)
    sideways = visit(VIEWS[0], device=Device(740, 360, is_phone=True), language=language)

    for visitor in (upright, sideways):
        expect(visitor.page.locator("nav a")).to_have_count(3)
    lines = [box["y"] for box in upright.boxes("nav a, .language")]
    [camera] = sideways.boxes(".ways .camera")

    assert len(lines) == 4
    assert max(lines) - min(lines) <= 2
    assert camera["bottom"] <= 360


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize(
    "person",
    [{"device": SMALL_PHONE, "language": "zh-CN"}, {"device": DESKTOP, "dark": True}],
    ids=["small phone, Chinese", "desk, dark"],
)
def test_the_operators_tools_have_no_serious_accessibility_finding(visit: Visit, axe: str, person: dict) -> None:
    """Health, calibration, recent matches, an upload, the dialogs and the note of a deletion are for everybody."""
    visitor = visit("#/collections/seen", **person)
    page = visitor.page
    found: dict[str, list[str]] = {}
    for part in page.locator(".folded > summary").all():
        part.click()
    visitor.wait_until_loaded()

    found["unfolded"] = violations(visitor, axe)
    assert page.evaluate("document.documentElement.scrollWidth") <= person["device"].width
    visitor.choose([("known.jpg", reference("Rocket")), ("bad.jpg", b"no photo")])
    expect(page.locator(".review")).to_be_visible()
    found["review"] = violations(visitor, axe)
    page.locator(".review .primary").click()
    expect(page.locator(".problems li")).to_be_visible()
    page.locator(".upload-progress > details summary").click()
    found["upload"] = violations(visitor, axe)
    page.locator(".manage .danger").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    found["question"] = violations(visitor, axe)
    page.get_by_role("dialog").locator(".danger").click()
    found["toast"] = violations(visitor, axe)
    page.locator(".toast button").click()
    expect(page.locator(".toast")).to_have_count(0)  # leaving earlier would cancel what brings the collection back
    visitor.turn_to("#/collections/seen/places/Rocket")
    page.locator(".heading button").first.click()
    page.locator(".edit summary").click()
    page.locator(".edit input[list]").fill("ja")
    page.locator(".edit details .row > .button").click()
    found["texts"] = violations(visitor, axe)
    assert page.evaluate("document.documentElement.scrollWidth") <= person["device"].width

    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.usefixtures("seen")
def test_the_whole_way_works_with_the_keyboard_alone(visit: Visit) -> None:
    """Tab reaches the skip link first, the photo button has a visible ring, Enter opens the comparison."""
    visitor = visit(VIEWS[0])
    keyboard = visitor.page.keyboard

    keyboard.press("Tab")
    expect(visitor.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(visitor.page.get_by_label("Choose a photo")).to_be_focused()
    ring = visitor.page.locator(".choose").evaluate("(button) => getComputedStyle(button).outlineStyle")
    assert ring == "solid"
    visitor.show_photo(snapshot("Rocket"))
    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(visitor.page.get_by_role("dialog")).to_be_visible()
    keyboard.press("Escape")

    expect(visitor.page.get_by_role("button", name="Compare the photos", exact=True)).to_be_focused()


def test_both_languages_say_the_same_things(visit: Visit) -> None:
    """Every sentence exists in both languages; only plural forms may differ."""
    visitor = visit()

    keys = visitor.page.evaluate(
        """async (parts) => {
          const sentences = async (name) => Object.keys((await import(`./language/${name}.js`)).default);
          const all = (name) => Promise.all(parts.map((part) => sentences(part + name)));
          return [(await all("en")).flat(), (await all("zh")).flat()];
        }""",
        PARTS,
    )

    english, chinese = ({key for key in each if not key.endswith(".one")} for each in keys)
    assert english == chinese


def test_every_sentence_is_used(visit: Visit) -> None:
    """No sentence is left over from something that was removed, as far as keys are written out."""
    visitor = visit()
    source = "".join(
        path.read_text() for path in WEB.rglob("*.js") if "language" not in path.relative_to(WEB).parts[:1]
    )

    keys = visitor.page.evaluate(
        """async (parts) => {
          const sentences = async (part) => Object.keys((await import(`./language/${part}en.js`)).default);
          return (await Promise.all(parts.map(sentences))).flat();
        }""",
        PARTS,
    )

    plain = {key.removesuffix(".one").removesuffix(".other") for key in keys}
    built = (
        "branding.",
        "upload.",
        "match.",
        "answer.calibration.",
        "collections.first.step",
        "error.",
        "feedback.",
        "nav.",
        "health.",
        "matches.",
        "stage.",
        "status.",
    )  # put together from a state's or page's name
    assert [key for key in sorted(plain) if f'"{key}"' not in source and not key.startswith(built)] == []


def test_a_visitors_phone_loads_little(visit: Visit) -> None:
    """The match page costs at most 100 KB, counted unpacked; the operator's views come only when opened."""
    visitor = visit(device=PHONE)
    visitor.page.wait_for_load_state("networkidle")

    loaded = visitor.page.evaluate(
        "() => performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
    )

    files = {path for path in (WEB / name.lstrip("/") for name in loaded) if path.is_file()}
    assert sum(path.stat().st_size for path in files) <= BUDGET
    assert {path.relative_to(WEB).parts[0] for path in files}.isdisjoint({"collections", "ingest", "status"})
