"""The operator's figures: what visitors asked, as plots, tables and CSV."""

from collections.abc import Callable
from pathlib import Path

import httpx
from e2e.product import Product
from e2e.scenes import fill, snapshot, stranger
from e2e.visitor import SMALL_PHONE, Visitor
from playwright.sync_api import expect

Visit = Callable[..., Visitor]


def ask(product: Product, photo: bytes) -> str:
    """Match a photo; the answer's request id."""
    answer = httpx.post(f"{product.address}/match", data={"collection": "counted"}, files={"file": photo}, timeout=60)
    return str(answer.json()["request_id"])


def test_an_operator_sees_what_visitors_asked(visit: Visit, product: Product) -> None:
    """Figures, bars, the same as a table, exhibits that nobody photographed, and CSV; also of another period."""
    fill(product, "counted")
    ask(product, snapshot("Rocket"))
    said = {"request_id": ask(product, stranger()), "verdict": "not_in_collection"}
    httpx.post(f"{product.address}/feedback", json=said, timeout=60).raise_for_status()
    visitor = visit("#/collections/counted", device=SMALL_PHONE)
    page = visitor.page

    page.get_by_role("link", name="Statistics").click()

    expect(page.get_by_role("heading", name="Statistics", level=1)).to_be_visible()
    figures = page.locator("dl.facts > div")
    expect(figures.filter(has_text="Answered")).to_contain_text("1 (50%)")
    expect(figures.filter(has_text="Feedback: not in the collection")).to_contain_text("1")
    days = page.get_by_role("img", name="Questions per day", exact=True)
    expect(days.locator("rect.refused")).to_have_count(30)
    expect(days.locator("g").filter(has_text="2 questions, 1 answered")).to_have_count(1)
    expect(page.locator(".ranking li")).to_have_text(["Rocket1"])
    expect(page.get_by_role("heading", name="Never photographed in this period: 2 places")).to_be_visible()
    page.get_by_text("As a table").first.click()
    expect(page.get_by_role("table").first.get_by_role("row").last).to_contain_text("21")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.get_by_label("Period").select_option("7")

    expect(days.locator("rect.refused")).to_have_count(7)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Days as CSV").click()
    assert downloading.value.suggested_filename == "counted-days.csv"
    rows = Path(downloading.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert [row.split(",", 1)[1] for row in rows if not row.endswith(",0,0,0,0,0,0")] == [
        "questions,answered,right,wrong,other_place,not_in_collection",
        "2,1,0,0,0,1",
    ]
