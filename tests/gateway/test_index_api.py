"""The gallery's routes at the gateway are those of the retrieval service, byte for byte."""

import io
import json
import zipfile

import pytest
from bad_photos import GOOD_PHOTO
from fakes.images import draw_place, encode
from in_process import AppClient

from gateway.settings import GatewaySettings
from services.retrieval.settings import RetrievalSettings
from services.verifier.settings import VerifierSettings


def test_an_upload_streams_through_with_its_fields(product: AppClient):
    """Files and fields arrive at the gallery; the outcome comes back per file."""
    answer = product.post(
        "/index/images",
        files=[("file", ("a.jpg", GOOD_PHOTO)), ("file", ("b.txt", b"no photo"))],
        data={"collection": "museum", "place_id": "p", "place_name": "瓷瓶", "metadata": json.dumps({"year": 1402})},
    )

    body = answer.json()
    assert [(result["filename"], result["status"]) for result in body["results"]] == [
        ("a.jpg", "added"),
        ("b.txt", "rejected"),
    ]
    assert body["results"][0]["image"]["place"]["metadata"] == {"year": 1402}


def test_every_gallery_route_is_reachable(filled: AppClient):
    """Lists, one image, its files, a change and a deletion work through the gateway."""
    listed = filled.get("/index/images", params={"limit": 2, "q": "place-"}).json()
    image = listed["images"][0]

    assert (len(listed["images"]), listed["total"]) == (2, 6)
    assert filled.get(f"/index/images/{image['id']}").json() == image
    changed = filled.request("PATCH", f"/index/images/{image['id']}", json={"place_name": "Renamed"})
    assert changed.json()["place"]["name"] == "Renamed"
    assert filled.get("/index/places", params={"q": "Renamed"}).json()["total"] == 1
    assert filled.get("/index/collections").json()["collections"] == [
        {"id": "default", "images": 6, "places": 6, "language": None, "former_names": []}
    ]
    assert filled.request("DELETE", f"/index/images/{image['id']}").status_code == 204
    assert filled.get(f"/index/images/{image['id']}").status_code == 404


def test_places_are_merged_and_exported(filled: AppClient):
    """Through the gateway: the table has a row less, and its name for the browser."""
    merged = filled.post(
        "/index/images/move", json={"collection": "default", "place_id": "place-1", "places": ["place-2"]}
    )
    table = filled.get("/index/manifest", params={"collection": "default"})

    assert (merged.status_code, merged.json()["moved"], merged.json()["place"]["images"]) == (200, 1, 2)
    assert table.headers["content-disposition"] == 'attachment; filename="manifest.csv"'
    assert len(table.text.splitlines()) == 1 + 5


def test_a_collection_comes_as_an_archive(filled: AppClient):
    """Through the gateway, uncompressed: every photo, and the table that names them."""
    answer = filled.get("/v1/index/archive", headers={"Accept-Encoding": "gzip"})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''default.zip"
    assert "content-encoding" not in answer.headers
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 6 + 1


def test_browsers_may_keep_photos(filled: AppClient):
    """Caching headers survive the hop, and a known photo is answered 304."""
    image = filled.get("/index/images").json()["images"][0]

    first = filled.get(image["preview_url"])
    again = filled.get(image["preview_url"], headers={"If-None-Match": first.headers["etag"]})

    assert "max-age" in first.headers["cache-control"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert (again.status_code, again.content) == (304, b"")


def test_an_original_comes_whole(filled: AppClient):
    """A range is ignored, as HTTP allows: nobody plays photos, and every range is one more way to ask for trouble."""
    image = filled.get("/index/images").json()["images"][0]

    whole = filled.get(image["file_url"], headers={"Range": "bytes=0-9"})

    assert (whole.status_code, len(whole.content)) == (200, image["bytes"])


def test_a_photo_added_is_found_by_the_next_match(product: AppClient):
    """What an upload acknowledges is in the gallery at once, also for the verifier."""
    product.post("/index/images", files={"file": ("a.jpg", encode(draw_place(2)))}, data={"place_id": "place-2"})

    answer = product.post("/match", files={"file": ("q.jpg", encode(draw_place(2)))}).json()

    assert (answer["place"]["id"], answer["verification"]) == ("place-2", "done")


def test_files_may_be_called_files(product: AppClient):
    """Several files under the plural, as many would write it, are taken as well."""
    photos = [("files", (f"{seed}.jpg", encode(draw_place(seed)))) for seed in (1, 2)]

    assert product.post("/index/images", files=photos).json()["added"] == 2


def test_gateway_and_services_agree_on_the_largest_photo():
    """What the gateway lets in, the services take."""
    limits = {kind().max_photo_bytes for kind in (GatewaySettings, RetrievalSettings, VerifierSettings)}

    assert len(limits) == 1


def test_an_upload_that_breaks_off_in_one_process_is_no_error(product: AppClient, caplog: pytest.LogCaptureFixture):
    """When the uploader's connection is gone nothing is answered, nothing is added and nobody is alarmed."""
    caplog.set_level("INFO")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/index/images",
        "raw_path": b"/index/images",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", b"1000000")],
        "server": ("test", 80),
        "client": ("test", 1),
    }
    received = iter([{"type": "http.request", "body": b"--x", "more_body": True}])
    sent = []

    async def receive() -> dict[str, object]:
        return next(received, {"type": "http.disconnect"})

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    product.call(product.app, scope, receive, send)

    assert sent == []
    assert "the caller disconnected" in caplog.text
    assert [record.message for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []
    assert product.get("/index/images").json()["images"] == []


def test_photos_that_are_there_are_told_before_they_are_sent_again(filled: AppClient):
    """By content alone; nothing is known of another collection, and what is no hash is refused."""
    there, strange = filled.get("/index/images").json()["images"][0]["content_hash"], "0" * 64

    def known(**question: object) -> dict:
        return filled.post("/index/known", json=question).json()

    assert known(content_hashes=[strange, there, there]) == {"known": [there]}
    assert known(content_hashes=[there], collection="elsewhere") == {"known": []}
    assert list(known(content_hashes=[strange, there], places=True)["places"]) == [there]
    assert filled.post("/index/known", json={"content_hashes": ["../etc"]}).status_code == 422
    assert filled.post("/index/known", json={"content_hashes": [strange] * 501}).status_code == 422
