"""The operator's pages."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from e2e.product import Product
from e2e.scenes import PLACES, fill, packed, reference, snapshot
from e2e.visitor import PHONE, Visitor, payload
from name_tables import pack_raw
from playwright.sync_api import expect

Visit = Callable[..., Visitor]


def test_a_folder_becomes_one_place_per_folder(visit: Visit, tmp_path: Path) -> None:
    """Folders name the places, an unreadable file is reported by name, other files are left out."""
    for place in PLACES:
        (tmp_path / place).mkdir()
        (tmp_path / place / "front.jpg").write_bytes(reference(place))
    (tmp_path / "Rocket" / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "notes.txt").write_text("not a photo either")
    operator = visit("#/collections/folders")

    operator.page.locator("input[webkitdirectory]").set_input_files(tmp_path)
    expect(operator.page.get_by_text("4 photos · 1 other file is left out")).to_be_visible()
    expect(operator.page.get_by_label("One place per folder (3 places)")).to_be_checked()
    operator.page.get_by_role("button", name="Add 4 photos").click()

    expect(operator.page.get_by_role("heading", name="Finished")).to_be_visible()
    expect(operator.page.locator(".tally")).to_have_text(re.compile("Added 3.*Already there 0.*Not added 1"))
    expect(operator.page.locator(".problems")).to_contain_text("Rocket/broken.jpg This file cannot be read as a photo")
    for place in PLACES:
        expect(operator.page.get_by_role("link", name=place)).to_be_visible()


def test_a_zip_file_is_unpacked_by_the_browser(visit: Visit) -> None:
    """A ZIP gives the same places as the folder it was made of, whatever its names' encoding and clutter."""
    files = {f"photos/{place}/1.jpg": reference(place) for place in PLACES}
    archive = packed({**files, "__MACOSX/photos/._1.jpg": b"clutter", "photos/展品/1.jpg": snapshot("Rocket")})
    operator = visit("#/collections/zipped")

    operator.choose([("photos.zip", archive)], kind="zip")
    operator.page.get_by_role("button", name="Add 4 photos").click()

    expect(operator.page.locator(".tally")).to_contain_text("Added 4")
    expect(operator.page.get_by_role("link", name="展品")).to_be_visible()


def test_a_zip_file_with_a_manifest_is_listed_by_it(visit: Visit) -> None:
    """Its rows say what photos show, before anything is sent."""
    manifest = "file,place_id,place_name,description\na.jpg,p1,Painted cup,From a manifest\n"
    operator = visit("#/collections/listed")

    operator.choose([("listed.zip", packed({"manifest.csv": manifest.encode(), "a.jpg": reference("Rocket")}))], "zip")
    operator.page.get_by_role("button", name="Add 1 photo").click()

    expect(operator.page.locator(".tally")).to_contain_text("Added 1")
    operator.page.get_by_role("link", name="Painted cup").click()
    expect(operator.page.get_by_text("From a manifest")).to_be_visible()


def test_something_else_called_zip_is_refused_by_name(visit: Visit) -> None:
    """Nothing is uploaded; the message names the file."""
    operator = visit("#/collections/nothing")

    operator.choose([("holiday.zip", b"no archive")], kind="zip")

    expect(operator.page.get_by_role("alert")).to_contain_text("holiday.zip cannot be opened as a ZIP file")


def test_all_photos_can_be_given_one_place_with_words(visit: Visit) -> None:
    """Name and description typed at upload are what the place page shows."""
    operator = visit("#/collections/worded")

    operator.choose([("1.jpg", reference("Rocket")), ("2.jpg", snapshot("Rocket"))])
    operator.page.get_by_label("All show the same place").check()
    operator.page.get_by_label("Name of the place").fill("火箭 Rocket")
    operator.page.get_by_label("Description (optional)").fill("Ready to start.")
    operator.page.get_by_role("button", name="Add 2 photos").click()
    operator.page.get_by_role("link", name=re.compile("火箭 Rocket.*2 photos")).click()

    expect(operator.page.get_by_role("heading", name="火箭 Rocket")).to_be_visible()
    expect(operator.page.get_by_text("Ready to start.")).to_be_visible()


def test_a_place_can_be_renamed_and_described(visit: Visit, product: Product) -> None:
    """What the operator saves is there after a reload."""
    fill(product, "edited")
    operator = visit("#/collections/edited")
    operator.page.get_by_role("link", name="Cat Chelsea").click()

    operator.page.get_by_role("button", name="Edit").click()
    operator.page.get_by_label("Name").fill("Chelsea, a cat")
    operator.page.get_by_label("Description").fill("Painted <b>twice</b>.")
    operator.page.get_by_label("Facts").fill("Artist: Wang Ximeng\n年代：1113")
    operator.page.get_by_label("Latitude").fill("39.9163")
    operator.page.get_by_label("Longitude").fill("116.3972")
    operator.page.get_by_role("button", name="Save").click()

    expect(operator.page.get_by_role("heading", name="Chelsea, a cat")).to_be_focused()
    expect(operator.page).to_have_title(re.compile("^Chelsea, a cat"))
    operator.page.reload()
    expect(operator.page.get_by_role("heading", name="Chelsea, a cat")).to_be_visible()
    expect(operator.page.get_by_text("Painted <b>twice</b>.")).to_be_visible()
    expect(operator.page.locator(".facts")).to_contain_text("Wang Ximeng")
    operator.page.get_by_role("button", name="Edit").click()
    expect(operator.page.get_by_label("Facts")).to_have_value("Artist: Wang Ximeng\n年代: 1113")
    expect(operator.page.get_by_label("Latitude")).to_have_value("39.9163")


def test_a_fact_without_a_colon_is_not_saved(visit: Visit, product: Product) -> None:
    """The field itself says what is missing, and nothing is sent."""
    fill(product, "misspelt")
    operator = visit("#/collections/misspelt/places/Rocket")
    operator.page.get_by_role("button", name="Edit").click()

    operator.page.get_by_label("Facts").fill("no colon here")
    operator.page.get_by_role("button", name="Save").click()

    said = operator.page.get_by_label("Facts").evaluate("(field) => field.validationMessage")
    assert said == "Every line needs a colon between name and value."
    expect(operator.page.get_by_role("button", name="Save")).to_be_visible()


def test_a_deleted_place_can_be_had_back(visit: Visit, product: Product) -> None:
    """It is gone at once, and undone it is all there again; what is not undone stays gone after a reload."""
    fill(product, "thinned")
    operator = visit("#/collections/thinned", device=PHONE)
    page = operator.page
    page.get_by_role("link", name="Rocket").click()

    page.get_by_role("button", name="Delete this place").click()
    expect(page.get_by_role("link", name="Cat Chelsea")).to_be_visible()
    expect(page.get_by_role("link", name="Rocket")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="Rocket").click()
    page.get_by_role("button", name="Delete the photo rocket.jpg").click()
    expect(page.get_by_role("heading", name="This place has no photos any more.")).to_be_visible()
    page.reload()

    operator.go("#/collections/thinned")
    expect(page.get_by_text("2 places · 2 photos")).to_be_visible()
    expect(page.get_by_role("link", name="Rocket")).to_have_count(0)


def test_places_are_found_by_name(visit: Visit, product: Product) -> None:
    """Typing narrows the list; a name nobody has says so."""
    fill(product, "searched")
    operator = visit("#/collections/searched")

    operator.page.get_by_label("Search places").fill("coffee")
    expect(operator.page.locator(".cards .card")).to_have_count(1)
    operator.page.get_by_label("Search places").fill("pyramid")

    expect(operator.page.get_by_text("No place was found for that.")).to_be_visible()


def test_an_operator_needs_no_mouse(visit: Visit, product: Product) -> None:
    """Creating, choosing, dividing, adding, folding out, deleting and taking back, with the keyboard alone."""
    fill(product, "another")  # else the first steps are shown
    operator = visit("#/collections")
    page = operator.page
    keyboard = page.keyboard

    page.locator("summary", has_text="New collection").focus()
    keyboard.press("Enter")
    page.get_by_label("Name").focus()
    keyboard.type("typed")
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="typed", level=1)).to_be_focused()
    operator.wait_until_loaded()
    page.get_by_label("Photos", exact=True).focus()
    expect(page.get_by_label("Photos", exact=True)).to_be_focused()
    with page.expect_file_chooser() as asked:
        keyboard.press("Space")
    asked.value.set_files(payload("rocket.jpg", reference("Rocket")))
    expect(page.get_by_role("heading", name="Ready to add")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("ArrowDown")
    expect(page.get_by_label("All show the same place")).to_be_checked()
    keyboard.press("Tab")
    keyboard.type("Launch pad")
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    expect(page.get_by_role("link", name="Launch pad")).to_be_visible()
    page.locator("summary", has_text="How sure must an answer be?").focus()
    keyboard.press("Enter")
    expect(page.get_by_text("This collection has not been measured yet")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).focus()
    keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Enter")
    page.get_by_role("button", name="Undo").focus()
    keyboard.press("Enter")

    expect(page.get_by_role("link", name=re.compile("typed"))).to_be_visible()


def test_a_folder_with_a_manifest_is_listed_by_it(visit: Visit, product: Product, tmp_path: Path) -> None:
    """Names, texts, positions and roles count as in a ZIP file; the same folder with corrected texts corrects them."""
    (tmp_path / "hall1").mkdir()
    for number, place in enumerate(PLACES):
        (tmp_path / "hall1" / f"{number}.JPG").write_bytes(reference(place))
    rows = ("hall1\\0.jpg;h1;{};Great;39,9;116,4;", "hall1\\1.jpg;h2;Bell;;;;", "hall1\\2.jpg;h1;;;;;query")
    table = "\n".join(["文件;编号;名称;说明;纬度;经度;用途", *rows])
    (tmp_path / "Manifest.CSV").write_bytes(table.format("Hal").encode("gb18030"))
    operator = visit("#/collections/by-manifest")
    page = operator.page

    page.locator("input[webkitdirectory]").set_input_files(tmp_path)
    expect(page.get_by_label("As listed in manifest.csv")).to_be_checked()
    expect(page.get_by_text("2 photos · Manifest.CSV · 1 photo is a question by its manifest")).to_be_visible()
    expect(page.get_by_text("manifest.csv was read as GB18030.")).to_be_visible()
    expect(page.locator(".planned")).to_have_text(
        re.compile("2 places, beginning with:.*Hal · 1 photo.*Bell · 1 photo")
    )
    page.get_by_role("button", name="Add 2 photos").click()
    expect(page.locator(".tally")).to_contain_text("Added 2")
    page.get_by_role("button", name="Done").click()

    (tmp_path / "Manifest.CSV").write_bytes(table.format("Great Hall").encode("gb18030"))
    page.locator("input[webkitdirectory]").set_input_files(tmp_path)
    page.get_by_role("button", name="Add 2 photos").click()
    expect(page.get_by_text("One place was updated from the manifest.")).to_be_visible()

    (place,) = [each for each in places_of(product, "by-manifest") if each["id"] == "h1"]
    assert (place["name"], place["description"], place["latitude"]) == ("Great Hall", "Great", 39.9)


def test_a_flat_folder_of_titles_is_a_place_each(visit: Visit, product: Product, tmp_path: Path) -> None:
    """The first places are shown before anything is added, and another choice shows others."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for name, place in zip(("五牛图（1号）", "五牛图（2号）", "百骏图"), PLACES, strict=True):
        (flat / f"{name}.jpg").write_bytes(reference(place))
    page = visit("#/collections/flat").page

    page.locator("input[webkitdirectory]").set_input_files(flat)
    expect(page.get_by_label("Every photo is a place of its own")).to_be_checked()
    expect(page.locator(".planned")).to_contain_text("五牛图（1号）")
    page.get_by_label("One place per folder").check()
    expect(page.locator(".planned")).to_have_text(re.compile("One place:.*flat · 3 photos"))
    page.get_by_label("Every photo is a place of its own").check()
    expect(page.locator(".planned")).to_contain_text("3 places, beginning with:")
    page.get_by_role("button", name="Add 3 photos").click()

    expect(page.locator(".tally")).to_contain_text("Added 3")
    assert {each["name"] for each in places_of(product, "flat")} == {"五牛图（1号）", "五牛图（2号）", "百骏图"}


@pytest.mark.parametrize("codec", ["gbk", "cp932", "utf-8"])
def test_page_and_server_read_a_zip_alike(visit: Visit, product: Product, codec: str) -> None:
    """The same archive gives the same places through the page and through the API, names of any system included."""
    names = (
        ["大仏殿の鐘楼/正面.jpg", "金閣/全景.jpg"] if codec == "cp932" else ["青花瓷瓶/正面.jpg", "南门牌坊/远景.jpg"]
    )
    archive = pack_raw([f"museum/{name}".encode(codec) for name in names], [reference("Rocket"), snapshot("Rocket")])
    data = {"collection": f"api-{codec}"}
    httpx.post(f"{product.address}/index/images", files={"file": ("a.zip", archive)}, data=data, timeout=60)
    operator = visit(f"#/collections/page-{codec}")

    operator.choose([("a.zip", archive)], kind="zip")
    operator.page.get_by_role("button", name="Add 2 photos").click()
    expect(operator.page.locator(".tally")).to_contain_text("Added 2")

    listed = [{each["id"] for each in places_of(product, f"{door}-{codec}")} for door in ("api", "page")]
    assert listed[0] == listed[1] == {name.partition("/")[0] for name in names}


def places_of(product: Product, collection: str) -> list[dict]:
    """What the collection holds."""
    return httpx.get(f"{product.address}/index/places", params={"collection": collection}).json()["places"]
