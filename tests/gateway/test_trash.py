"""Deleting through the public door: gone at once for visitors, taken back for some days, gone for good on request."""

from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient, error_of

from contracts.trash import TRASH_ID_HEADER
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings

PHOTO = encode(draw_place(2))


def match(product: AppClient, collection: str = "default") -> dict:
    """The answer to a visitor who photographs place-2."""
    return product.post("/match", files={"file": ("v.jpg", PHOTO)}, data={"collection": collection}).json()


def add(product: AppClient, photo: bytes = PHOTO, **fields) -> dict:
    """What an upload of one photo answers."""
    return product.post("/index/images", files={"file": ("again.jpg", photo)}, data=fields).json()


def place_images(product: AppClient, place: str) -> list[dict]:
    """All images of a place."""
    return product.get("/index/images", params={"place_id": place}).json()["images"]


def delete(product: AppClient, what: str, **params) -> str | None:
    """Delete something of place-2; what undoes it."""
    (image,) = place_images(product, "place-2")
    path = {
        "image": f"/index/images/{image['id']}",
        "place": "/collections/default/places/place-2",
        "collection": "/collections/default",
    }[what]
    answer = product.request("DELETE", path, params=params)
    assert answer.status_code == 204
    return answer.headers.get(TRASH_ID_HEADER)


@pytest.mark.parametrize("what", ["image", "place", "collection"])
class TestEverythingThatIsDeleted:
    def test_it_is_gone_for_visitors_at_once(self, filled: AppClient, what: str):
        """No match, list, preview or original shows it."""
        (image,) = place_images(filled, "place-2")

        assert delete(filled, what) is not None

        assert match(filled).get("place") is None
        for url in (image["preview_url"], image["file_url"], f"/index/images/{image['id']}"):
            assert filled.get(url).status_code == 404
        listed = filled.get("/index/places").json()["places"]
        assert "place-2" not in {deletion["id"] for deletion in listed}

    def test_undoing_brings_it_back(self, filled: AppClient, what: str):
        """The visitor gets the answer that they got before, and the trash is empty."""
        before = match(filled)
        trash_id = delete(filled, what)

        answer = filled.post(f"/trash/{trash_id}/restore")

        assert (answer.status_code, answer.json()["images"]) == (200, 6 if what == "collection" else 1)
        after = match(filled)
        assert after["place"] == before["place"]
        assert after["candidates"][0]["image_id"] == before["candidates"][0]["image_id"]
        assert filled.get("/trash").json()["total"] == 0
        assert error_of(filled.post(f"/trash/{trash_id}/restore"))["code"] == "unknown_deletion"

    def test_added_again_it_is_there_and_stays(self, filled: AppClient, what: str):
        """Nothing is called a duplicate and lost afterwards, whether the deletion is undone or carried out."""
        trash_id = delete(filled, what)
        (image,) = filled.get("/trash").json()["deletions"]
        hashes = {"collection": "default", "content_hashes": [_digest(PHOTO)]}
        assert filled.post("/index/known", json=hashes).json()["known"] == []

        reply = add(filled, place_id="place-2", place_name="place-2")
        emptied = filled.request("DELETE", "/trash")

        assert (reply["added"], reply["duplicates"]) == (1, 0)
        assert emptied.status_code == 204
        assert match(filled)["place"]["id"] == "place-2"
        assert filled.get(reply["results"][0]["image"]["file_url"]).content == PHOTO
        assert image["id"] == trash_id

    def test_deleted_permanently_it_cannot_come_back(self, filled: AppClient, what: str, tmp_path: Path):
        """There is nothing to undo, and the photo's files are gone with the answer."""
        assert delete(filled, what, permanently="true") is None

        assert filled.get("/trash").json()["total"] == 0
        assert not list((tmp_path / "gallery").rglob(f"{_digest(PHOTO)}*"))

    def test_emptying_one_entry_frees_its_photos(self, filled: AppClient, what: str, tmp_path: Path):
        """Until then the photos are kept."""
        trash_id = delete(filled, what)
        assert len(list((tmp_path / "gallery").rglob(f"{_digest(PHOTO)}*"))) == 2

        assert filled.request("DELETE", f"/trash/{trash_id}").status_code == 204

        assert not list((tmp_path / "gallery").rglob(f"{_digest(PHOTO)}*"))
        assert filled.request("DELETE", f"/trash/{trash_id}").status_code == 404


def test_the_trash_says_what_it_holds_and_until_when(filled: AppClient):
    """Newest first, by collection, with names for people."""
    add(filled, encode(draw_place(9)), collection="other", place_name="Bridge")
    filled.request("DELETE", "/collections/other")
    delete(filled, "place")

    page = filled.get("/trash").json()

    first, second = page["deletions"]
    assert (first["kind"], first["name"], first["collection"], first["images"]) == ("place", "place-2", "default", 1)
    assert (second["kind"], second["name"], second["place_id"]) == ("collection", "other", None)
    assert first["kept_until"] > first["deleted_at"]
    assert page["days"] == 7
    assert filled.get("/trash", params={"collection": "other"}).json()["total"] == 1


def test_matches_on_record_go_and_come_with_a_collection(filled: AppClient):
    """A collection deleted and taken back has its log again; a successor of its name never had it."""
    request_id = match(filled)["request_id"]
    filled.post("/feedback", json={"request_id": request_id, "verdict": "right"})
    trash_id = delete(filled, "collection")
    add(filled, encode(draw_place(9)))
    assert filled.get("/collections/default/matches").json()["matches"] == []

    filled.post(f"/trash/{trash_id}/restore")

    (record,) = filled.get("/collections/default/matches").json()["matches"]
    assert record["feedback"]["verdict"] == "right"


class TestTime:
    @pytest.fixture
    def gallery_folder(self, tmp_path: Path) -> Path:
        """A gallery with one photo, deleted a moment ago."""
        folder = tmp_path / "gallery"
        with AppClient(_retrieval(folder, trash_days=7)) as client:
            image = client.post("/index/images", files={"file": ("a.jpg", PHOTO)}).json()["results"][0]["image"]
            client.post("/index/images", files={"file": ("b.jpg", encode(draw_place(3)))})
            client.request("DELETE", f"/index/images/{image['id']}")
        return folder

    def test_it_is_kept_for_its_days(self, gallery_folder: Path):
        """A restart changes nothing."""
        with AppClient(_retrieval(gallery_folder, trash_days=7)) as client:
            client.call(client.app.state.loading.get().trash.empty_expired)
            (deletion,) = client.get("/trash").json()["deletions"]
            assert client.post(f"/trash/{deletion['id']}/restore").json()["images"] == 1

    def test_it_is_deleted_for_good_when_they_are_over(self, gallery_folder: Path):
        """Rows and files are gone, without anybody asking."""
        with AppClient(_retrieval(gallery_folder, trash_days=1e-9)) as client:
            client.call(client.app.state.loading.get().trash.empty_expired)
            assert client.get("/trash").json()["total"] == 0
        assert not list(gallery_folder.rglob(f"{_digest(PHOTO)}*"))

    def test_with_no_days_deletions_are_for_good(self, gallery_folder: Path):
        """No header promises what nobody keeps."""
        with AppClient(_retrieval(gallery_folder, trash_days=0)) as client:
            (image,) = client.get("/index/images").json()["images"]
            answer = client.request("DELETE", f"/index/images/{image['id']}")
            assert answer.status_code == 204
            assert TRASH_ID_HEADER not in answer.headers
            client.call(client.app.state.loading.get().trash.empty_expired)
            assert client.get("/trash").json() == {"deletions": [], "total": 0, "next_cursor": None, "days": 0}
        assert not [path for path in gallery_folder.rglob("*.jpg") if path.is_file()]


class TestPlaces:
    def test_a_place_is_read_changed_and_deleted(self, filled: AppClient):
        """Its own address knows what it is and how many photos show it."""
        url = "/collections/default/places/place-3"
        assert filled.get(url).json()["images"] == 1

        changed = filled.request("PATCH", url, json={"name": "Gate", "latitude": 1, "longitude": 2})

        assert changed.status_code == 200
        assert changed.json() == filled.get(url).json()
        assert (changed.json()["name"], changed.json()["latitude"]) == ("Gate", 1)
        assert filled.request("DELETE", url).status_code == 204
        assert error_of(filled.get(url))["code"] == "unknown_place"
        assert error_of(filled.get("/collections/nope/places/x"))["code"] == "unknown_collection"

    def test_ids_and_names_may_hold_slashes(self, filled: AppClient):
        """As an exhibit has that is named by its folders."""
        add(filled, encode(draw_place(9)), collection="museum/east", place_id="青铜馆/正面", place_name="鼎")

        assert filled.get("/collections/museum/east/places/青铜馆/正面").json()["name"] == "鼎"

    def test_an_id_may_hold_what_parts_it_from_its_collection(self, filled: AppClient):
        """A folder may be called places: its exhibits are read, changed and deleted as others are."""
        add(filled, encode(draw_place(9)), collection="museum", place_id="floor 1/places/01")
        url = "/collections/museum/places/floor%201/places/01"

        assert filled.get(url).json()["id"] == "floor 1/places/01"
        assert filled.request("PATCH", url, json={"name": "Gate"}).json()["name"] == "Gate"
        assert filled.request("DELETE", url).status_code == 204
        assert error_of(filled.get(url))["code"] in {"unknown_place", "unknown_collection"}

    @pytest.mark.parametrize("place_id", ["a/../place-1", "..", ".", "../..", "../../../metrics"])
    def test_an_id_of_dots_is_an_id_and_no_way_elsewhere(self, filled: AppClient, place_id: str):
        """It names the place of that id, not another place, the collection, or a route that visitors have none of."""
        url = f"/collections/default/places/{quote(place_id, safe='').replace('.', '%2E')}"
        before = {place["id"] for place in filled.get("/index/places").json()["places"]}
        assert error_of(filled.get(url))["code"] == "unknown_place"
        assert filled.request("DELETE", url).status_code == 404

        add(filled, encode(draw_place(9)), place_id=place_id)

        assert filled.get(url).json()["id"] == place_id
        assert filled.request("DELETE", url).status_code == 204
        assert {place["id"] for place in filled.get("/index/places").json()["places"]} == before

    def test_two_tabs_do_not_overwrite_each_other(self, filled: AppClient):
        """Who changes what somebody else has changed since is told so, and nothing is lost."""
        url = "/collections/default/places/place-3"
        read = filled.get(url).headers["ETag"]
        assert filled.request("PATCH", url, json={"name": "Gate"}, headers={"If-Match": read}).status_code == 200

        refused = filled.request("PATCH", url, json={"description": "red"}, headers={"If-Match": read})

        assert (refused.status_code, error_of(refused)["code"]) == (412, "changed_meanwhile")
        now = filled.get(url)
        assert (now.json()["name"], now.json()["description"]) == ("Gate", "")
        for tag in (now.headers["ETag"], f"W/{now.headers['ETag']}", "*"):
            answer = filled.request("PATCH", url, json={"name": "Gate"}, headers={"If-Match": tag})
            assert answer.status_code == 200

    def test_the_same_holds_for_images(self, filled: AppClient):
        """Whose changes are those of their place."""
        (image,) = place_images(filled, "place-3")
        url = f"/index/images/{image['id']}"
        read = filled.get(url).headers["ETag"]
        filled.request("PATCH", "/collections/default/places/place-3", json={"name": "Gate"})

        refused = filled.request("PATCH", url, json={"description": "red"}, headers={"If-Match": read})

        assert refused.status_code == 412

    @pytest.mark.parametrize("change", [{"latitude": 1}, {"longitude": 1}, {"latitude": 1, "longitude": None}])
    def test_half_a_position_is_refused(self, filled: AppClient, change: dict):
        """Of a place, of an image, of an upload and of a visitor."""
        (image,) = place_images(filled, "place-3")
        assert filled.request("PATCH", "/collections/default/places/place-3", json=change).status_code == 422
        assert filled.request("PATCH", f"/index/images/{image['id']}", json=change).status_code == 422

    @pytest.mark.parametrize("given", ["latitude", "longitude"])
    def test_half_a_position_of_a_form_is_refused(self, filled: AppClient, given: str):
        """Before anything is added or answered."""
        upload = filled.post("/index/images", files={"file": ("a.jpg", encode(draw_place(9)))}, data={given: "1"})
        question = filled.post("/match", files={"file": ("a.jpg", PHOTO)}, data={"location": f'{{"{given}": 1}}'})

        assert [upload.status_code, question.status_code] == [422, 422]
        assert "without" in error_of(upload)["message"]
        assert "without" in error_of(question)["message"]


class TestCollections:
    def test_a_collection_is_created_before_its_first_photo(self, filled: AppClient):
        """It is listed, says that it is empty when it is asked, and takes photos."""
        created = filled.post("/collections", json={"name": "新馆/东"})

        assert (created.status_code, created.json()) == (
            201,
            {"id": "新馆/东", "images": 0, "places": 0, "language": None, "former_names": []},
        )
        assert created.json() in filled.get("/index/collections").json()["collections"]
        assert error_of(filled.post("/collections", json={"name": "新馆/东"}))["code"] == "collection_exists"
        assert error_of(filled.post("/collections", json={"name": "default"}))["code"] == "collection_exists"
        asked = filled.post("/match", files={"file": ("v.jpg", PHOTO)}, data={"collection": "新馆/东"})
        assert (asked.status_code, error_of(asked)["code"]) == (409, "empty_gallery")
        assert filled.get("/index/places", params={"collection": "新馆/东"}).json()["total"] == 0

    @pytest.mark.parametrize("name", ["default/places/place-1", "default/calibration"])
    def test_a_name_that_is_the_address_of_something_else_is_refused(self, filled: AppClient, name: str):
        """However it would come about; deleting a collection of such a name would delete what it is the address of."""
        created = filled.post("/collections", json={"name": name})
        renamed = filled.request("PATCH", "/collections/default", json={"name": name})
        sent = filled.post("/index/images", files={"file": ("a.jpg", encode(draw_place(9)))}, data={"collection": name})

        assert (created.status_code, renamed.status_code) == (422, 422)
        assert "give a name without '/places/'" in error_of(created)["message"]
        assert "give a name without '/places/'" in sent.json()["results"][0]["reason"]
        assert [each["id"] for each in filled.get("/index/collections").json()["collections"]] == ["default"]

    @pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 201, "\x7fhidden"])
    def test_a_name_that_names_nothing_is_refused(self, filled: AppClient, name: str):
        """As with an upload."""
        assert filled.post("/collections", json={"name": name}).status_code == 422

    @pytest.mark.parametrize("path", ["/index/places", "/index/images"])
    def test_lists_of_an_unknown_collection_are_not_found(self, filled: AppClient, path: str):
        """An empty page would say that the collection is there."""
        answer = filled.get(path, params={"collection": "nope"})

        assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_collection")


def test_a_duplicate_says_where_the_photo_is(filled: AppClient):
    """A curator who sends it again under another name learns under which it is there."""
    (outcome,) = add(filled, place_id="elsewhere")["results"]

    assert outcome["status"] == "duplicate"
    assert outcome["image"]["place"]["id"] == "place-2"
    assert "place-2" in outcome["reason"]


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _retrieval(folder: Path, **settings):
    return create_retrieval(RetrievalSettings(data_dir=folder, **settings), encoder=ThumbnailEncoder())
