"""Collections renamed and deleted through the public door, and the QR code that leads to one."""

import json

import pytest
import segno
from fakes.codes import read_code
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from pydantic import ValidationError

from gateway.app import create_app
from gateway.page.qr import visitors_address
from gateway.settings import GatewaySettings

PHOTO = encode(draw_place(2))


def names(product: AppClient) -> list[str]:
    """Of all collections."""
    return [collection["id"] for collection in product.get("/index/collections").json()["collections"]]


def match(product: AppClient, collection: str) -> int:
    """The status of a match against a collection."""
    return product.post("/match", files={"file": ("v.jpg", PHOTO)}, data={"collection": collection}).status_code


def test_a_renamed_collection_answers_to_its_new_name(filled: AppClient):
    """Matches follow at once, what is on record of earlier ones too; the reply says what the collection holds."""
    assert match(filled, "default") == 200

    answer = filled.request("PATCH", "/collections/default", json={"name": "东馆/1"})

    assert (answer.status_code, answer.json()) == (
        200,
        {"id": "东馆/1", "images": 6, "places": 6, "language": None, "former_names": ["default"]},
    )
    assert names(filled) == ["东馆/1"]
    assert match(filled, "东馆/1") == 200
    assert filled.get("/collections/东馆/1/matches").status_code == 200
    assert filled.get("/collections/default/matches").json()["matches"] == []


def test_printed_codes_outlive_a_new_name(filled: AppClient):
    """What a visitor's link asks for is answered by the former name, and the answer names the present one."""
    filled.request("PATCH", "/collections/default", json={"name": "east"})

    answer = filled.post("/match", files={"file": ("v.jpg", PHOTO)}, data={"collection": "default"}).json()
    place = filled.get("/collections/default/places/place-2")
    listed = filled.get("/index/places?collection=default").json()

    assert (answer["matched"], answer["collection"]) == (True, "east")
    assert (place.status_code, place.json()["collection"], listed["total"]) == (200, "east", 6)
    assert len(filled.get("/collections/east/matches").json()["matches"]) == 1
    assert filled.request("DELETE", "/collections/default").status_code == 404


def test_a_log_of_matches_goes_with_its_collection(filled: AppClient):
    """Renamed it is found under the new name; deleted it is gone, and no successor inherits it."""
    filled.post("/feedback", json={"request_id": match_id(filled, "default"), "verdict": "right"})
    filled.request("PATCH", "/collections/default", json={"name": "east"})

    after_renaming = filled.get("/collections/east/matches").json()["matches"]
    filled.request("DELETE", "/collections/east")

    assert [match["feedback"]["verdict"] for match in after_renaming] == ["right"]
    assert filled.get("/collections/east/matches").json()["matches"] == []


def match_id(product: AppClient, collection: str) -> str:
    """The id of a new match."""
    answer = product.post("/match", files={"file": ("v.jpg", PHOTO)}, data={"collection": collection})
    request_id = answer.json()["request_id"]
    assert isinstance(request_id, str)
    return request_id


def test_a_deleted_collection_is_gone(filled: AppClient):
    """With its photos; the same photos may be added again afterwards."""
    image = filled.get("/index/images").json()["images"][0]

    assert filled.request("DELETE", "/collections/default").status_code == 204

    assert names(filled) == []
    assert filled.get(image["preview_url"]).status_code == 404
    assert filled.request("DELETE", "/collections/default").status_code == 404
    added = filled.post("/index/images", files={"file": ("a.jpg", PHOTO)})
    assert added.json()["added"] == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "collection"),
        ({"name": "taken"}, "exists already"),
        ({"name": "new", "title": "x"}, "title"),
    ],
)
def test_a_name_that_cannot_be_is_refused(filled: AppClient, change: dict[str, str], complaint: str):
    """With 422 and what is wrong with it; the collection keeps its name."""
    filled.post("/index/images", files={"file": ("a.jpg", PHOTO)}, data={"collection": "taken"})

    answer = filled.request("PATCH", "/collections/default", json=change)

    assert answer.status_code == 422
    assert complaint in json.dumps(error_of(answer))
    assert names(filled) == ["default", "taken"]


def test_what_lies_below_a_collection_is_not_taken_for_its_name(filled: AppClient):
    """Deleting a calibration never deletes a collection."""
    assert filled.request("DELETE", "/collections/default/calibration").status_code in {204, 404}

    assert names(filled) == ["default"]


def test_a_qr_code_leads_to_the_page_of_visitors(product: AppClient):
    """An SVG of the address as the caller reached it, with the collection's name whatever it holds."""
    answer = product.get("/collections/东馆/1/qr.svg")

    address = visitors_address(f"{product.get('/').url}", "东馆/1")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert address.endswith("/?collection=%E4%B8%9C%E9%A6%86%2F1")
    assert f"<title>{address}</title>" in answer.text
    size = sum(segno.make_qr(address, error="q", boost_error=False).symbol_size(border=4))
    assert f'viewBox="0 0 {size // 2} {size // 2}"' in answer.text


def test_the_code_of_an_exhibit_is_drawn_as_png_as_well(product: AppClient):
    """Both kinds hold the address of the exhibit's page; an id may hold any characters."""
    drawn = product.get("/collections/east/qr.png", params={"place": "厅/01 & a"})
    written = product.get("/collections/east/qr.svg", params={"place": "厅/01 & a"})

    address = "http://localhost/?collection=east&place=%E5%8E%85%2F01%20%26%20a"
    assert drawn.headers["content-type"] == "image/png"
    assert read_code(drawn.content) == address
    assert f"<title>{address.replace('&', '&amp;')}</title>" in written.text
    assert product.get("/collections/east/qr.png", params={"place": ""}).status_code == 422


@pytest.mark.parametrize("url", ["https://museum.example", "https://museum.example/shitu/"])
def test_codes_hold_the_address_of_the_setting(url: str):
    """Wherever the operator has opened the page."""
    with AppClient(create_app(GatewaySettings(public_url=url))) as client:
        drawn = client.get("/collections/east/qr.png").content

    assert read_code(drawn) == f"{url.rstrip('/')}/?collection=east"


@pytest.mark.parametrize(
    "url",
    [
        "museum.example",
        "ftp://museum.example",
        "https://",
        "https://a/?b",
        "https://a/#b",
        "https://u:p@a",
        "https://a:x",
    ],
)
def test_what_is_no_address_of_the_page_is_refused_at_start(url: str):
    """With what would be accepted."""
    with pytest.raises(ValidationError, match=r"accepted: a URL without query, such as https://guide\.example\.org"):
        GatewaySettings(public_url=url)


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000/"])
def test_a_public_address_that_is_not_public_is_refused_at_start(url: str):
    """Printed codes would lead phones nowhere."""
    with pytest.raises(ValidationError, match="only this machine can reach"):
        GatewaySettings(public_url=url)
