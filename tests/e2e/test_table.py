"""The table of places: many of them are changed at once."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from e2e.product import Product
from e2e.scenes import fill, reference
from e2e.visitor import DESKTOP, PHONE, Visitor
from fakes.images import draw_place, encode
from PIL import ImageFilter
from playwright.sync_api import expect

Visit = Callable[..., Visitor]


def names(product: Product, collection: str) -> dict[str, int]:
    """Names of the places, and how many photos show them."""
    listed = httpx.get(f"{product.address}/index/places", params={"collection": collection}, timeout=60).json()
    return {place["name"]: place["images"] for place in listed["places"]}


def test_places_are_found_merged_and_deleted(visit: Visit, product: Product) -> None:
    """By any of their texts; a selection stays over searches; a merge keeps one name; deleting can be undone."""
    fill(product, "bulk")
    facts = {"metadata": {"Inventory": "A-1969"}}
    httpx.patch(f"{product.address}/collections/bulk/places/Rocket", json=facts, timeout=60).raise_for_status()
    operator = visit("#/collections/bulk")
    page = operator.page
    page.get_by_role("link", name="Edit many").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)

    search = page.get_by_role("searchbox")
    search.fill("a-1969")
    expect(rows).to_have_count(1)
    page.get_by_role("checkbox", name="Select “Rocket”").check()
    search.fill("coffee")
    expect(page.get_by_role("checkbox", name="Select “Cup of coffee”")).to_be_visible()
    expect(rows).to_have_count(1)
    page.get_by_role("checkbox", name="Select “Cup of coffee”").check()
    expect(page.get_by_text("2 places selected")).to_be_visible()
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("dialog").get_by_role("radio", name="Cup of coffee").check()
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(page.locator("#live")).to_have_text("1 photo was moved.")
    assert names(product, "bulk") == {"Cup of coffee": 2, "Cat Chelsea": 1}

    search.fill("")
    expect(rows).to_have_count(2)
    page.get_by_role("checkbox", name="Select all that are shown").check()
    page.get_by_role("checkbox", name="Select “Cup of coffee”").uncheck()
    page.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Undo").click()

    expect(rows).to_have_count(2)
    assert names(product, "bulk") == {"Cup of coffee": 2, "Cat Chelsea": 1}


@pytest.mark.parametrize(("device", "language"), [(DESKTOP, "en-GB"), (PHONE, "zh-CN")])
def test_texts_are_exported_edited_and_imported(
    visit: Visit, product: Product, tmp_path: Path, device: object, language: str
) -> None:
    """The file opens in Excel; what an import would change is shown first, and a cancelled one changes nothing."""
    collection = f"texts {language}"
    fill(product, collection)
    page = visit(f"#/collections/{collection}/table", device=device, language=language).page
    words = {"en-GB": ("Export as CSV", "Import CSV", "Cancel"), "zh-CN": ("导出 CSV", "导入 CSV", "取消")}[language]
    with page.expect_download() as saved:
        page.get_by_role("link", name=words[0]).click()
    exported = saved.value.path().read_bytes()
    assert exported.startswith(b"\xef\xbb\xbf")
    assert {row[2] for row in list(csv.reader(io.StringIO(exported.decode("utf-8-sig"))))[1:]} == set(
        names(product, collection)
    )
    edited = tmp_path / "2026 texts.csv"
    edited.write_bytes(exported.replace(b"Rocket,Rocket", b"Rocket,Saturn V").replace(b"Cat Chelsea,Cat", b"gone,Cat"))

    dialog = page.get_by_role("dialog")
    for is_wanted in (False, True):
        page.get_by_label(words[1]).set_input_files(edited)
        expect(dialog.locator("del")).to_have_text("Rocket")
        expect(dialog.locator("ins")).to_have_text("Saturn V")
        expect(dialog.get_by_role("alert")).to_be_visible()
        assert "Rocket" in names(product, collection)
        if is_wanted:
            dialog.locator(".primary").click()
        else:
            dialog.get_by_role("button", name=words[2]).click()
        expect(dialog).to_have_count(0)

    expect(page.get_by_role("link", name="Saturn V")).to_be_visible()
    assert set(names(product, collection)) == {"Saturn V", "Cup of coffee", "Cat Chelsea"}


def test_places_are_hidden_and_shown_again(visit: Visit, product: Product) -> None:
    """A selection in the table, and a place on its page; meanwhile visitors read that it is not on show."""
    fill(product, "loans")
    page = visit("#/collections/loans/table").page
    rows = page.locator("tbody tr")

    for name in ("Rocket", "Cat Chelsea"):
        page.get_by_role("checkbox", name=f"Select “{name}”").check()
    page.get_by_role("button", name="Hide from visitors").click()
    expect(page.locator("#live")).to_have_text("2 places were hidden.")
    page.get_by_role("checkbox", name="Only hidden places").check()
    expect(rows).to_have_count(2)
    page.get_by_role("checkbox", name="Select “Cat Chelsea”").check()
    page.get_by_role("button", name="Show to visitors").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Hidden")

    visitor = visit("?visitor&collection=loans&place=Rocket")
    visitor.expect_complaint("404")
    expect(visitor.page.get_by_role("heading", name="This exhibit is not on show here at present")).to_be_visible()
    page.get_by_role("link", name="Rocket").click()
    page.get_by_role("button", name="Show to visitors").click()
    expect(page.get_by_role("button", name="Hide from visitors")).to_be_visible()
    visitor.page.reload()
    expect(visitor.page.get_by_role("heading", name="Rocket")).to_be_visible()


def test_photos_are_moved_to_another_place(visit: Visit, product: Product) -> None:
    """From the page of a place, one or several, to a place that is searched for."""
    fill(product, "moves")
    product.add("moves", "Cat Chelsea", [("launch.jpg", encode(draw_place(31)))])
    page = visit("#/collections/moves/places/Cat Chelsea").page

    page.get_by_role("button", name="Move photos").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name="launch.jpg").check()
    dialog.get_by_role("searchbox").fill("rock")
    dialog.get_by_role("radio", name="Rocket").check()
    dialog.get_by_role("button", name="Move").click()

    expect(dialog).to_have_count(0)
    expect(page.get_by_text("launch.jpg")).to_have_count(0)
    assert names(product, "moves") == {"Cat Chelsea": 1, "Cup of coffee": 1, "Rocket": 2}


def test_a_photo_to_take_again_is_named_after_the_upload(visit: Visit, product: Product) -> None:
    """The progress counts such photos, and the list of files says what is wrong with which."""
    fill(product, "quality")
    operator = visit("#/collections/quality", language="zh-CN")
    blurred = encode(draw_place(17).filter(ImageFilter.GaussianBlur(8)))

    operator.choose([("五牛图.jpg", blurred), ("百骏图.jpg", reference("Cat Chelsea"))])
    operator.page.locator(".review .primary").click()

    expect(operator.page.get_by_text("有 1 张照片建议重拍")).to_be_visible()
    operator.page.locator(".upload-progress summary").click()
    expect(operator.page.locator(".files li", has_text="五牛图.jpg")).to_contain_text("模糊")
