"""``POST /search``: what is found, and what is refused."""

import asyncio
import base64
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bad_photos import BAD_PHOTOS, GOOD_PHOTO
from fakes.encoders import FailingEncoder, ThumbnailEncoder
from fakes.images import draw_place, encode, see_again
from in_process import AppClient, error_of
from PIL import ImageChops, ImageStat

from core.errors import BackendUnavailable
from core.imaging.decoding import DecodedImage, decode_image
from core.local_features.codec import unpack
from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


def add(retrieval: AppClient, *seeds: int, **fields: str) -> list[dict]:
    """Add drawn places, each named after its seed."""
    answers = [
        retrieval.post(
            "/index/images",
            files={"file": (f"{seed}.jpg", encode(draw_place(seed)))},
            data={"place_id": f"place-{seed}", **fields},
        )
        for seed in seeds
    ]
    return [answer.json()["results"][0]["image"] for answer in answers]


def test_another_view_of_a_place_finds_it_first(retrieval: AppClient):
    """A photo taken from elsewhere leads to the place it shows, with everything a caller needs to show it."""
    add(retrieval, 1, 2, 3)
    view = encode(see_again(draw_place(2), seed=7).image)

    found = retrieval.post("/search", params={"top_k": 2}, content=view).json()

    assert [candidate["rank"] for candidate in found["candidates"]] == [1, 2]
    best = found["candidates"][0]
    assert best["image"]["place"]["id"] == "place-2"
    assert best["similarity"] > found["candidates"][1]["similarity"]
    assert retrieval.get(best["image"]["preview_url"]).headers["content-type"] == "image/jpeg"
    assert (found["query_width"], found["query_height"]) == draw_place(2).size


def test_the_photos_local_features_come_back_for_the_verifier(retrieval: AppClient):
    """Features are computed once: they return with the candidates, or not at all where nobody wants them."""
    add(retrieval, 1)

    wanted = retrieval.post("/search", content=GOOD_PHOTO).json()
    unwanted = retrieval.post("/search", params={"features": False}, content=GOOD_PHOTO).json()

    assert unpack(base64.b64decode(wanted["query_features"])).extractor == "thumbnail-cells"
    assert unwanted["query_features"] is None


def test_a_reduced_copy_comes_back_for_the_verifier(retrieval: AppClient):
    """The photo was decoded here: whoever asks gets it at the size that the verifier uses, upright."""
    add(retrieval, 1)
    large = encode(draw_place(2, (1600, 1200)), orientation=6)

    copied = retrieval.post("/search", params={"copy_side": 500}, content=large).json()["query_copy"]

    copy = decode_image(base64.b64decode(copied)).image
    assert copy.size == (375, 500)
    expected = decode_image(large, max_side=500).image
    assert max(ImageStat.Stat(ImageChops.difference(copy, expected)).mean) < 4


@pytest.mark.parametrize(
    ("size", "params"),
    [
        ((1600, 1200), {}),  # nobody asks
        ((900, 600), {"copy_side": 500}),  # the photo itself is little larger
        ((3000, 2000), {"copy_side": 1400}),  # more than was decoded
    ],
)
def test_there_is_no_copy_where_the_photo_serves_as_well(retrieval: AppClient, size: tuple[int, int], params: dict):
    """A copy that costs as much as it saves, or that lacks pixels, is not made."""
    add(retrieval, 1)

    reply = retrieval.post("/search", params=params, content=encode(draw_place(2, size))).json()

    assert reply["query_copy"] is None


def test_an_unknown_collection_is_refused_before_any_work(retrieval: AppClient):
    """A photo for a collection that does not exist is not even decoded."""
    add(retrieval, 1)

    answer = retrieval.post("/search", params={"collection": "nowhere"}, content=b"no photo at all")

    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_collection")


def test_stage_times_are_told(retrieval: AppClient):
    """The reply and its Server-Timing header name the stages and their milliseconds."""
    add(retrieval, 1)

    answer = retrieval.post("/search", content=GOOD_PHOTO)

    reply = answer.json()
    stages, parts = {"decode", "encode", "search"}, {"vector_search", "local_test"}
    assert parts <= set(reply["timings_ms"]) - stages - {"total"} <= parts | {"further_looks", "second_features"}
    assert stages <= set(reply["timings_ms"])
    assert set(reply["cpu_ms"]) == set(reply["timings_ms"]) - {"total"}
    assert all(spent > 0 for spent in reply["cpu_ms"].values())
    assert sum(reply["cpu_ms"][part] for part in parts) <= reply["cpu_ms"]["search"]
    assert all(f"{stage};dur=" in answer.headers["server-timing"] for stage in ("decode", "encode", "search", "total"))


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_bad_photos_are_refused_by_kind(retrieval: AppClient, name: str):
    """Each kind of unusable photo has its own status and code, and is told what would have been accepted."""
    data, status, code = BAD_PHOTOS[name]
    add(retrieval, 1)

    answer = retrieval.post("/search", content=data)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert error_of(answer)["accepted"]


def test_an_empty_gallery_says_what_to_do(retrieval: AppClient):
    """Searching before anything was added is the gallery's state, not the photo's fault."""
    answer = retrieval.post("/search", content=GOOD_PHOTO)

    assert (answer.status_code, error_of(answer)["code"]) == (409, "empty_gallery")
    assert "POST /index/images" in error_of(answer)["accepted"]


def test_an_unknown_collection_is_named(retrieval: AppClient):
    """A misspelt collection is told apart from an empty gallery."""
    add(retrieval, 1)

    answer = retrieval.post("/search", params={"collection": "louvre"}, content=GOOD_PHOTO)

    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_collection")
    assert "louvre" in error_of(answer)["message"]


@pytest.mark.parametrize("top_k", ["0", "51", "many"])
def test_top_k_out_of_range_names_the_field(retrieval: AppClient, top_k: str):
    """A value outside its range is refused with the field, the value and the range."""
    answer = retrieval.post("/search", params={"top_k": top_k}, content=GOOD_PHOTO)

    assert (answer.status_code, error_of(answer)["code"], error_of(answer)["field"]) == (
        422,
        "invalid_request",
        "top_k",
    )
    assert top_k in error_of(answer)["message"]
    assert error_of(answer)["accepted"]


def test_collections_do_not_see_each_other(retrieval: AppClient):
    """A search stays inside its collection."""
    add(retrieval, 1, collection="museum")
    add(retrieval, 2, collection="park")

    found = retrieval.post("/search", params={"collection": "park"}, content=GOOD_PHOTO).json()

    assert [candidate["image"]["place"]["id"] for candidate in found["candidates"]] == ["place-2"]


def test_not_ready_until_a_forward_pass_has_succeeded(folder: Path):
    """While the encoder loads the process lives, says why it is not ready, and refuses work politely."""

    class SlowEncoder(ThumbnailEncoder):
        def encode(self, images):
            may_encode.wait(timeout=30)
            return super().encode(images)

    may_encode = threading.Event()
    app = create_app(RetrievalSettings(data_dir=folder), encoder=SlowEncoder())
    with AppClient(app, wait_until_loaded=False) as client:
        live, ready, search = client.get("/health/live"), client.get("/health/ready"), client.post("/search")
        may_encode.set()
        client.call(app.state.loading.finished)
        ready_later = client.get("/health/ready")

    assert (live.status_code, ready.status_code, search.status_code) == (200, 503, 503)
    assert "being loaded" in ready.json()["reason"]
    assert search.headers["retry-after"]
    assert ready_later.status_code == 200
    assert ready_later.json()["details"]["images"] == 0


def test_a_gallery_of_another_encoder_is_refused_with_the_way_out(folder: Path):
    """Vectors of two encoders are never mixed: the service says so, on every request and to the operator."""
    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder(name="one"))) as client:
        add(client, 1)
    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder(name="two"))) as client:
        ready, search = client.get("/health/ready"), client.post("/search", content=GOOD_PHOTO)

    assert "build_database" in ready.json()["reason"]
    assert (search.status_code, error_of(search)["code"]) == (409, "encoder_mismatch")


def test_an_encoder_that_cannot_load_tells_its_cause(folder: Path):
    """A failed start is visible to operator and caller instead of a process that is merely absent."""
    encoder = FailingEncoder(BackendUnavailable("the weights are not here; put them there"))
    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=encoder)) as client:
        ready, search = client.get("/health/ready"), client.post("/search", content=GOOD_PHOTO)

    assert ready.status_code == 503
    assert ready.json()["reason"] == "the weights are not here; put them there"
    assert (search.status_code, error_of(search)["code"]) == (503, "backend_unavailable")


def test_weights_that_come_late_need_no_restart(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """An encoder that cannot load at first is tried again in the background until searches succeed."""
    monkeypatch.setattr("serving.loading.FIRST_PAUSE_S", 0.0)
    encoder = FailingEncoder(BackendUnavailable("the weights are not here yet"), times=1)
    app = create_app(RetrievalSettings(data_dir=folder), encoder=encoder)
    with AppClient(app) as client:
        client.call(app.state.loading.loaded)
        ready = client.get("/health/ready")

    assert ready.status_code == 200


def test_an_unexpected_failure_at_start_keeps_its_details_to_the_log(folder: Path):
    """What no table expects is not told to strangers."""
    encoder = FailingEncoder(RuntimeError("secret path /etc"))  # type: ignore[arg-type]
    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=encoder)) as client:
        ready, search = client.get("/health/ready"), client.post("/search", content=GOOD_PHOTO)

    assert search.status_code == 503
    assert "secret" not in ready.text + search.text


def test_settings_for_other_backends_do_not_stop_the_start(folder: Path):
    """A device is a setting of any start: the embedded encoder, which needs none, starts all the same."""
    settings = RetrievalSettings(data_dir=folder, encoder="embedded", device="cuda:0")
    with AppClient(create_app(settings)) as client:
        assert client.get("/health/ready").status_code == 200


def test_too_many_searches_are_refused_at_once(folder: Path):
    """A full house answers 503 with Retry-After while those inside are still served."""

    class GatedEncoder(ThumbnailEncoder):
        def encode(self, images):
            encoding.set()
            may_finish.wait(timeout=30)
            return super().encode(images)

    encoding, may_finish = threading.Event(), threading.Event()
    may_finish.set()
    answers = []
    with AppClient(create_app(RetrievalSettings(data_dir=folder, max_waiting=1), encoder=GatedEncoder())) as client:
        add(client, 1)
        may_finish.clear()
        encoding.clear()
        inside = threading.Thread(target=lambda: answers.append(client.post("/search", content=GOOD_PHOTO)))
        inside.start()
        encoding.wait(timeout=30)
        refused = client.post("/search", content=GOOD_PHOTO)
        may_finish.set()
        inside.join()

    assert (refused.status_code, error_of(refused)["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert answers[0].status_code == 200


def test_searches_that_wait_hold_no_decoded_photo(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """However many visitors come at once, few photos are decoded ahead: one is searched for, two are encoded."""

    class GatedEncoder(ThumbnailEncoder):
        def encode(self, images):
            may_finish.wait(timeout=30)
            return super().encode(images)

    def decode(*args: Any, **options: Any) -> DecodedImage:
        decoded.append(args)
        return decode_image(*args, **options)

    may_finish, decoded, answers = threading.Event(), [], []
    may_finish.set()
    settings = RetrievalSettings(data_dir=folder, workers=1, batch_size=1, max_waiting=6)
    with AppClient(create_app(settings, encoder=GatedEncoder())) as client:
        add(client, 1)
        may_finish.clear()
        monkeypatch.setattr("services.retrieval.engine.decode_image", decode)
        search = partial(client.post, "/search", content=GOOD_PHOTO)
        visitors = [threading.Thread(target=lambda: answers.append(search())) for _ in range(6)]
        for visitor in visitors:
            visitor.start()
        gate = client.app.state.loading.get().engine.gate
        while gate.inside < 6 or len(decoded) < 3:
            client.call(asyncio.sleep, 0.01)
        client.call(asyncio.sleep, 0.2)
        decoded_ahead = len(decoded)
        may_finish.set()
        for visitor in visitors:
            visitor.join()

    assert decoded_ahead == 3
    assert [answer.status_code for answer in answers] == [200] * 6


def test_slow_searches_do_not_make_the_service_look_unready(retrieval: AppClient):
    """While every thread for searches is busy, the health check answers."""
    service = retrieval.app.state.loading.get()
    busy, may_finish = threading.Barrier(3), threading.Event()

    def search_slowly() -> None:
        busy.wait(timeout=30)
        may_finish.wait(timeout=60)

    searches = [threading.Thread(target=retrieval.call, args=(service.workers.run, search_slowly)) for _ in range(2)]
    for search in searches:
        search.start()
    busy.wait(timeout=30)
    ready = retrieval.get("/health/ready")
    still_busy = [search.is_alive() for search in searches]
    may_finish.set()
    for search in searches:
        search.join()

    assert (ready.status_code, ready.json()["details"]["images"]) == (200, 0)
    assert still_busy == [True, True]


@pytest.mark.parametrize(
    ("settings", "most"), [({}, 16), ({"encoder": "dinov3"}, 64), ({"encoder": "embedded", "max_waiting": 3}, 3)]
)
def test_no_more_searches_wait_than_are_answered_in_time(folder: Path, settings: dict, most: int):
    """Unless the operator says otherwise, few wait where the encoder runs on the CPU."""
    with AppClient(create_app(RetrievalSettings(data_dir=folder, **settings), encoder=ThumbnailEncoder())) as client:
        assert client.get("/health/ready").json()["details"]["searches_at_most"] == most


def test_an_unexpected_error_answers_500_without_details(folder: Path):
    """A bug is a generic 500 in the one error shape; its details stay in the log."""

    class BrokenLater(ThumbnailEncoder):
        def encode(self, images):
            if images[0].size == draw_place(1).size:
                raise ZeroDivisionError("secret")
            return super().encode(images)

    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=BrokenLater())) as client:
        client.post("/index/images", files={"file": ("small.jpg", encode(draw_place(2, (96, 64))))})
        answer = client.post("/search", content=GOOD_PHOTO)

    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]
