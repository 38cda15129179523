"""Deleting, adding again and taking back on the page: nothing is lost, whatever the order."""

import re
from collections.abc import Callable

import httpx
from e2e.product import Product
from e2e.scenes import PLACES, fill, reference
from e2e.visitor import PHONE, Visitor
from playwright.sync_api import Page, expect

Visit = Callable[..., Visitor]


def images(product: Product, collection: str) -> int:
    """How many photos a collection holds, by the server's account."""
    answer = httpx.get(f"{product.address}/index/collections").json()["collections"]
    return next((each["images"] for each in answer if each["id"] == collection), 0)


def delete_collection(operator: Visitor) -> None:
    """With the question that comes first."""
    operator.delete_collection().get_by_role("button", name="Delete").click()
    expect(operator.page.get_by_role("heading", name="Collections", level=1)).to_be_visible()


def unfold(page: Page, title: str) -> None:
    """Open a part of the page of all collections."""
    page.locator("summary", has=page.get_by_role("heading", name=title)).click()


def test_a_collection_deleted_and_filled_again_at_once_keeps_its_photos(visit: Visit, product: Product) -> None:
    """The photos count as added, none as already there, and all are there when the time to undo is over."""
    fill(product, "again")
    fill(product, "another")  # else the first steps are shown
    operator = visit("#/collections/again")
    page = operator.page
    delete_collection(operator)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()

    unfold(page, "New collection")
    page.get_by_label("Name").fill("again")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="again", level=1)).to_be_visible()
    operator.choose([(f"{place}.jpg", reference(place)) for place in PLACES])
    page.get_by_role("button", name=f"Add {len(PLACES)} photos").click()

    expect(page.locator(".tally")).to_have_text(re.compile(f"Added {len(PLACES)}.*Already there 0.*Not added 0"))
    expect(page.get_by_role("button", name="Undo")).to_have_count(0, timeout=20_000)
    page.reload()
    expect(page.get_by_text(f"{len(PLACES)} photos")).to_be_visible()
    assert images(product, "again") == len(PLACES)


def test_a_photo_deleted_and_added_again_at_once_stays(visit: Visit, product: Product) -> None:
    """Undoing the deletion afterwards makes no second one of it."""
    fill(product, "replaced")
    operator = visit("#/collections/replaced/places/Rocket", device=PHONE)
    page = operator.page
    page.get_by_role("button", name="Delete the photo rocket.jpg").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()

    operator.choose([("rocket.jpg", reference("Rocket"))])
    page.get_by_role("button", name="Add 1 photo").click()
    expect(page.locator(".tally")).to_have_text(re.compile("Added 1.*Already there 0"))
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)

    expect(page.get_by_role("button", name="Delete the photo rocket.jpg")).to_have_count(1)
    assert images(product, "replaced") == len(PLACES)


def test_closing_the_page_changes_nothing(visit: Visit, product: Product) -> None:
    """What was deleted is so already, and the trash gives it back on another day and another device."""
    fill(product, "left")
    visit("#/collections/left/places/Rocket").page.get_by_role("button", name="Delete this place").click()
    page = visit("#/collections", device=PHONE).page

    unfold(page, "Trash")
    row = page.locator(".recent li", has_text="left").filter(has_text="Rocket")
    expect(row).to_contain_text("left · 1 photo · kept until")
    row.get_by_role("button", name="Restore Rocket").click()

    expect(row).to_have_count(0)
    assert images(product, "left") == len(PLACES)


def test_the_trash_is_emptied_on_request(visit: Visit, product: Product) -> None:
    """One entry after a question; it cannot come back."""
    fill(product, "ended")
    operator = visit("#/collections/ended")
    page = operator.page
    delete_collection(operator)

    unfold(page, "Trash")
    page.get_by_role("button", name="Delete permanently ended").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete permanently").click()

    expect(page.get_by_role("button", name="Delete permanently ended")).to_have_count(0)
    trash = httpx.get(f"{product.address}/trash", params={"collection": "ended"}).json()
    assert trash["total"] == 0


def test_an_empty_collection_is_there_after_creating_it(visit: Visit, product: Product) -> None:
    """Creating creates: it is listed before its first photo, and a name in use is refused."""
    fill(product, "full")
    operator = visit("#/collections")
    operator.expect_complaint("409")  # the browser's own note of the refusal
    page = operator.page

    unfold(page, "New collection")
    page.get_by_label("Name").fill("full")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a collection of that name already")
    page.get_by_label("Name").fill("empty")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="empty", level=1)).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Rename")).to_be_visible()
    operator.go("#/collections")

    expect(page.get_by_role("link", name=re.compile("empty.*0 photos"))).to_be_visible()


def test_two_people_who_edit_a_place_keep_both_changes(visit: Visit, product: Product) -> None:
    """The second is told, and saving once more changes only what they edited themselves."""
    fill(product, "shared")
    one, other = (visit("#/collections/shared/places/Rocket") for _ in range(2))
    other.expect_complaint("412")
    for each in (one, other):
        each.page.get_by_role("button", name="Edit").click()
        expect(each.page.get_by_label("Description")).to_be_visible()  # with what the place was then
    one.page.get_by_label("Name").fill("Moon rocket")
    one.page.get_by_role("button", name="Save").click()
    expect(one.page.get_by_role("heading", name="Moon rocket")).to_be_visible()

    other.page.get_by_label("Description").fill("Ready to start.")
    other.page.get_by_role("button", name="Save").click()
    expect(other.page.get_by_role("alert")).to_contain_text("Somebody else has changed this")
    other.page.get_by_role("button", name="Save").click()

    expect(other.page.get_by_role("heading", name="Moon rocket")).to_be_visible()
    expect(other.page.get_by_text("Ready to start.")).to_be_visible()


def test_a_duplicate_says_where_the_photo_is(visit: Visit, product: Product) -> None:
    """The list of files names the place."""
    fill(product, "doubled")
    operator = visit("#/collections/doubled")
    page = operator.page

    operator.choose([("other name.jpg", reference("Rocket"))])
    page.get_by_role("button", name="Add 1 photo").click()
    expect(page.locator(".tally")).to_have_text(re.compile("Already there 1"))
    page.locator("summary", has_text="Every file").click()

    expect(page.locator(".files li")).to_contain_text("Already there, in “Rocket”")
