"""The status page: what runs, whether it is ready, how long it takes."""

import re
from collections.abc import Callable

import httpx
import pytest
from e2e.product import Product
from e2e.scenes import fill, snapshot
from e2e.visitor import DESKTOP, PHONE, Visitor
from playwright.sync_api import Route, expect

Visit = Callable[..., Visitor]

LATIN = re.compile("[A-Za-z]{2,}")


@pytest.fixture(scope="module")
def asked(product: Product) -> None:
    """Somebody has asked something since the product started."""
    fill(product, "asked-about")
    answer = httpx.post(
        f"{product.address}/match", data={"collection": "asked-about"}, files={"file": snapshot("Rocket")}, timeout=60
    )
    assert answer.status_code == 200


@pytest.mark.usefixtures("asked")
def test_the_status_page_names_what_runs(visit: Visit) -> None:
    """Readiness of every part, device, queues, times of the stages, the version, both models and the keys."""
    page = visit("#/status").page

    expect(page.get_by_text("Everything is ready")).to_be_visible()
    for part in ("Gateway", "Retrieval", "Verifier"):
        expect(page.get_by_role("heading", name=part)).to_be_visible()
    for name, value in (("Device", "cpu"), ("Photos in the queue", re.compile(r"^\d+$")), ("Version", re.compile("."))):
        pair = page.locator(".facts > div", has=page.get_by_text(name, exact=True)).first
        expect(pair.locator("dd")).to_have_text(value)
    row = page.get_by_role("row", name=re.compile("^Altogether"))
    expect(row.get_by_role("cell").first).to_have_text(re.compile(r"^[\d,]+ ms$"))
    expect(page.get_by_text("No key is needed: only this machine can reach the server.")).to_be_visible()


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_name_is_in_the_language_of_the_page(visit: Visit, device: object) -> None:
    """In Chinese no name of a detail, a stage or a part is left in English but the programming language's."""
    page = visit("#/status", device=device, language="zh-CN").page
    expect(page.get_by_role("heading", name="识别耗时")).to_be_visible()

    names = [*page.locator(".report :is(dt, th, h2)").all_inner_texts(), *page.locator(".verdict").all_inner_texts()]

    assert len(names) > 20
    assert [name for name in names if LATIN.search(name)] == ["Python"]


def test_a_part_that_is_down_is_told_with_its_reason(visit: Visit) -> None:
    """Not ready, which part, and why; asking again shows when it is back."""
    visitor = visit("#/collections")
    visitor.expect_complaint("status of 503")

    def lame(route: Route) -> None:
        body = route.fetch().json()
        body["ready"] = body["parts"]["verifier"]["ready"] = False
        body["parts"]["verifier"]["reason"] = "the model is being loaded"
        route.fulfill(status=503, json=body)

    visitor.page.route("**/health/ready", lame, times=1)
    visitor.go("#/status")

    expect(visitor.page.get_by_text("Not everything is ready")).to_be_visible()
    verifier = visitor.page.locator(".parts > li", has=visitor.page.get_by_role("heading", name="Verifier"))
    expect(verifier).to_contain_text("the model is being loaded")
    visitor.page.get_by_role("button", name="Refresh").click()
    expect(visitor.page.get_by_text("Everything is ready")).to_be_visible()


def test_a_part_that_answers_in_part_is_told_with_its_reason(visit: Visit) -> None:
    """Matches are answered, and something is missing: that is not called ready."""
    visitor = visit("#/collections")

    def lame(route: Route) -> None:
        body = route.fetch().json()
        body["reason"] = body["parts"]["retrieval"]["reason"] = "searches may fail"
        route.fulfill(json=body)

    visitor.page.route("**/health/ready", lame, times=1)
    visitor.go("#/status")

    expect(visitor.page.get_by_text("Not everything is ready")).to_be_visible()
    retrieval = visitor.page.locator(".parts > li", has=visitor.page.get_by_role("heading", name="Retrieval"))
    expect(retrieval).to_contain_text("searches may fail")
