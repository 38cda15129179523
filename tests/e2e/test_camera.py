"""The viewfinder, the tips for a good photo, and a part of a photo that shows several things."""

import io
from collections.abc import Callable, Iterator

import pytest
from e2e.conftest import CHROMIUM
from e2e.product import PUBLIC_NAME, Product
from e2e.scenes import fill, reference, snapshot
from e2e.test_page import violations
from e2e.visitor import DESKTOP, PHONE, SMALL_PHONE, Visitor, payload, visitors_at
from PIL import Image
from playwright.sync_api import Browser, Page, expect

Visit = Callable[..., Visitor]

CAMERA = {"device": PHONE, "permissions": ["camera"]}
REMEMBER_STREAMS = """
    const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.streams = [];
    navigator.mediaDevices.getUserMedia = async (wish) => {
      const stream = await getUserMedia(wish);
      window.streams.push(stream);
      return stream;
    };
"""
SEEN = (640, 426)
"""Of the camera; chromium's films have an even number of lines."""
RUNNING = "() => window.streams.filter((stream) => stream.active).length"


@pytest.fixture(scope="module")
def gallery(product: Product) -> str:
    """The match page of a collection with three places."""
    fill(product, "lens")
    return "#/match?collection=lens"


@pytest.fixture(scope="module")
def film(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A chromium whose camera sees the rocket."""
    video = tmp_path_factory.mktemp("camera") / "rocket.mjpeg"
    Image.open(io.BytesIO(snapshot("Rocket"))).resize(SEEN).save(video, "JPEG")
    device = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]
    filming = browser.browser_type.launch(executable_path=CHROMIUM, args=["--no-sandbox", *device])
    yield filming
    filming.close()


@pytest.fixture
def aim(film: Browser, product: Product) -> Iterator[Visit]:
    """Opens the page on a phone whose camera sees the rocket."""
    with visitors_at(film, product.address) as open_page:
        yield lambda address, **person: open_page(address, **{**CAMERA, "script": REMEMBER_STREAMS, **person})


def open_viewfinder(visitor: Visitor) -> Page:
    """Tap the camera, and wait for its picture."""
    visitor.page.locator(".ways .camera").click()
    expect(visitor.page.locator(".shutter")).to_be_enabled()
    return visitor.page


def test_a_photo_taken_in_the_viewfinder_is_answered(aim: Visit, gallery: str) -> None:
    """A tap takes the photo at the camera's full resolution and asks; after that the camera is off."""
    visitor = aim(gallery)
    visitor.sent()
    page = open_viewfinder(visitor)
    assert page.evaluate(RUNNING) == 1

    page.get_by_role("button", name="Take the photo").click()

    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    assert page.evaluate(RUNNING) == 0
    (sent,) = visitor.sent()["photos"]
    with Image.open(io.BytesIO(bytes(sent))) as photo:
        assert photo.size == SEEN
    page.locator(".again .camera").click()
    expect(page.locator(".shutter")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()


def test_the_camera_is_off_while_nobody_looks(aim: Visit, gallery: str) -> None:
    """In another app, after closing and after leaving; it is on again when the page is in view again."""
    page = open_viewfinder(aim(gallery))
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""

    page.evaluate(hide, True)
    assert page.evaluate(RUNNING) == 0
    page.evaluate(hide, False)
    expect(page.locator(".shutter")).to_be_enabled()
    assert page.evaluate(RUNNING) == 1
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".viewfinder")).to_have_count(0)
    assert page.evaluate(RUNNING) == 0
    page.locator(".ways .camera").click()
    expect(page.locator(".shutter")).to_be_enabled()
    page.evaluate("location.hash = '#/match/answer'")

    expect(page.locator(".viewfinder")).to_have_count(0)
    assert page.evaluate(RUNNING) == 0


def test_where_the_camera_is_refused_the_systems_app_takes_the_photo(aim: Visit, gallery: str) -> None:
    """One sentence and a button that opens it; from then on the first tap opens it."""
    visitor = aim(gallery, permissions=[], language="zh-CN")
    page = visitor.page

    page.locator(".ways .camera").click()
    expect(page.get_by_role("alert")).to_contain_text("本页面无法使用相机")
    page.get_by_label("打开手机相机").set_input_files([payload("photo.jpg", snapshot("Rocket"))])

    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    with page.expect_file_chooser():
        page.locator(".again .camera").click()


def test_over_plain_http_the_systems_app_opens(browser: Browser, product: Product, gallery: str) -> None:
    """Browsers give no page the camera there, so the first tap opens the app."""
    site = product.address.replace("127.0.0.1", PUBLIC_NAME)
    with visitors_at(browser, site, expected=["Cross-Origin-Opener-Policy"]) as open_page:
        page = open_page(gallery, device=PHONE).page
        with page.expect_file_chooser():
            page.locator(".ways .camera").click()


def side_by_side(left: str, right: str) -> bytes:
    """A photo that shows two places."""
    seen = [Image.open(io.BytesIO(reference(place))) for place in (left, right)]
    height = min(picture.height for picture in seen)
    seen = [picture.resize((picture.width * height // picture.height, height)) for picture in seen]
    photo = Image.new("RGB", (sum(picture.width for picture in seen), height))
    photo.paste(seen[0], (0, 0))
    photo.paste(seen[1], (seen[0].width, 0))
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("way", ["drawn", "tapped"])
def test_a_part_of_the_photo_is_answered(visit: Visit, gallery: str, way: str) -> None:
    """Two exhibits in one photo: the one in the frame is the answer, whether the frame is drawn, or put by a tap."""
    visitor = visit(gallery, device=DESKTOP)
    visitor.show_photo(side_by_side("Rocket", "Cat Chelsea"))
    page = visitor.page
    page.get_by_role("button", name="Recognise a part of the photo").click()
    frame = page.get_by_role("application")
    expect(frame).to_be_focused()
    page.get_by_role("dialog").locator("img").evaluate("(image) => image.decode()")
    box = page.locator(".crop-stage").bounding_box()

    middle = box["y"] + box["height"] / 2
    if way == "drawn":
        page.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + box["height"] * 0.02)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + box["height"] * 0.98)
        page.mouse.up()
    else:
        page.mouse.click(box["x"] + box["width"] * 0.75, middle)
        page.get_by_role("button", name="Smaller").click()
        frame.focus()
        page.keyboard.press("+")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowRight")
    chosen = frame.bounding_box()
    assert chosen["x"] >= box["x"] + box["width"] * 0.45
    page.get_by_role("button", name="Recognise this part").click()

    expect(page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_viewfinder_tips_and_frame_are_accessible(aim: Visit, gallery: str, axe: str, language: str) -> None:
    """No serious finding of axe in either colour scheme, and nothing is wider than a small phone."""
    visitor = aim(gallery, device=SMALL_PHONE, language=language)
    page = open_viewfinder(visitor)
    found: dict[str, list[str]] = {}

    def check(what: str) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found[f"{what} {scheme}"] = violations(visitor, axe)
        assert page.evaluate("document.documentElement.scrollWidth") <= SMALL_PHONE.width

    check("viewfinder")
    page.locator(".controls .button").last.click()
    expect(page.locator(".tips li")).to_have_count(4)
    check("tips")
    page.keyboard.press("Escape")
    page.locator(".shutter").click()
    page.locator(".part").click()
    expect(page.locator(".crop-frame")).to_be_focused()
    check("frame")

    assert {where: what for where, what in found.items() if what} == {}
