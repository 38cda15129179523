"""From a photo that was not recognised to a curator's decision, through the public door."""

import hashlib
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode, see_again
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient, error_of
from PIL import Image

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

KNOWN, TOWER = encode(draw_place(2)), encode(draw_place(3))
UNKNOWN = encode(see_again(draw_place(3), seed=5).image)


@pytest.fixture
def taking(tmp_path: Path) -> Iterator[AppClient]:
    """The product with two places, and a third one in a collection of its own, which alone is recognised.

    Its operator takes photos for 14 days.
    """
    folder = tmp_path / "gallery"
    settings = RetrievalSettings(data_dir=folder, inbox_days=14, audit_file=tmp_path / "audit.jsonl")
    retrieval = create_retrieval(settings, encoder=ThumbnailEncoder(local_features=True))
    believed = {hashlib.sha256(KNOWN).hexdigest(): 0.9}
    verifier = create_verifier(VerifierSettings(data_dir=folder), verifier=ScriptedVerifier(believed))
    with AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=verifier)) as client:
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        places = (("default", "well", encode(draw_place(1))), ("default", "tower", TOWER), ("known", "gate", KNOWN))
        for collection, place, photo in places:
            fields = {"collection": collection, "place_id": place}
            client.post("/index/images", files={"file": ("a.jpg", photo)}, data=fields)
        yield client


def ask(taking: AppClient, photo: bytes = UNKNOWN, collection: str = "default") -> str:
    """Match a photo; the answer's request id."""
    fields = {"collection": collection}
    answer = taking.post("/match", files={"file": ("visitor.jpg", photo)}, data=fields).json()
    assert answer["matched"] == (photo == KNOWN)
    return answer["request_id"]


def send(taking: AppClient, request_id: str, photo: bytes = UNKNOWN) -> int:
    """Send the photo of an answer to the inbox; the status."""
    answer = taking.post("/inbox", params={"request_id": request_id}, content=photo)
    return answer.status_code


def entries(taking: AppClient) -> list[dict]:
    """What is in the inbox."""
    listed = [taking.get(f"/collections/{name}/inbox").json()["entries"] for name in ("default", "known")]
    return [*listed[0], *listed[1]]


def test_a_refused_photo_waits_for_the_curator(taking: AppClient):
    """With the answer that was given; upright, reduced, and without anything that the camera wrote."""
    picture, camera = draw_place(99, (2000, 1000)), Image.Exif()
    camera[0x0112], camera[0x010E], camera[0x8825] = 6, "at the Miller family's", {1: "N", 2: (52.0, 31.0, 0.0)}
    photo = io.BytesIO()
    picture.save(photo, "JPEG", exif=camera, comment=b"our holiday")
    request_id = ask(taking)

    assert taking.get("/inbox").json() == {"days": 14}
    assert send(taking, request_id, photo.getvalue()) == 201
    (entry,) = entries(taking)
    kept = taking.get(entry["photo_url"])

    assert (entry["match"]["request_id"], entry["match"]["matched"]) == (request_id, False)
    assert (kept.headers["content-type"], kept.headers["cache-control"]) == ("image/jpeg", "no-store")
    opened = Image.open(io.BytesIO(kept.content))
    assert (opened.format, opened.size, dict(opened.getexif())) == ("JPEG", (800, 1600), {})
    assert not any(written in kept.content for written in (b"Miller", b"holiday", b"Exif"))


def test_a_photo_is_added_to_a_place(taking: AppClient):
    """It is found from then on, has left the inbox, and the decision is the feedback on the answer."""
    send(taking, ask(taking))
    (entry,) = entries(taking)

    done = taking.post(f"/inbox/{entry['id']}/decision", json={"shows": "place", "place_id": "tower"}).json()

    assert (done["image"]["place"]["id"], done["feedback_kept"]) == ("tower", True)
    assert taking.get("/collections/default/places/tower").json()["images"] == 2
    assert entries(taking) == []
    assert taking.get(entry["photo_url"]).status_code == 404
    (match,) = taking.get("/collections/default/matches?commented=true").json()["matches"]
    assert (match["feedback"]["verdict"], match["feedback"]["place_id"]) == ("other_place", "tower")


def test_a_photo_becomes_a_new_place(taking: AppClient):
    """Of the name that the curator gives; what was asked was not in the collection then."""
    send(taking, ask(taking))
    (entry,) = entries(taking)

    done = taking.post(f"/inbox/{entry['id']}/decision", json={"shows": "new_place", "place_name": "The bridge"}).json()

    assert done["image"]["place"]["name"] == "The bridge"
    assert taking.get(f"/collections/default/places/{done['image']['place']['id']}").json()["images"] == 1
    (match,) = taking.get("/collections/default/matches?commented=true").json()["matches"]
    assert match["feedback"]["verdict"] == "not_in_collection"


@pytest.mark.parametrize("decided", [True, False], ids=["not ours", "deleted"])
def test_a_photo_of_something_else_leaves_the_gallery_as_it_is(taking: AppClient, decided: bool):
    """The decision "not ours" says so of the answer; deleting says nothing."""
    send(taking, ask(taking))
    (entry,) = entries(taking)

    if decided:
        taking.post(f"/inbox/{entry['id']}/decision", json={"shows": "nothing"})
    else:
        assert taking.request("DELETE", f"/inbox/{entry['id']}").status_code == 204

    assert entries(taking) == []
    assert taking.get("/index/images").json()["total"] == 3
    matches = taking.get("/collections/default/matches?commented=true").json()["matches"]
    assert [match["feedback"]["verdict"] for match in matches] == (["not_in_collection"] if decided else [])


def test_a_decision_that_cannot_be_carried_out_leaves_the_photo_there(taking: AppClient):
    """A place that is not there, or is there already: the reason is said, and the curator can decide again."""
    send(taking, ask(taking))
    (entry,) = entries(taking)
    path = f"/inbox/{entry['id']}/decision"

    unknown = taking.post(path, json={"shows": "place", "place_id": "moon"})
    taken = taking.post(path, json={"shows": "new_place", "place_name": "well"})
    odd = [taking.post(path, json=body) for body in ({"shows": "place"}, {"shows": "nothing", "place_id": "well"}, {})]

    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "unknown_place")
    assert (taken.status_code, "choose it with shows=place" in error_of(taken)["message"]) == (422, True)
    assert [answer.status_code for answer in odd] == [422, 422, 422]
    assert len(entries(taking)) == 1


def test_only_photos_that_may_be_kept_are_taken(taking: AppClient):
    """Not one that was recognised, of no answer, or that is no photo; one whose answer was wrong is taken."""
    recognised = ask(taking, KNOWN, "known")

    assert send(taking, recognised, KNOWN) == 422
    assert send(taking, "nobody-asked", KNOWN) == 404
    assert send(taking, ask(taking), b"no photo") == 415
    assert taking.post("/inbox?request_id=r", headers={"Content-Length": str(10**9)}).status_code == 413
    taking.post("/feedback", json={"request_id": recognised, "verdict": "wrong"})
    assert send(taking, recognised, KNOWN) == 201
    assert [entry["match"]["feedback"]["verdict"] for entry in entries(taking)] == ["wrong"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/inbox/7/photo"), ("POST", "/inbox/7/decision"), ("DELETE", "/inbox/7")]
)
def test_a_photo_that_is_not_there_is_unknown(taking: AppClient, method: str, path: str):
    """It was decided about, or its time is over."""
    body = {"json": {"shows": "nothing"}} if method == "POST" else {}

    answer = taking.request(method, path, **body)

    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_inbox_photo")


def test_a_visitor_takes_the_photo_back(taking: AppClient):
    """Whoever has the answer can delete its photo until it is decided about; afterwards they read why not."""
    request_id = ask(taking)
    send(taking, request_id)

    first, second = (taking.request("DELETE", "/inbox", params={"request_id": request_id}) for _ in range(2))

    assert (first.status_code, entries(taking)) == (204, [])
    assert (second.status_code, error_of(second)["code"]) == (404, "unknown_inbox_photo")


def test_two_curators_do_not_decide_about_one_photo(taking: AppClient):
    """One decision is carried out; the other is refused and changes nothing."""
    send(taking, ask(taking))
    path = f"/inbox/{entries(taking)[0]['id']}/decision"

    with ThreadPoolExecutor() as curators:
        decided = [
            curators.submit(taking.post, path, json={"shows": "place", "place_id": place})
            for place in ("well", "tower")
        ]
        answers = [decision.result() for decision in decided]

    assert sorted(answer.status_code for answer in answers) in ([200, 404], [200, 409])
    assert taking.get("/index/images?collection=default").json()["total"] == 3
    (match,) = taking.get("/collections/default/matches?commented=true").json()["matches"]
    (done,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert match["feedback"]["place_id"] == done["image"]["place"]["id"]


def test_a_photo_that_another_place_has_is_not_added_again(taking: AppClient):
    """A decision that is made again, and differently, says which place has the photo, and changes nothing."""
    request_id = ask(taking)
    for place in ("well", "tower"):
        send(taking, request_id)
        (entry,) = entries(taking)
        answer = taking.post(f"/inbox/{entry['id']}/decision", json={"shows": "place", "place_id": place})

    assert (answer.status_code, "'well' has this very photo" in error_of(answer)["message"]) == (422, True)
    assert taking.get("/collections/default/places/tower").json()["images"] == 1
    assert len(entries(taking)) == 1


def test_a_decision_is_carried_out_once(taking: AppClient):
    """Sent again with the same key, it is answered as before."""
    send(taking, ask(taking))
    (entry,) = entries(taking)
    key = {"Idempotency-Key": "k1"}

    first, second = (
        taking.post(f"/inbox/{entry['id']}/decision", json={"shows": "nothing"}, headers=key) for _ in range(2)
    )

    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())


def test_decisions_are_in_the_audit_log(taking: AppClient, tmp_path: Path):
    """What was decided about which photo, and which image it became."""
    send(taking, ask(taking))
    (entry,) = entries(taking)
    done = taking.post(f"/inbox/{entry['id']}/decision", json={"shows": "place", "place_id": "well"}).json()

    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    (line,) = [line for line in lines if line["action"] == "inbox.decide"]

    assert (line["ids"], line["shows"], line["outcome"]) == ([str(entry["id"])], "place", "done")
    assert (line["collection"], line["image"]) == ("default", done["image"]["id"])


def test_a_deleted_collection_takes_its_photos_along(taking: AppClient):
    """Nobody could decide about them any more."""
    send(taking, ask(taking))
    (entry,) = entries(taking)

    taking.request("DELETE", "/collections/default?permanently=true")

    assert taking.get(entry["photo_url"]).status_code == 404


def test_without_the_setting_nothing_is_taken(filled: AppClient):
    """By default the page is told so, and whoever sends a photo anyway reads how to switch it on."""
    request_id = filled.post("/match", files={"file": ("visitor.jpg", UNKNOWN)}).json()["request_id"]

    refused = filled.post("/inbox", params={"request_id": request_id}, content=UNKNOWN)

    assert filled.get("/inbox").json() == {"days": 0}
    assert (refused.status_code, "M1_INBOX_DAYS" in error_of(refused)["message"]) == (422, True)
    assert filled.get("/collections/default/inbox").json() == {"days": 0, "entries": [], "next_cursor": None}
