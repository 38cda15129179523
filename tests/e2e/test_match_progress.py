"""What a visitor sees between the photo and the answer, and where the network or a part of the product is slow."""

import re
from collections.abc import Callable

import pytest
from e2e.product import Product
from e2e.scenes import fill, snapshot, stranger
from e2e.visitor import DESKTOP, PHONE, Device, Visitor, payload
from playwright.sync_api import Browser, expect

Visit = Callable[..., Visitor]

# Notes once each what stands on the page, in the order in which it appears, and all that screen readers are told.
WATCH = """() => {
  window.seen = [];
  window.told = [];
  window.considered = 0;
  const live = document.getElementById("live");
  new MutationObserver(() => window.told.push(live.textContent)).observe(live, { childList: true, subtree: true });
  const steps = { candidates: ".considered img", answer: ".answer h1" };
  new MutationObserver(() => {
    window.considered = Math.max(window.considered, document.querySelectorAll(".considered li").length);
    for (const [step, selector] of Object.entries(steps)) {
      if (document.querySelector(selector) && !window.seen.includes(step)) window.seen.push(step);
    }
  }).observe(document.getElementById("main"), { childList: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def museum(product: Product) -> str:
    """The match page of a collection with three places."""
    fill(product, "progress")
    return "#/match?collection=progress"


@pytest.mark.parametrize(
    ("device", "language", "words"),
    [(PHONE, "zh-CN", "初看最像"), (DESKTOP, "en-GB", "Nearest at first glance")],
    ids=["phone", "desktop"],
)
def test_candidates_appear_while_verification_still_runs(
    visit: Visit, museum: str, device: Device, language: str, words: str
) -> None:
    """The nearest places are on screen, and told to screen readers, before the answer is."""
    visitor = visit(museum, device=device, language=language)
    visitor.page.evaluate(WATCH)

    visitor.show_photo(snapshot("Cat Chelsea"))

    expect(visitor.page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_focused()
    assert visitor.page.evaluate("window.seen") == ["candidates", "answer"]
    told = visitor.page.evaluate("window.told")
    assert any(words in each for each in told[:-1])
    assert "Cat Chelsea" in told[-1]
    assert visitor.page.evaluate("window.considered") == 3


def test_candidates_of_an_unknown_photo_are_claimed_by_nobody(visit: Visit, museum: str) -> None:
    """What came first as nearest ends as a guess."""
    visitor = visit(museum)
    visitor.page.evaluate(WATCH)

    visitor.show_photo(stranger())

    expect(visitor.page.get_by_role("heading", name="not in the collection")).to_be_focused()
    assert visitor.page.evaluate("window.seen") == ["candidates", "answer"]


@pytest.mark.parametrize(
    ("language", "action", "words"),
    [
        ("en-GB", "Add a photo from another side", "2 photos were looked at together."),
        ("zh-CN", "补拍另一角度", "已综合 2 张照片。"),
    ],
)
def test_an_unclear_photo_can_be_joined_by_another_of_the_same_thing(
    visit: Visit, museum: str, language: str, action: str, words: str
) -> None:
    """Both photos travel and are judged together; the comparison shows the one that was compared."""
    visitor = visit(museum, device=PHONE, language=language)
    visitor.show_photo(stranger())
    other_side = visitor.page.get_by_label(action)

    visitor.page.evaluate(
        """() => {
          const send = XMLHttpRequest.prototype.send;
          XMLHttpRequest.prototype.send = function (form) {
            window.sent = form.getAll("file").length;
            send.call(this, form);
          };
        }"""
    )

    with visitor.page.expect_response("**/match") as answered:
        other_side.set_input_files(payload("side.jpg", snapshot("Rocket")))

    expect(visitor.page.locator(".answer")).to_be_visible(timeout=90_000)  # two photos cost twice the time
    assert (visitor.page.evaluate("window.sent"), answered.value.status) == (2, 200)
    if visitor.page.locator(".unknown").count():
        expect(visitor.page.get_by_text(words)).to_be_visible()
        visitor.page.locator(".cards button").first.click()
    else:  # a certain answer lists no others; its own button compares
        visitor.page.get_by_role("button", name=re.compile("Compare the photos|对比照片")).click()
    expect(visitor.page.get_by_role("dialog").locator("img")).to_have_count(2)


def test_on_a_slow_network_the_upload_is_shown_moving(visit: Visit, museum: str) -> None:
    """The bar fills in steps, and the answer comes all the same."""
    visitor = visit(museum, device=PHONE)
    network = visitor.page.context.new_cdp_session(visitor.page)
    slow = {"offline": False, "latency": 200, "downloadThroughput": 100_000, "uploadThroughput": 60_000}
    network.send("Network.emulateNetworkConditions", slow)
    visitor.page.evaluate(
        """() => {
          window.shares = new Set();
          new MutationObserver((changes) => {
            for (const { target } of changes) if (target.value > 0) window.shares.add(target.value);
          }).observe(document.getElementById("main"), { subtree: true, attributeFilter: ["value"] });
        }"""
    )

    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    assert len(visitor.page.evaluate("[...window.shares]")) >= 2


def test_a_stream_that_breaks_off_is_a_lost_connection(visit: Visit, museum: str) -> None:
    """Half an answer is none; the same photo can be tried again."""
    visitor = visit(museum)
    half = 'event: candidates\ndata: {"candidates": [], "verifying": true}\n\n'
    visitor.page.route("**/match", lambda route: route.fulfill(body=half, content_type="text/event-stream"), times=1)

    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    visitor.page.get_by_role("button", name="Try again").click()
    expect(visitor.page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()


def test_an_error_in_the_stream_is_told_like_any_other(visit: Visit, museum: str) -> None:
    """What fails after the candidates has the same heading and the server's words."""
    visitor = visit(museum)
    late = '{"error": {"code": "verifier_unavailable", "message": "the fact", "accepted": null, "field": null}}'
    body = f'event: candidates\ndata: {{"candidates": [], "verifying": true}}\n\nevent: error\ndata: {late}\n\n'
    visitor.page.route("**/match", lambda route: route.fulfill(body=body, content_type="text/event-stream"))

    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_role("alert")).to_contain_text("A part of the system is not available")
    expect(visitor.page.get_by_role("alert")).to_contain_text("the fact")


@pytest.mark.parametrize(
    ("language", "words", "confidence"),
    [("en-GB", "The close comparison is not available", "Very likely"), ("zh-CN", "目前无法仔细比对", "很有可能")],
)
def test_with_the_verifier_down_the_answer_says_that_it_rests_on_less(
    browser: Browser, lessened: Product, language: str, words: str, confidence: str
) -> None:
    """Candidates come, then retrieval's own answer, worded no stronger than it is."""
    visitor = Visitor(browser, lessened.address, device=PHONE, language=language)
    visitor.go("#/match?collection=museum")

    visitor.show_photo(snapshot("Rocket"))

    expect(visitor.page.get_by_text(words)).to_be_visible()
    expect(visitor.page.locator(".confidence")).to_have_text(confidence)
    assert visitor.complaints == []
    visitor.leave()
