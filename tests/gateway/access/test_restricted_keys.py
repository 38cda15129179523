"""Keys that are restricted to some collections: every route of the gateway, called about another collection."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode, see_again
from fakes.sounds import wav
from guarded import SERVICE_KEY, Guarded
from in_process import AppClient, error_of

from contracts.trash import TRASH_ID_HEADER
from gateway.app import create_app
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from serving.auth.identity import RESTRICTION_HEADER
from serving.auth.keys import create_key

PHOTO = encode(draw_place(9))

# Routes that are about no collection, or that list those of the key. Every other route is about one.
ABOUT_NONE = {
    "GET /health/live",
    "GET /health/ready",
    "GET /version",
    "GET /session",
    "POST /session",
    "DELETE /session",
    "GET /index/collections",
    "GET /index/manifest-template",
    "POST /index/plan",
    "GET /inbox",
    "GET /sample",
    "GET /sample/queries/{number}",
}
FOR_ADMINS = {"GET /session/keys", "POST /session/keys", "DELETE /session/keys/{name}"}
SAMPLE = {"POST /sample"}  # is about the collection "sample", whatever the request says


@dataclass
class Things:
    """What a collection has, by ids: photos of two places, deletions, an answer and the photos sent to it."""

    collection: str
    images: list[str]
    deletions: list[str]
    request_id: str
    photos: list[int]

    @property
    def secrets(self) -> set[str]:
        """What no answer to the key of another collection may hold, besides the ids that the request named."""
        return {f"the {self.collection} gate", f"{self.collection}-well", f"{self.collection}.jpg", *self.images}


def fill(product: Guarded, collection: str, seed: int) -> Things:
    """Give a collection two places, two deletions, a branding, and an answer with three photos in the inbox."""
    images = []
    for number, place in enumerate(["gate", "gate", "well", "gone", "gone too"]):
        fields = {
            "collection": collection,
            "place_id": f"{collection}-{place}",
            "place_name": f"the {collection} {place}",
        }
        photo = encode(draw_place(10 * seed + number))
        added = product.request(
            "POST", "/index/images", "manage", data=fields, files={"file": (f"{collection}.jpg", photo)}
        )
        images.append(added.json()["results"][0]["image"]["id"])
    deleted = [product.request("DELETE", f"/index/images/{images.pop()}", "manage") for _ in range(2)]
    product.request(
        "PATCH",
        f"/collections/{collection}/branding",
        "manage",
        json={"title": f"the {collection} gate", "logo": base64.b64encode(PHOTO).decode()},
    )
    recording = {"collection": collection, "place_id": f"{collection}-well", "language": "en"}
    product.request("PUT", "/index/places/audio", "manage", params=recording, content=wav())
    answer = product.request(
        "POST", "/match", "manage", data={"collection": collection}, files={"file": ("q.jpg", PHOTO)}
    ).json()
    for number in range(3):
        sent = encode(see_again(draw_place(9), seed=number).image)
        product.request("POST", f"/inbox?request_id={answer['request_id']}", "manage", content=sent)
    waiting = product.request("GET", f"/collections/{collection}/inbox", "manage").json()["entries"]
    deletions = [answer.headers[TRASH_ID_HEADER] for answer in deleted]
    return Things(collection, images, deletions, answer["request_id"], [entry["id"] for entry in waiting])


def requests_about(things: Things) -> dict[str, tuple[str, dict[str, Any]]]:
    """For every operation its path and what is sent, about one collection; what deletes comes last."""
    own = things.collection
    named = {"collection": own}
    about = {"request_id": things.request_id}
    recording = {**named, "place_id": f"{own}-well", "language": "en"}
    photo = {"file": ("q.jpg", PHOTO)}
    given: dict[str, dict[str, Any]] = {
        "POST /match": {"data": named, "files": photo},
        "POST /index/images": {"data": named, "files": photo},
        "POST /index/known": {"json": {**named, "content_hashes": ["0" * 64]}},
        "POST /index/images/move": {"json": {**named, "place_id": f"{own}-well", "images": things.images[:1]}},
        "PATCH /index/images/{image_id}": {"json": {"place_name": "a name"}},
        "GET /index/images": {"params": named},
        "GET /index/places": {"params": named},
        "PUT /index/places/audio": {"params": recording, "content": wav()},
        "GET /index/places/audio": {"params": recording},
        "DELETE /index/places/audio": {"params": recording},
        "GET /index/manifest": {"params": named},
        "GET /index/archive": {"params": named},
        "GET /collections/{collection}/health": {"params": {"wait_s": 0}},
        "POST /collections/{collection}/calibration": {"json": {}},
        "PATCH /collections/{collection}/calibration": {"json": {"target": 0.1}},
        "PATCH /collections/{collection}/branding": {"json": {"title": "a name"}},
        "PATCH /collections/{collection}": {"json": {"language": "en"}},
        "POST /collections": {"json": {"name": own}},
        "PATCH /collections/{collection}/places/{place}": {"json": {"description": "a text"}},
        "POST /inbox": {"params": about, "content": PHOTO},
        "DELETE /inbox": {"params": about},
        "POST /inbox/{entry}/decision": {"json": {"shows": "nothing"}},
        "GET /trash": {"params": named},
        "DELETE /trash": {"params": named},
        "POST /feedback": {"json": {**about, "verdict": "right"}},
    }
    names = {"collection": own, "place": f"{own}-gate", "image_id": things.images[0]}
    paths = create_app(GatewaySettings()).openapi()["paths"]
    operations = [f"{method.upper()} {path}" for path, item in paths.items() for method in item]
    about_one = [operation for operation in operations if operation not in ABOUT_NONE | FOR_ADMINS | SAMPLE]
    order = ["GET", "PATCH", "PUT", "POST", "DELETE"]
    # The more a path names, the less it deletes; and nothing is left of a deleted collection.
    whole = "DELETE /collections/{collection}"
    about_one.sort(key=lambda name: (name == whole, order.index(name.split()[0]), -name.count("/")))
    requests = {}
    for operation in about_one:
        is_deletion = operation.startswith("DELETE")
        once = {"deletion_id": things.deletions[is_deletion], "entry": str(things.photos[is_deletion])}
        path = re.sub(r"\{(\w+)\}", lambda found, once=once: (names | once)[found[1]], operation.split()[1])
        requests[operation] = (path, given.get(operation, {}))
    return requests


def ask(product: Guarded, key: str, method: str, path: str, **sent: Any) -> httpx.Response:
    """Send a request with a key."""
    return product.client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **sent)


def state_of(product: Guarded, things: Things) -> list[Any]:
    """All that an unrestricted key reads of a collection."""
    own = things.collection
    paths = [
        "/index/collections", f"/index/images?collection={own}", f"/index/places?collection={own}",
        f"/trash?collection={own}", *(f"/collections/{own}/{part}" for part in ("inbox", "matches", "branding")),
    ]  # fmt: skip
    return [product.request("GET", path, "manage").json() for path in paths]


@pytest.fixture(params=[SERVICE_KEY, None], ids=["with a service key", "without"])
def product(start: Callable[..., Guarded], request: pytest.FixtureRequest) -> Guarded:
    """The product, whose processes share a secret or not."""
    return start(service_key=request.param)


def test_a_key_reaches_nothing_of_another_collection(product: Guarded):
    """Every route refuses the other collection with and without a version in the path, shows nothing of it, and leaves
    all of it as it was.
    """
    things, key = fill(product, "west", 1), create_key(product.keys_file, "curator", "manage", ["east"])
    before = state_of(product, things)

    for operation, (path, sent) in requests_about(things).items():
        for prefix in ("", "/v1"):
            answer = ask(product, key, operation.split()[0], prefix + path, **sent)
            assert answer.status_code in {403, 404}, (operation, answer.text)
            if answer.status_code == 403:
                assert error_of(answer)["accepted"].endswith(": east"), operation
            assert not any(secret in answer.text for secret in things.secrets), (operation, answer.text)

    for operation in ABOUT_NONE - {"POST /session", "DELETE /session"}:
        method, path = operation.replace("{number}", "0").split()
        sent = {"json": {"sources": [{"paths": ["a.jpg"]}]}} if method == "POST" else {}
        answer = ask(product, key, method, path, **sent)
        assert answer.status_code == 200, (operation, answer.text)
        assert not any(secret.encode() in answer.content for secret in things.secrets | {'"west"'}), operation
    assert {ask(product, key, *operation.split()).status_code for operation in SAMPLE | FOR_ADMINS} == {403}
    assert state_of(product, things) == before


def test_a_key_may_do_everything_in_its_collections(guarded: Guarded):
    """The same requests about a collection of the key are done."""
    things, key = fill(guarded, "east", 2), create_key(guarded.keys_file, "curator", "manage", ["west", "east"])

    for operation, (path, sent) in requests_about(things).items():
        answer = ask(guarded, key, operation.split()[0], path, **sent)
        assert answer.status_code not in {401, 403, 404}, (operation, answer.text)
        assert answer.status_code < 400 or answer.status_code in {409, 422}, (operation, answer.text)


def test_what_another_collection_has_is_unknown(guarded: Guarded):
    """An id of another collection and one that never existed are answered in the same way."""
    things, key = fill(guarded, "west", 1), create_key(guarded.keys_file, "curator", "manage", ["east"])

    def answers(image: str, deletion: str, entry: int, request_id: str) -> list[tuple[int, str]]:
        asked = [
            ask(guarded, key, "GET", f"/index/images/{image}"),
            ask(guarded, key, "GET", f"/index/images/{image}/file"),
            ask(guarded, key, "POST", f"/trash/{deletion}/restore"),
            ask(guarded, key, "POST", f"/inbox/{entry}/decision", json={"shows": "nothing"}),
            ask(guarded, key, "POST", "/feedback", json={"request_id": request_id, "verdict": "wrong"}),
            ask(guarded, key, "DELETE", f"/inbox?request_id={request_id}"),
        ]
        return [(answer.status_code, answer.text) for answer in asked]

    found = answers(things.images[0], things.deletions[0], things.photos[0], things.request_id)

    assert {status for status, _ in found} == {404}
    assert found == answers("0" * 32, "0" * 32, 999, "0" * 32)


def test_lists_are_of_the_collections_of_the_key(guarded: Guarded):
    """A list that may be of all collections holds those of the key, or asks for one of them by name."""
    east, west = fill(guarded, "east", 1), fill(guarded, "west", 2)
    key = create_key(guarded.keys_file, "curator", "manage", ["east", "annex"])

    collections = ask(guarded, key, "GET", "/index/collections").json()["collections"]
    trash = ask(guarded, key, "GET", "/trash").json()
    unnamed = [ask(guarded, key, "GET", f"/index/{what}") for what in ("images", "places")]

    assert [collection["id"] for collection in collections] == ["east"]
    assert ({entry["id"] for entry in trash["deletions"]}, trash["total"]) == (set(east.deletions), 2)
    assert [answer.status_code for answer in unnamed] == [403, 403]
    assert error_of(unnamed[0])["accepted"] == "requests about one of these collections: east, annex"
    assert ask(guarded, key, "GET", "/sample").json()["state"] == "unavailable"
    assert ask(guarded, key, "DELETE", "/trash").status_code == 204
    left = guarded.request("GET", "/trash", "manage").json()["deletions"]
    assert {entry["id"] for entry in left} == set(west.deletions)


def test_only_collections_of_the_key_are_created(guarded: Guarded):
    """By a request, by an upload, or by another name."""
    fill(guarded, "west", 1)
    key = create_key(guarded.keys_file, "curator", "manage", ["east", "annex"])

    def create(name: str) -> int:
        return ask(guarded, key, "POST", "/collections", json={"name": name}).status_code

    def add(name: str) -> int:
        files = {"file": ("a.jpg", PHOTO)}
        return ask(guarded, key, "POST", "/index/images", data={"collection": name}, files=files).status_code

    def rename(name: str) -> int:
        return ask(guarded, key, "PATCH", "/collections/east", json={"name": name}).status_code

    assert [create("tower"), add("tower"), create("east"), add("east")] == [403, 403, 201, 200]
    assert [rename("tower"), rename("west"), rename("annex")] == [403, 403, 200]


def test_a_key_follows_a_collection_to_another_name(guarded: Guarded):
    """The key is for the renamed collection, by either name, until another collection gets the former name."""
    fill(guarded, "east", 1)
    key = create_key(guarded.keys_file, "curator", "manage", ["east"])

    def reached() -> list[int]:
        places = [f"/index/places?collection={name}" for name in ("east", "harbour")]
        return [ask(guarded, key, "GET", path).status_code for path in [*places, "/collections/harbour/inbox"]]

    guarded.request("PATCH", "/collections/east", "manage", json={"name": "harbour"})
    renamed = reached()
    uploaded = ask(
        guarded, key, "POST", "/index/images", data={"collection": "harbour"}, files={"file": ("a.jpg", PHOTO)}
    )
    guarded.request("POST", "/collections", "manage", json={"name": "east"})

    assert (renamed, uploaded.status_code) == ([200, 200, 200], 200)
    assert reached() == [200, 403, 403]


def test_errors_name_no_other_collection(guarded: Guarded):
    """Neither where a collection of the key does not exist, nor while another one is being calibrated."""
    fill(guarded, "east", 1)
    fill(guarded, "west", 2)
    key = create_key(guarded.keys_file, "curator", "manage", ["east", "annex"])
    jobs = guarded.retrieval.state.loading.get().usage.jobs
    guarded.client.call(jobs.begin, "calibration west", "someone", "{}")

    absent = ask(guarded, key, "GET", "/index/places?collection=annex")
    match = ask(guarded, key, "POST", "/match", data={"collection": "annex"}, files={"file": ("q.jpg", PHOTO)})
    busy = ask(guarded, key, "POST", "/collections/east/calibration", json={})

    assert [answer.status_code for answer in (absent, match, busy)] == [404, 404, 409]
    assert error_of(absent)["message"] == "no such collection among those of this key: east, annex"
    assert "another collection is being calibrated" in error_of(busy)["message"]
    assert not any("west" in answer.text for answer in (absent, match, busy))


def test_a_visitor_with_a_restricted_key_is_refused_in_a_stream_and_with_several_photos(guarded: Guarded):
    """The refusal has its status before any event."""
    fill(guarded, "west", 1)
    key = create_key(guarded.keys_file, "phone", "match", ["east"])
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    photos = [("file", ("q.jpg", encode(draw_place(seed)))) for seed in (1, 2)]

    answer = guarded.client.post("/match", data={"collection": "west"}, files=photos, headers=headers)

    assert (answer.status_code, error_of(answer)["code"]) == (403, "forbidden")
    assert error_of(answer)["message"].startswith("this key may be used only for some collections")


def test_a_route_that_heeds_no_restriction_is_closed_to_restricted_keys(tmp_path: Path):
    """And every collection, where the restriction that is passed on cannot be read."""
    app = create_retrieval(RetrievalSettings(data_dir=tmp_path), encoder=ThumbnailEncoder(local_features=True))
    with AppClient(app) as client:
        client.post("/collections", json={"name": "east"})
        records = [
            client.post("/matches", json={"matches": []}, headers=headers).status_code
            for headers in ({}, {RESTRICTION_HEADER: '["east"]'})
        ]
        listed = [
            client.get("/index/collections", headers={RESTRICTION_HEADER: value}).json()["collections"]
            for value in ('["east"]', "east", "")
        ]

    assert records == [200, 403]
    assert [len(collections) for collections in listed] == [1, 0, 0]
