"""Three people from beginning to end: who fills a collection, who visits it, and who builds it into a site."""

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from documented import blocks, is_genuine
from e2e.pdfs import read_pdf
from e2e.product import PUBLIC_NAME, Product, start_product
from e2e.scenes import DESCRIPTION, PLACES, fill, reference, snapshot
from e2e.site import Site, serving_site
from e2e.test_audio import DURATION
from e2e.test_feedback import last_said, say
from e2e.visitor import PHONE, Visitor, payload
from fakes.codes import read_code
from fakes.images import draw_place, encode, see_again
from fakes.sounds import wav
from playwright.sync_api import Browser, expect
from servers.receiver import Receiver, receiving

from contracts.webhooks import FeedbackGiven

Reach = Callable[..., Visitor]

PRINTED_IN_DOCS = "http://127.0.0.1:8000"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The museum's own web site."""
    with serving_site() as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """The museum's webhook."""
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, site: Site, receiver: Receiver) -> Iterator[Product]:
    """A product without any collection, which the site may show and which sends events to the webhook."""
    settings = {
        "GATEWAY_ALLOWED_HOSTS": PUBLIC_NAME,
        "GATEWAY_FRAME_ANCESTORS": site.origin,
        "M1_WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}/",
        "M1_WEBHOOK_PRIVATE": "true",
        "M1_WEBHOOK_SECRET": SECRET,
    }
    with start_product(tmp_path_factory.mktemp("journeys"), **settings) as running:
        yield running


def test_a_curator_gets_from_an_empty_start_to_a_printed_poster(reach: Reach, product: Product) -> None:
    """Name a collection, add photos, follow the advice to an exhibit, write its text, save and print the poster."""
    for each in httpx.get(f"{product.address}/index/collections").json()["collections"]:
        httpx.delete(f"{product.address}/collections/{each['id']}").raise_for_status()
    curator = reach("", script="window.print = () => { window.printed = true; };")
    page = curator.page

    page.get_by_role("link", name="Add the first photos").click()
    page.get_by_label("Name").fill("City Museum")
    page.get_by_role("button", name="Create").click()
    curator.choose([(f"{place}.jpg", reference(place)) for place in PLACES])
    page.get_by_role("button", name="Add 3 photos").click()
    expect(page.locator(".cards .card-name")).to_have_text(sorted(PLACES))

    page.locator("summary", has=page.get_by_role("heading", name="Health of the collection")).click()
    expect(page.get_by_role("heading", name=re.compile("What to do next"))).to_be_visible(timeout=90_000)
    page.locator(".findings").get_by_role("link", name="Rocket").click()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Description").fill(DESCRIPTION)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".description")).to_have_text(DESCRIPTION)

    page.get_by_role("link", name="City Museum").click()
    page.get_by_role("link", name="QR code", exact=True).click()
    expect(page.locator(".sheet").get_by_role("heading", name="City Museum")).to_be_visible()
    expect(page.locator(".sheet")).to_contain_text("Scan the code")
    expect(page.locator(".sheet")).to_contain_text("扫描二维码")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as PDF").click()
    with page.expect_download() as saved_code:
        page.get_by_role("link", name="Save the code as PNG").click()
    page.get_by_role("button", name="Print", exact=True).click()

    assert page.evaluate("window.printed")
    _, poster = read_pdf(saved.value.path().read_bytes())
    for code in (encode(poster, "png"), saved_code.value.path().read_bytes()):
        assert read_code(code) == f"{product.public_address}/?collection=City%20Museum"


def test_a_visitor_gets_from_the_code_to_the_list_of_the_visit(reach: Reach, product: Product) -> None:
    """The poster's code opens the camera; the exhibit is read and heard, a wrong answer reported, the visit kept."""
    fill(product, "江南博物馆")
    recorded = {"collection": "江南博物馆", "place_id": "Rocket", "language": "zh"}
    httpx.put(f"{product.address}/index/places/audio", params=recorded, content=wav(0.5)).raise_for_status()
    asked_as = {"Host": product.public_address.removeprefix("http://")}
    code = httpx.get(f"{product.address}/collections/江南博物馆/qr.png", headers=asked_as).content
    visitor = reach(read_code(code).removeprefix(f"{product.public_address}/"), device=PHONE, language="zh-CN")
    page = visitor.page

    expect(page.get_by_role("heading", name="您眼前的是什么？")).to_be_visible()
    visitor.show_photo(snapshot("Rocket"))
    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    expect(page.get_by_text(DESCRIPTION)).to_be_visible()
    assert page.get_by_label(re.compile("语音讲解")).evaluate(DURATION) == 0.5

    page.get_by_label("再拍一张").set_input_files(payload("next.jpg", snapshot("Cat Chelsea")))
    expect(page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_visible()
    say(visitor, "有误")
    say(visitor, "Cup of coffee")
    expect(page.locator(".feedback").get_by_text("谢谢。您随时可以更改。")).to_be_visible()
    assert last_said(product, "江南博物馆") == ("other_place", "Cup of coffee")

    page.get_by_role("link", name="识别", exact=True).click()
    page.get_by_role("link", name="我的参观").click()
    expect(page.locator(".card-name")).to_have_text(["Cup of coffee", "Rocket"])
    page.get_by_role("link", name="Rocket").click()
    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    expect(page.get_by_text(DESCRIPTION)).to_be_visible()


def test_an_integrator_gets_from_the_first_request_to_a_signed_event(
    browser: Browser,
    product: Product,
    site: Site,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The documented program adds and matches, one line shows the page on a site, and feedback there is an event.

    ``make test-clients`` makes the same match, and gives the feedback, with the generated client.
    """
    draw_place(7).save(tmp_path / "front.jpg")
    visitors_photo = encode(see_again(draw_place(7), 2).image)
    (tmp_path / "visitor.jpg").write_bytes(visitors_photo)
    monkeypatch.chdir(tmp_path)
    program = blocks("docs/api.md", "python")[0].replace(PRINTED_IN_DOCS, product.address)
    exec(compile(program, "docs/api.md", "exec"), {})
    assert capsys.readouterr().out == "South Gate\n"

    site.embed(product.address, 'data-collection="default" data-height="700" data-title="Photo guide"')
    context = browser.new_context(locale="en-GB", service_workers="block")
    page = context.new_page()
    page.goto(site.origin)
    guide = page.frame_locator("script + iframe")
    expect(page.get_by_title("Photo guide")).to_have_attribute("height", "700")
    expect(guide.get_by_role("heading", name="What are you looking at?")).to_be_visible()
    guide.locator("input[type=file]:not([capture])").set_input_files([payload("photo.jpg", visitors_photo)])
    expect(guide.get_by_role("heading", name="South Gate", level=1)).to_be_visible()
    expect(guide.get_by_role("link", name="Collections")).to_have_count(0)
    expect(guide.get_by_role("combobox")).to_have_count(0)
    guide.get_by_text("How this was found").click()
    expect(guide.locator(".details")).to_contain_text("default")
    guide.get_by_role("button", name="Right", exact=True).click()
    feedback = None
    while feedback is None or feedback.collection != "default":  # the visitor's come first
        event = receiver.next()
        assert is_genuine()(event.headers, event.body, SECRET)
        feedback = FeedbackGiven.model_validate_json(event.body).data
    context.close()

    assert feedback.verdict == "right"
