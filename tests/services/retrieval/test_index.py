"""The ``/index`` routes: adding, listing, changing, removing."""

import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from bad_photos import BAD_PHOTOS, GOOD_PHOTO
from fakes.images import FORMATS, draw_place, encode
from in_process import AppClient, error_of
from PIL import Image

from core.imaging.decoding import decode_image


def add(retrieval: AppClient, *files: tuple[str, bytes], **fields: str) -> dict:
    """Add files with the same fields."""
    answer = retrieval.post("/index/images", files=[("file", file) for file in files], data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def outcomes(reply: dict) -> list[tuple[str, str, str | None]]:
    """File name, status and code of each result."""
    return [(result["filename"], result["status"], result["code"]) for result in reply["results"]]


def photo(seed: int) -> bytes:
    """A photo of a drawn place."""
    return encode(draw_place(seed))


def test_what_was_sent_about_a_photo_is_kept(retrieval: AppClient):
    """Every field of the form comes back with the image."""
    reply = add(
        retrieval,
        ("vase.jpg", photo(1)),
        collection="museum",
        place_id="hall-3",
        place_name="青花瓷瓶",
        description="A vase.",
        metadata=json.dumps({"year": 1402, "tags": ["blue"]}),
        latitude="30.25",
        longitude="120.13",
    )

    image = reply["results"][0]["image"]
    assert image["collection"] == "museum"
    assert image["place"] == {
        "id": "hall-3",
        "name": "青花瓷瓶",
        "description": "A vase.",
        "metadata": {"year": 1402, "tags": ["blue"]},
        "latitude": 30.25,
        "longitude": 120.13,
        "hidden": False,
        "shown": None,
    }
    assert (image["width"], image["height"], image["bytes"]) == (*draw_place(1).size, len(photo(1)))
    assert retrieval.get(f"/index/images/{image['id']}").json() == image


def test_the_same_bytes_again_are_a_duplicate(retrieval: AppClient):
    """A repeated file changes nothing, whether it comes later or twice in one upload."""
    first = add(retrieval, ("a.jpg", photo(1)), ("b.jpg", photo(1)))
    second = add(retrieval, ("c.jpg", photo(1)))

    assert [result["status"] for result in first["results"]] == ["added", "duplicate"]
    assert outcomes(second) == [("c.jpg", "duplicate", None)]
    assert second["results"][0]["image"] == first["results"][0]["image"]
    assert retrieval.get("/index/images").json()["total"] == 1


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_a_bad_file_fails_no_other(retrieval: AppClient, name: str):
    """In an upload, each file has its own outcome, in the order sent; a bad one says why it is rejected."""
    data, _, code = BAD_PHOTOS[name]

    reply = add(retrieval, ("1.jpg", photo(1)), ("bad.jpg", data), ("2.jpg", photo(2)))

    assert outcomes(reply) == [("1.jpg", "added", None), ("bad.jpg", "rejected", code), ("2.jpg", "added", None)]
    assert (reply["added"], reply["duplicates"], reply["rejected"]) == (2, 0, 1)
    assert reply["results"][1]["reason"]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_accepted_format_is_recognised_by_its_bytes(retrieval: AppClient, kind: str):
    """The file's name and declared type do not matter; its original comes back byte for byte."""
    data = encode(draw_place(3), kind)

    image = add(retrieval, ("photo.heic", data))["results"][0]["image"]
    original = retrieval.get(image["file_url"])

    assert image["media_type"] == f"image/{kind}"
    assert original.content == data
    assert original.headers["content-type"] == f"image/{kind}"
    assert original.headers["x-content-type-options"] == "nosniff"


def test_previews_are_small_upright_and_carry_no_position(retrieval: AppClient):
    """What a page shows of a phone photo is a small upright JPEG without the position where it was taken."""
    data = encode(draw_place(4, (1600, 1200)), orientation=6, gps=True)

    image = add(retrieval, ("phone.jpg", data))["results"][0]["image"]
    preview = retrieval.get(image["preview_url"])

    decoded = decode_image(preview.content)
    assert (decoded.width, decoded.height) == (480, 640)
    assert b"Exif" not in preview.content
    assert (image["width"], image["height"]) == (1200, 1600)


def test_a_photo_that_a_browser_has_is_not_sent_again(retrieval: AppClient):
    """The entity tag of a photo answers 304 while it is unchanged, which it always is."""
    image = add(retrieval, ("a.jpg", photo(1)))["results"][0]["image"]

    first = retrieval.get(image["file_url"])
    again = retrieval.get(image["file_url"], headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_photos_without_a_place_are_their_own(retrieval: AppClient):
    """Where nobody says what is shown, each photo is a place of its own, named after the file."""
    reply = add(retrieval, ("C:\\photos\\西湖.jpg", photo(1)), ("b.jpg", photo(2)))

    places = [result["image"]["place"] for result in reply["results"]]
    assert [place["name"] for place in places] == ["西湖", "b"]
    assert [place["id"] for place in places] == [result["image"]["id"] for result in reply["results"]]


def test_the_same_place_name_means_the_same_place(retrieval: AppClient):
    """Photos added one by one under one name show one place."""
    add(retrieval, ("a.jpg", photo(1)), place_name="Leaning Tower")
    add(retrieval, ("b.jpg", photo(2)), place_name="Leaning Tower")

    places = retrieval.get("/index/places").json()
    assert [(place["name"], place["images"]) for place in places["places"]] == [("Leaning Tower", 2)]


def test_lists_come_in_pages(retrieval: AppClient):
    """Following the cursor shows every image once, oldest first."""
    add(retrieval, *((f"{seed}.jpg", photo(seed)) for seed in range(5)))

    names, cursor = [], None
    while True:
        page = retrieval.get("/index/images", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        names += [image["filename"] for image in page["images"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert names == [f"{seed}.jpg" for seed in range(5)]
    assert page["total"] == 5


def test_lists_are_filtered(retrieval: AppClient):
    """Collection, place and text narrow the list together."""
    add(retrieval, ("a.jpg", photo(1)), collection="museum", place_id="p", place_name="Vase")
    add(retrieval, ("b.jpg", photo(2)), collection="museum", place_id="q", place_name="Statue")
    add(retrieval, ("c.jpg", photo(3)), collection="park", place_id="p", place_name="Vase")

    def listed(**params: str) -> list[str]:
        return [image["filename"] for image in retrieval.get("/index/images", params=params).json()["images"]]

    assert listed(collection="museum") == ["a.jpg", "b.jpg"]
    assert listed(place_id="p") == ["a.jpg", "c.jpg"]
    assert listed(q="vas", collection="park") == ["c.jpg"]
    assert [collection["id"] for collection in retrieval.get("/index/collections").json()["collections"]] == [
        "museum",
        "park",
    ]
    assert [place["name"] for place in retrieval.get("/index/places", params={"q": "Sta"}).json()["places"]] == [
        "Statue"
    ]


@pytest.mark.parametrize(
    ("params", "field"), [({"limit": "0"}, "limit"), ({"limit": "501"}, "limit"), ({"colection": "x"}, "colection")]
)
def test_a_wrong_filter_is_refused_by_name(retrieval: AppClient, params: dict[str, str], field: str):
    """A filter out of range or misspelt is an error that names it, never silently ignored."""
    answer = retrieval.get("/index/images", params=params)

    assert (answer.status_code, error_of(answer)["field"]) == (422, field)


def test_a_foreign_cursor_is_refused(retrieval: AppClient):
    """A cursor that no page gave is said to be one."""
    answer = retrieval.get("/index/images", params={"cursor": "nonsense"})

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")


def test_changing_a_place_leaves_the_rest(retrieval: AppClient):
    """Fields left out of a change stay as they are; null forgets a position."""
    image = add(
        retrieval, ("a.jpg", photo(1)), place_id="p", place_name="Old", description="Text", latitude="1", longitude="2"
    )["results"][0]["image"]

    changed = retrieval.request(
        "PATCH", f"/index/images/{image['id']}", json={"place_name": "New", "latitude": None, "longitude": None}
    )

    place = changed.json()["place"]
    assert (place["id"], place["name"], place["description"]) == ("p", "New", "Text")
    assert (place["latitude"], place["longitude"]) == (None, None)


def test_moving_an_image_makes_the_place(retrieval: AppClient):
    """A new place_id moves the image there."""
    image = add(retrieval, ("a.jpg", photo(1)), place_id="p")["results"][0]["image"]

    moved = retrieval.request("PATCH", f"/index/images/{image['id']}", json={"place_id": "q", "place_name": "Q"})

    assert moved.json()["place"]["id"] == "q"
    assert [place["id"] for place in retrieval.get("/index/places").json()["places"]] == ["q"]


def test_a_deleted_image_is_gone_everywhere(retrieval: AppClient, folder: Path):
    """After a deletion neither lists, searches nor files show the image; its files go when the trash is emptied."""
    image = add(retrieval, ("a.jpg", photo(1)), ("b.jpg", photo(2)))["results"][0]["image"]

    deleted = retrieval.request("DELETE", f"/index/images/{image['id']}")

    assert (deleted.status_code, deleted.content) == (204, b"")
    found = retrieval.post("/search", content=photo(1)).json()["candidates"]
    assert image["id"] not in [candidate["image"]["id"] for candidate in found]
    for path in ("", "/file", "/preview"):
        answer = retrieval.get(f"/index/images/{image['id']}{path}")
        assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_image")
    assert retrieval.request("DELETE", "/trash").status_code == 204
    assert not any(image["content_hash"] in path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"place_name": "x"}), ("DELETE", None)])
def test_an_unknown_image_is_named(retrieval: AppClient, method: str, body: dict | None):
    """Changing or deleting what is not there is a 404 that names it."""
    answer = retrieval.request(method, "/index/images/none-such", json=body)

    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_image")
    assert "none-such" in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"latitude": 91}, "latitude"), ({"place_id": ""}, "place_id"), ({"colour": "red"}, "colour")],
)
def test_a_wrong_change_is_refused_by_field(retrieval: AppClient, body: dict, field: str):
    """A change out of range or of a field that does not exist names the field."""
    image = add(retrieval, ("a.jpg", photo(1)))["results"][0]["image"]

    answer = retrieval.request("PATCH", f"/index/images/{image['id']}", json=body)

    assert (answer.status_code, error_of(answer)["field"]) == (422, field)


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"latitude": "north"}, "latitude"), ({"metadata": "{"}, "metadata"), ({"place": "x"}, "place")],
)
def test_a_wrong_form_field_is_refused_by_name(retrieval: AppClient, fields: dict[str, str], field: str):
    """A form field out of range or misspelt refuses the upload, naming it, before anything is stored."""
    answer = retrieval.post("/index/images", files={"file": ("a.jpg", GOOD_PHOTO)}, data=fields)

    assert (answer.status_code, error_of(answer)["field"]) == (422, field)
    assert retrieval.get("/index/images").json()["total"] == 0


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"content": GOOD_PHOTO}, "multipart/form-data"),
        ({"data": {"collection": "x"}}, "multipart/form-data"),
        ({"files": {"photo": ("a.jpg", GOOD_PHOTO)}}, "file"),
        ({"content": b"--x\r\nnonsense", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, "multipart"),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data"}}, "multipart"),
    ],
)
def test_a_body_that_is_no_form_with_a_file_is_refused(retrieval: AppClient, options: dict, hint: str):
    """Whatever is sent instead of a form with a file is told what a form with a file is."""
    answer = retrieval.post("/index/images", **options)

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")
    assert hint in error_of(answer)["accepted"]


def test_a_disk_that_cannot_be_written_is_not_a_success(retrieval: AppClient, folder: Path):
    """When nothing can be stored, nothing is acknowledged: 503, and the gallery works on once the disk does."""
    blocked = folder / "originals"
    blocked.write_text("a file where a folder must be")

    answer = retrieval.post("/index/images", files={"file": ("a.jpg", photo(1))})
    blocked.unlink()
    later = add(retrieval, ("a.jpg", photo(1)))

    assert (answer.status_code, error_of(answer)["code"]) == (503, "gallery_unavailable")
    assert later["added"] == 1


def test_one_unacceptable_place_fails_no_other_file(retrieval: AppClient):
    """A place the gallery refuses rejects its own photo only, although photos are stored several at a time."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("good/a.jpg", photo(1))
        archive.writestr("bad\tname/b.jpg", photo(2))

    reply = add(retrieval, ("places.zip", packed.getvalue()))

    assert outcomes(reply) == [("a.jpg", "added", None), ("b.jpg", "rejected", "invalid_request")]


def test_a_large_upload_keeps_its_order(retrieval: AppClient):
    """More files than fit one transaction keep their order and are all there."""
    small = [(f"{seed}.png", encode(Image.new("RGB", (32, 32), (seed * 12, 80, 160)), "png")) for seed in range(20)]

    reply = add(retrieval, *small)

    assert [result["filename"] for result in reply["results"]] == [name for name, _ in small]
    assert reply["added"] == 20


def test_an_upload_that_ends_early_adds_nothing(retrieval: AppClient):
    """A form cut off inside its second file is refused as a whole: what was sent is never half taken in silence."""
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="%d.jpg"\r\n\r\n%s\r\n'
    body = part % (1, photo(1)) + (part % (2, photo(2)))[:2000]

    answer = retrieval.post("/index/images", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")
    assert retrieval.get("/index/images").json()["total"] == 0


def test_deleting_a_photo_spoils_no_answer(retrieval: AppClient):
    """Who asks for a photo while it is deleted gets it whole or is told that there is none."""
    images = [add(retrieval, (f"{seed}.jpg", photo(seed)))["results"][0]["image"] for seed in range(12)]
    with ThreadPoolExecutor(4) as threads:
        asked = [
            threads.submit(retrieval.get, image[url]) for image in images for url in ("file_url", "preview_url") * 2
        ]
        for image in images:
            assert retrieval.request("DELETE", f"/index/images/{image['id']}").status_code == 204
        answers = [future.result() for future in asked]

    assert {answer.status_code for answer in answers} <= {200, 404}
    for answer in answers:
        if answer.status_code == 404:
            assert error_of(answer)["code"] == "unknown_image"
        else:
            assert decode_image(answer.content)


def test_a_photo_is_answered_whole_whatever_part_is_asked_for(retrieval: AppClient):
    """A range, sound or not, is ignored, as HTTP allows: parts of photos are no use."""
    image = add(retrieval, ("a.jpg", photo(1)))["results"][0]["image"]

    for asked in ("bytes=0-99", "bytes=99999999-", "bytes=9-1", "lines=1", "bytes=a-b"):
        answer = retrieval.get(image["file_url"], headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, photo(1))


def test_a_photo_lost_from_the_disk_is_said_to_be_missing(retrieval: AppClient, folder: Path):
    """A file that somebody else removed is the gallery's damage, not an unknown image."""
    image = add(retrieval, ("a.jpg", photo(1)))["results"][0]["image"]
    for path in (folder / "originals").glob("*/*"):
        path.unlink()

    answer = retrieval.get(image["file_url"])

    assert (answer.status_code, error_of(answer)["code"]) == (503, "gallery_unavailable")


def test_a_long_name_names_one_place(retrieval: AppClient):
    """A place's name that is too long for its id still means the same place in the next upload, and no other."""
    name = "The " + "very " * 80 + "long bridge"
    replies = [
        add(retrieval, (f"{seed}.jpg", photo(seed)), place_name=place_name)
        for seed, place_name in enumerate([name, name, f"{name}s"])
    ]

    places = [reply["results"][0]["image"]["place"] for reply in replies]
    assert [place["name"] for place in places] == [name, name, f"{name}s"]
    assert places[0]["id"] == places[1]["id"] != places[2]["id"]
    assert len(places[0]["id"]) <= 200


def test_a_collections_name_is_as_long_everywhere(retrieval: AppClient):
    """What may be searched may be filled."""
    added = add(retrieval, ("a.jpg", photo(1)), collection="c" * 200)

    assert added["added"] == 1
    assert retrieval.post("/search", params={"collection": "c" * 200}, content=photo(1)).status_code == 200


@pytest.mark.parametrize("charset", ["idna", "punycode", "undefined", "hex", "rot13", "utf-16", "utf-7", "no-such"])
def test_an_odd_charset_is_the_callers_fault(retrieval: AppClient, charset: str):
    """A form in any encoding that Python knows is read or refused, never a crash."""
    body = (
        '--x\r\nContent-Disposition: form-data; name="place_name"\r\n\r\n\udcff瓶\r\n'
        '--x\r\nContent-Disposition: form-data; name="file"; filename="\udcffé.jpg"\r\n\r\nnothing\r\n--x--\r\n'
    )

    answer = retrieval.post(
        "/index/images",
        content=body.encode(errors="surrogateescape"),
        headers={"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"},
    )

    assert answer.status_code in (200, 422)


def test_no_redirect_to_the_host_a_request_names(retrieval: AppClient):
    """A path with one slash too many is unknown, not sent elsewhere."""
    answer = retrieval.get("/index/images/")

    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found")
