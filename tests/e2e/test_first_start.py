"""The first five minutes."""

import re
from collections.abc import Iterator

import httpx
import pytest
from e2e.product import Product, start_product
from e2e.visitor import DESKTOP, PHONE, Visitor
from playwright.sync_api import Browser, expect


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose gallery is empty before each test."""
    with start_product(tmp_path_factory.mktemp("empty")) as product:
        yield product


@pytest.fixture
def newcomer(browser: Browser, empty: Product, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Somebody in front of it, who leaves it empty again."""
    person = Visitor(browser, empty.address, **getattr(request, "param", {"device": DESKTOP}))
    yield person
    person.leave()
    assert person.complaints == []
    for each in httpx.get(f"{empty.address}/index/collections").json()["collections"]:
        httpx.delete(f"{empty.address}/collections/{each['id']}").raise_for_status()


@pytest.mark.parametrize("newcomer", [{"device": DESKTOP}, {"device": PHONE, "language": "zh-CN"}], indirect=True)
def test_an_empty_gallery_offers_a_sample(newcomer: Visitor) -> None:
    """One click makes it, one asks about a photo of it, one removes it; it says plainly that it is a sample."""
    page = newcomer.page
    newcomer.go("#/collections")

    page.get_by_role("button", name=re.compile("Load a sample|载入示例")).click()
    expect(page.get_by_role("heading", name=re.compile("This is a sample|这是示例"))).to_be_visible(timeout=90_000)
    page.get_by_text(re.compile("Photographers and terms|摄影者与许可")).click()
    expect(page.locator(".sample details li")).to_have_count(9)
    page.get_by_role("button", name=re.compile("(Ask about|识别).*(Chelsea|切尔西)")).click()
    expect(page.get_by_role("heading", name=re.compile("Chelsea|切尔西"), level=1)).to_be_visible()
    newcomer.go("#/collections/sample")
    page.get_by_role("button", name=re.compile("something that is not|图库中没有的事物")).click()
    expect(page.get_by_role("heading", name=re.compile("not in the collection|没有找到相符"))).to_be_visible()
    newcomer.go("#/collections/sample")
    page.get_by_role("button", name=re.compile("Remove the sample|移除示例")).click()

    expect(page.locator(".toast")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Load a sample|载入示例"))).to_be_visible(timeout=30_000)
