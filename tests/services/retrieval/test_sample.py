"""The sample collection: built, tried and removed over HTTP."""

import importlib.util
from io import BytesIO

import pytest
from in_process import AppClient, error_of
from PIL import Image

from core.building import sample_photos
from core.building.sample_photos import SAMPLE_PHOTOS, STRANGER


def build(retrieval: AppClient, language: str = "en") -> dict:
    """Build it and wait."""
    begun = retrieval.post(f"/sample?language={language}")
    assert (begun.status_code, begun.json()["state"]) == (202, "building")
    retrieval.call(retrieval.app.state.loading.get().sample.finished)
    return retrieval.get(f"/sample?language={language}").json()


def test_it_is_absent_until_somebody_wants_it(retrieval: AppClient):
    """Asking costs nothing and puts nothing into the gallery."""
    sample = retrieval.get("/sample").json()

    assert (sample["state"], sample["done"], sample["total"]) == ("absent", 0, len(SAMPLE_PHOTOS))
    assert retrieval.get("/index/collections").json()["collections"] == []


@pytest.mark.parametrize(("language", "name"), [("en", "Cup of coffee"), ("zh", "一杯咖啡")])
def test_one_request_builds_it(retrieval: AppClient, language: str, name: str):
    """Every photograph is a place with its name, photographer and terms, in the language asked for."""
    sample = build(retrieval, language)

    places = retrieval.get("/index/places?collection=sample").json()["places"]
    coffee = next(place for place in places if place["id"] == "sample-coffee")
    assert (sample["state"], sample["done"]) == ("ready", len(places)) == ("ready", len(SAMPLE_PHOTOS))
    assert coffee["name"] == name
    assert list(coffee["metadata"].values())[:2] == ["Rachel Michetti, Pikolo Espresso Bar", "CC0"]


def test_building_again_completes_it(retrieval: AppClient):
    """What is missing is added, nothing is there twice."""
    build(retrieval)
    image = retrieval.get("/index/images?collection=sample").json()["images"][3]
    retrieval.request("DELETE", f"/index/images/{image['id']}")

    assert retrieval.get("/sample").json()["state"] == "absent"
    assert build(retrieval)["state"] == "ready"
    assert retrieval.get("/index/images?collection=sample").json()["total"] == len(SAMPLE_PHOTOS)


def test_deleting_the_collection_removes_it(retrieval: AppClient):
    """In one request, and it may come back."""
    build(retrieval)

    assert retrieval.request("DELETE", "/collections/sample").status_code == 204

    assert retrieval.get("/sample").json()["state"] == "absent"


def test_an_operators_own_collection_of_that_name_is_left_alone(retrieval: AppClient):
    """Nothing is mixed into it; the answer says what to do."""
    photo = {"file": ("own.jpg", SAMPLE_PHOTOS[0].read())}
    retrieval.post("/index/images", files=photo, data={"collection": "sample", "place_id": "own"})

    answer = retrieval.post("/sample")

    assert answer.status_code == 422
    assert "holds photos of yours" in error_of(answer)["message"]


def test_every_query_is_a_photo_taken_again(retrieval: AppClient):
    """As many as places and one stranger; each comes as a JPEG that is not the collection's own photo."""
    queries = retrieval.get("/sample").json()["queries"]

    assert [query["place_id"] for query in queries] == [*(photo.place_id for photo in SAMPLE_PHOTOS), None]
    for query, photo in zip(queries, [*SAMPLE_PHOTOS, STRANGER], strict=True):
        seen = retrieval.get(query["url"]).content
        assert Image.open(BytesIO(seen)).format == "JPEG"
        assert seen != photo.read()
        assert query["terms"]
    assert retrieval.get(f"/sample/queries/{len(queries)}").status_code == 422


def test_without_the_photographs_it_is_unavailable(retrieval: AppClient, monkeypatch: pytest.MonkeyPatch):
    """An installation without scikit-image says so, and how to get them."""
    monkeypatch.setattr(sample_photos, "find_spec", lambda name: None if name == "skimage" else importlib.util)

    assert retrieval.get("/sample").json()["state"] == "unavailable"
    answer = retrieval.post("/sample")
    assert answer.status_code == 503
    assert "scikit-image" in error_of(answer)["message"]
    assert retrieval.get("/sample/queries/0").status_code == 503
