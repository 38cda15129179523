"""A collection's health over HTTP, and matches and feedback as the retrieval service keeps them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient, error_of

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


def a_match(request_id: str = "r1", **fields: Any) -> dict[str, Any]:
    """An answer's numbers, as the gateway sends them."""
    return {
        "request_id": request_id, "at": time.time(), "collection": "default", "matched": True, "place_id": "gate",
        "place_name": "Gate", "confidence": 0.9, "score": 0.9, "verification": "done", "encoder": "e", "verifier": "v",
        "evidence": {"similarity": 0.5}, **fields,
    }  # fmt: skip


def file_photos(retrieval: AppClient, *places: str, collection: str = "default") -> None:
    """File a drawn photo for each place; the same place always looks the same."""
    for place in places:
        photo = encode(draw_place(sum(place.encode())))
        fields = {"place_id": place, "place_name": f"The {place}", "collection": collection}
        answer = retrieval.post("/index/images", files={"file": (f"{place}.jpg", photo)}, data=fields)
        assert answer.json()["added"] == 1


@pytest.fixture
def keeping_features(folder: Path) -> Iterator[AppClient]:
    """A service whose operator allows features to be kept for ten days."""
    settings = RetrievalSettings(data_dir=folder, feedback_features_days=10)
    with AppClient(create_app(settings, encoder=ThumbnailEncoder(local_features=True))) as client:
        yield client


def test_health_is_fresh_until_the_gallery_changes(retrieval: AppClient):
    """A report says of which gallery it is, and none of a former one is called fresh."""
    file_photos(retrieval, "gate", "tower")
    first = retrieval.get("/collections/default/health?wait_s=20").json()
    file_photos(retrieval, "well")
    second = retrieval.get("/collections/default/health?wait_s=0").json()
    third = retrieval.get("/collections/default/health?wait_s=20").json()

    assert (first["state"], first["report"]["places"]) == ("fresh", 2)
    assert second["state"] in {"stale", "fresh"}
    assert (second["state"] == "fresh") == (second["report"]["generation"] == second["generation"])
    assert (third["state"], third["report"]["places"]) == ("fresh", 3)
    assert third["report"]["generation"] == third["generation"]


def test_a_report_is_made_once(retrieval: AppClient):
    """While the gallery stays as it is, asking again costs nothing and says the same."""
    file_photos(retrieval, "gate")
    answers = [retrieval.get("/collections/default/health?wait_s=20").json() for _ in range(2)]

    assert answers[0] == answers[1]


def test_findings_come_with_previews_and_within_limits(retrieval: AppClient):
    """Each list is cut to the limit beside its full count; pictures can be shown."""
    file_photos(retrieval, "gate", "tower", "well")
    picture = draw_place(sum(b"gate")).resize((400, 300))
    retrieval.post("/index/images", files={"file": ("copy.jpg", encode(picture))}, data={"place_id": "copy"})

    report = retrieval.get("/collections/default/health?wait_s=20&limit=1").json()["report"]

    assert (report["one_view"]["total"], len(report["one_view"]["entries"])) == (4, 1)
    pair = report["pairs"]["entries"][0]
    assert pair["kind"] == "same_picture"
    assert {pair["first"]["place_id"], pair["second"]["place_id"]} == {"gate", "copy"}
    assert retrieval.get(pair["first_preview_url"]).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("collection", ["故宫", "north/wing", "50% off?", "a b"])
def test_any_collection_name_can_be_asked_about(retrieval: AppClient, collection: str):
    """Names with slashes, spaces, percent signs and Chinese reach their collection."""
    file_photos(retrieval, "gate", collection=collection)
    from urllib.parse import quote

    answer = retrieval.get(f"/collections/{quote(collection, safe='')}/health?wait_s=20")

    assert (answer.status_code, answer.json()["collection"]) == (200, collection)


def test_an_unknown_collection_has_no_health(retrieval: AppClient):
    """It is said to be unknown, not healthy."""
    file_photos(retrieval, "gate")

    answer = retrieval.get("/collections/elsewhere/health")

    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_collection")


def test_matches_are_listed_newest_first(retrieval: AppClient):
    """What the gateway reports is kept as numbers, page by page."""
    now = time.time()
    batch = [a_match(f"r{number}", at=now + number, matched=number % 2 == 0) for number in range(3)]
    assert retrieval.post("/matches", json={"matches": batch}).json() == {"recorded": 3}

    first = retrieval.get("/collections/default/matches?limit=2").json()
    second = retrieval.get(f"/collections/default/matches?limit=2&cursor={first['next_cursor']}").json()

    assert [match["request_id"] for match in first["matches"] + second["matches"]] == ["r2", "r1", "r0"]
    assert second["next_cursor"] is None
    assert first["matches"][0]["evidence"] == {"similarity": 0.5}
    assert first["matches"][0]["feedback"] is None


def test_feedback_is_kept_with_its_match(retrieval: AppClient):
    """What was said is found beside the answer it was said of."""
    file_photos(retrieval, "gate", "tower")
    retrieval.post("/matches", json={"matches": [a_match()]})

    said = retrieval.post("/feedback", json={"request_id": "r1", "verdict": "other_place", "place_id": "tower"})
    (entry,) = retrieval.get("/collections/default/matches?commented=true").json()["matches"]

    assert (said.status_code, said.json()["features_kept"]) == (200, False)
    assert (entry["feedback"]["verdict"], entry["feedback"]["place_id"]) == ("other_place", "tower")


@pytest.mark.parametrize(
    ("said", "status", "code", "part"),
    [
        ({"request_id": "r9", "verdict": "right"}, 404, "unknown_match", "no match of request 'r9'"),
        ({"request_id": "r1", "verdict": "maybe"}, 422, "invalid_request", "verdict"),
        ({"request_id": "r1", "verdict": "other_place"}, 422, "invalid_request", "place_id"),
        ({"request_id": "r1", "verdict": "right", "place_id": "gate"}, 422, "invalid_request", "place_id"),
        ({"request_id": "r1", "verdict": "other_place", "place_id": "moon"}, 422, "invalid_request", "no place of id"),
        ({"request_id": "r1", "verdict": "right", "comment": "x" * 100}, 422, "invalid_request", "comment"),
        ({"request_id": "../r1", "verdict": "right"}, 422, "invalid_request", "request_id"),
    ],
)
def test_feedback_that_makes_no_sense_is_refused(retrieval: AppClient, said, status: int, code: str, part: str):
    """Nobody writes into the log what it has no place for."""
    file_photos(retrieval, "gate")
    retrieval.post("/matches", json={"matches": [a_match()]})

    answer = retrieval.post("/feedback", json=said)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert part in str(error_of(answer))


def test_features_are_kept_where_the_operator_allows_it(keeping_features: AppClient):
    """Then feedback on a recent search comes with what the models made of its photo."""
    file_photos(keeping_features, "gate")
    searched = keeping_features.post("/search", content=encode(draw_place(9)), headers={"X-Request-ID": "r1"})
    assert searched.status_code == 200
    keeping_features.post("/matches", json={"matches": [a_match("r1"), a_match("r2")]})

    kept = [
        keeping_features.post("/feedback", json={"request_id": request_id, "verdict": "right"})
        for request_id in ("r1", "r2")
    ]

    assert [answer.json()["features_kept"] for answer in kept] == [True, False]


def test_drift_of_a_quiet_collection_says_so(retrieval: AppClient):
    """Too few matches are no ground for a verdict, and feedback is counted already."""
    file_photos(retrieval, "gate")
    retrieval.post("/matches", json={"matches": [a_match(f"r{number}") for number in range(10)]})
    retrieval.post("/feedback", json={"request_id": "r1", "verdict": "right"})

    drift = retrieval.get("/collections/default/drift").json()

    assert drift["state"] == "too_few"
    assert sum(week["answered"]["total"] for week in drift["weeks"]) == 10
    assert (drift["precision"]["count"], drift["precision"]["total"]) == (1, 1)
    assert drift["precision"]["low"] == pytest.approx(0.025, abs=1e-3)


def test_a_damaged_log_stops_no_search(folder: Path):
    """The gallery works on; only what needs the log says that it cannot be used."""
    folder.mkdir()
    (folder / "usage.sqlite3").write_bytes(b"no database" * 200)
    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder())) as client:
        file_photos(client, "gate")
        assert client.post("/search", content=encode(draw_place(1))).status_code == 200

        refused = client.post("/matches", json={"matches": [a_match()]})

        assert (refused.status_code, error_of(refused)["code"]) == (503, "gallery_unavailable")
        assert "usage.sqlite3" in error_of(refused)["message"]
