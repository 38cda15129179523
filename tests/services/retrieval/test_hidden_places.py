"""Hiding places over HTTP and by manifests."""

import time

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from name_tables import pack

GATE = "/collections/default/places/gate"
PHOTOS = {f"{seed}.jpg": encode(draw_place(seed)) for seed in (1, 2)}


@pytest.fixture
def filled(retrieval: AppClient) -> AppClient:
    """The service with a tower, and a gate that its manifest hides."""
    archive = pack({"manifest.csv": "file,place_id,hidden\n1.jpg,gate,yes\n2.jpg,tower,\n", **PHOTOS})
    sent = retrieval.post("/index/images", files={"file": ("all.zip", archive)}).json()
    assert (sent["added"], sent["notes"]) == (2, [])
    return retrieval


def state(retrieval: AppClient) -> dict[str, bool]:
    """Which places there are, and whether they are hidden."""
    return {place["id"]: place["hidden"] for place in retrieval.get("/index/places").json()["places"]}


def test_new_places_of_a_manifest_may_be_hidden(filled: AppClient):
    """From the first moment; a row that does not say so makes a place that is shown."""
    found = filled.post("/search", content=PHOTOS["1.jpg"]).json()

    assert state(filled) == {"gate": True, "tower": False}
    assert [candidate["image"]["place"]["id"] for candidate in found["candidates"]] == ["tower"]


def test_any_row_hides_its_place_before_a_photo_is_added(retrieval: AppClient):
    """Also one behind the place's first photo, one that names no place, and one whose place the form names."""
    rows = "1.jpg,gate,\n2.jpg,gate,yes\n3.jpg,,yes\n"
    photos = {f"{seed}.jpg": encode(draw_place(seed)) for seed in (1, 2, 3)}
    archive = pack({"manifest.csv": f"file,place_id,hidden\n{rows}", **photos})
    sent = retrieval.post("/index/images", files={"file": ("all.zip", archive)}).json()

    assert [result["image"]["place"]["hidden"] for result in sent["results"]] == [True] * 3
    assert set(state(retrieval).values()) == {True}


def record_match(retrieval: AppClient, collection: str = "default") -> None:
    """Store an answer, as the gateway does."""
    answer = {"matched": False, "place_id": "tower", "place_name": "tower", "confidence": 0.1, "score": -3.0}
    models = {"verification": "done", "encoder": "embedded", "verifier": "geometric"}
    match = {"request_id": f"of-{collection}", "at": time.time(), "collection": collection, **answer, **models}
    assert retrieval.post("/matches", json={"matches": [match]}).json() == {"recorded": 1}


def name_place(retrieval: AppClient, place_id: str, collection: str = "default") -> int:
    """Say which place the photo of a recorded answer shows; return the status."""
    said = {"request_id": f"of-{collection}", "verdict": "other_place", "place_id": place_id}
    return retrieval.post("/feedback", json=said).status_code


def test_feedback_does_not_tell_of_a_hidden_place(filled: AppClient):
    """It is none that could have been meant, just as a place that is not there."""
    record_match(filled)

    assert [name_place(filled, place_id) for place_id in ("gate", "nowhere", "tower")] == [422, 422, 200]


def test_feedback_names_a_place_of_the_collection_on_record(filled: AppClient):
    """Not one that the collection has under another name by now, nor one of a collection that is not there."""
    filled.request("PATCH", "/collections/default", json={"name": "east"})
    statuses = dict[str, int]()
    for collection in ("default", "nowhere", "east"):
        record_match(filled, collection)
        statuses[collection] = name_place(filled, "tower", collection)

    assert statuses == {"default": 422, "nowhere": 422, "east": 200}


def test_a_place_is_hidden_by_its_address_and_by_a_photo(filled: AppClient):
    """The reply has the new state; a change with the tag of before is refused."""
    before = filled.get(GATE)
    shown = filled.request("PATCH", GATE, json={"hidden": False}, headers={"If-Match": before.headers["etag"]})
    late = filled.request("PATCH", GATE, json={"hidden": True}, headers={"If-Match": before.headers["etag"]})
    image = filled.get("/index/images", params={"place_id": "tower"}).json()["images"][0]
    hidden = filled.request("PATCH", f"/index/images/{image['id']}", json={"hidden": True})

    assert (shown.json()["hidden"], late.status_code) == (False, 412)
    assert hidden.json()["place"]["hidden"] is True
    assert state(filled) == {"gate": False, "tower": True}


def test_only_true_and_false_are_states(filled: AppClient):
    """The error names the field, and nothing changes."""
    answer = filled.request("PATCH", GATE, json={"hidden": "perhaps"})

    assert (answer.status_code, error_of(answer)["field"]) == (422, "hidden")
    assert state(filled) == {"gate": True, "tower": False}


@pytest.mark.parametrize(("language", "yes", "no"), [("en", "yes", "no"), ("zh", "是", "否")])
def test_the_state_is_exported_edited_and_imported(filled: AppClient, language: str, yes: str, no: str):
    """Read again, the table changes nothing; edited, it says first what would change; empty cells change nothing."""
    exported = filled.get("/index/manifest", params={"language": language}).content
    tables = {
        "same": exported,
        "empty": exported.replace(f",{yes}".encode(), b","),
        "edited": exported.replace(f",{yes}".encode(), f",{no}".encode()),
    }
    planned = {
        name: filled.post("/index/images", files={"file": ("manifest.csv", table)}, data={"dry_run": "true"}).json()
        for name, table in tables.items()
    }
    assert state(filled) == {"gate": True, "tower": False}
    done = filled.post("/index/images", files={"file": ("manifest.csv", tables["edited"])}).json()

    assert [planned[name]["would_update"] for name in tables] == [0, 0, 1]
    assert planned["same"]["notes"] == []
    change = {"place_id": "gate", "name": "gate", "before": {"hidden": True}, "after": {"hidden": False}}
    assert planned["edited"]["changes"] == [change]
    assert (done["updated"], state(filled)) == (1, {"gate": False, "tower": False})


def test_statistics_do_not_name_hidden_places_as_never_photographed(filled: AppClient):
    """In the reply and in the table."""
    report = filled.get("/collections/default/statistics").json()
    table = filled.get("/collections/default/statistics.csv", params={"table": "places"}).text

    assert [entry["place_id"] for entry in report["never_photographed"]["entries"]] == ["tower"]
    assert "gate" not in table
