"""What an operator has typed or begun is not lost silently."""

import re
from collections.abc import Callable

import httpx
from e2e.product import Product
from e2e.scenes import fill, reference
from e2e.visitor import PHONE, Visitor
from playwright.sync_api import Route, expect

Visit = Callable[..., Visitor]


def test_unsaved_changes_survive_the_language_the_way_back_and_a_reload(visit: Visit, product: Product) -> None:
    """The form comes back as it was left, and says that it is not saved; leaving the page asks first."""
    fill(product, "unsaved")
    operator = visit("#/collections/unsaved/places/Rocket", device=PHONE)
    page = operator.page
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Description").fill("Half a sentence")

    page.get_by_role("button", name="切换到中文").click()
    expect(page.get_by_label("说明")).to_have_value("Half a sentence")
    page.locator(".back").click()
    page.get_by_role("link", name="Rocket").click()
    expect(page.get_by_label("说明")).to_have_value("Half a sentence")
    expect(page.get_by_text("这些修改尚未保存。")).to_be_visible()
    page.reload()
    expect(page.get_by_label("说明")).to_have_value("Half a sentence")
    page.get_by_label("说明").press("End")  # the browser asks nobody who has not touched the page
    page.reload()
    assert asked == ["beforeunload", "beforeunload"]
    page.get_by_role("button", name="取消").click()
    page.reload()

    expect(page.get_by_role("button", name="编辑")).to_be_visible()
    assert asked == ["beforeunload", "beforeunload"]


def test_a_form_without_changes_stays_open_while_photos_are_listed_again(visit: Visit, product: Product) -> None:
    """A deletion that ends while somebody begins to edit closes nothing."""
    fill(product, "opened")
    page = visit("#/collections/opened/places/Rocket").page
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Description")).to_be_visible()

    with page.expect_response("**/index/images?*"):
        page.evaluate("document.dispatchEvent(new Event('deletion'))")
    page.get_by_label("Description").fill("Still here")

    expect(page.get_by_label("Description")).to_have_value("Still here")
    expect(page.locator(".cards > li")).to_have_count(1)


def test_only_what_was_edited_is_saved(visit: Visit, product: Product) -> None:
    """A name that somebody else has given meanwhile stays; whoever saves second is told, and saves again."""
    fill(product, "shared")
    first, second = visit("#/collections/shared/places/Rocket"), visit("#/collections/shared/places/Rocket")
    for operator in (first, second):
        operator.page.get_by_role("button", name="Edit").click()
    first.page.get_by_label("Name").fill("Falcon 9")
    second.page.get_by_label("Description").fill("On its launch pad.")
    first.page.get_by_role("button", name="Save").click()
    expect(first.page.get_by_role("button", name="Edit")).to_be_visible()
    second.expect_complaint("412")
    second.page.get_by_role("button", name="Save").click()
    expect(second.page.get_by_text("Somebody else has changed this since you opened it.")).to_be_visible()
    second.page.get_by_role("button", name="Save").click()
    expect(second.page.get_by_role("button", name="Edit")).to_be_visible()

    (place,) = httpx.get(f"{product.address}/index/places", params={"collection": "shared", "q": "Falcon"}).json()[
        "places"
    ]
    assert (place["name"], place["description"]) == ("Falcon 9", "On its launch pad.")


def test_an_upload_in_one_tab_is_not_called_interrupted_in_another(visit: Visit) -> None:
    """The other tab says nothing of it and erases nothing; every page of the busy one leads back to it."""
    operator = visit("#/collections/two tabs")
    operator.expect_complaint("ERR_FAILED")
    page = operator.page
    page.on("dialog", lambda dialog: dialog.accept())
    held: list[Route] = []
    page.route("**/index/images", lambda route: held.append(route))
    operator.choose([("1.jpg", reference("Rocket")), ("2.jpg", reference("Cat Chelsea"))])
    page.get_by_role("button", name="Add 2 photos").click()
    expect(page.locator(".files li.sending").first).to_be_attached()

    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text("Choose photos, or drop them here")).to_be_visible()
    expect(other.get_by_text("An upload was interrupted")).to_have_count(0)
    operator.turn_to_now("#/match")
    expect(page.get_by_role("link", name="Adding photos to “two tabs”: 0 of 2")).to_be_visible()
    other.close()
    for route in held:
        route.abort()
    operator.go("#/collections/two tabs")
    page.reload()

    expect(page.get_by_text("An upload was interrupted: 0 of 2 photos had arrived.")).to_be_visible()


def test_an_upload_that_added_nothing_is_not_called_finished(visit: Visit) -> None:
    """Every file refused: the heading says so, in Chinese without English beside it."""
    operator = visit("#/collections/refused", language="zh-CN")

    operator.choose([("1.jpg", b"no photo")])
    operator.page.locator(".review .primary").click()

    progress = operator.page.locator(".upload-progress")
    expect(progress.get_by_role("heading")).to_have_text("没有添加任何照片")
    expect(operator.page.locator(".problems")).to_contain_text("不支持这种文件")
    seen = re.sub(r"JPEG|PNG|WebP|AVIF|HEIC|1\.jpg", "", progress.inner_text())
    assert re.findall("[A-Za-z]{2,}", seen) == []
