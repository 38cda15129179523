"""Events reach the operator's webhook: signed, again until they are acknowledged, and nobody else."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import documented
import numpy as np
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from servers.ports import free_port
from servers.receiver import Received, Receiver, receiving

from contracts.webhooks import WebhookEvent
from core.journal import outbox
from services.retrieval.app import create_app
from services.retrieval.background.collection_watch import CollectionWatch
from services.retrieval.settings import RetrievalSettings

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
WEEK_S = 7 * 86_400.0


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is sent again at once, and so is what was being sent when the service before it ended."""
    monkeypatch.setattr(outbox, "_FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(outbox, "LEASE_S", 0.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook on this machine."""
    with receiving() as running:
        yield running


@contextmanager
def service(folder: Path, port: int, **settings: Any) -> Iterator[AppClient]:
    """The retrieval service with that webhook."""
    hook = {"webhook_url": f"http://127.0.0.1:{port}/hook?token=t0p-s3cret", "webhook_secret": SECRET}
    options = RetrievalSettings(data_dir=folder, **{**hook, "webhook_private": True, **settings})
    with AppClient(create_app(options, encoder=ThumbnailEncoder(local_features=True))) as client:
        yield client


def a_match(request_id: str = "r1", at: float | None = None, *, matched: bool = True, score: float = 0.9) -> dict:
    """The numbers of an answer."""
    return {
        "request_id": request_id, "at": time.time() if at is None else at, "collection": "default", "matched": matched,
        "place_id": "gate", "place_name": "Gate", "confidence": 0.9, "score": score, "verification": "done",
        "encoder": "e", "verifier": "v",
    }  # fmt: skip


def give_feedback(client: AppClient, request_id: str = "r1") -> dict:
    """Say that an answer was right."""
    client.post("/matches", json={"matches": [a_match(request_id)]})
    return client.post("/feedback", json={"request_id": request_id, "verdict": "right"}).json()


def event_of(received: Received) -> Any:
    """The event of a request; fails if it is none."""
    return TypeAdapter(WebhookEvent).validate_json(received.body)


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    """The check that docs/api.md shows."""
    return documented.is_genuine()


def test_feedback_is_sent_and_signed(tmp_path: Path, receiver: Receiver, is_genuine: Callable[..., bool]):
    """The documented check accepts the event as it was sent, and nothing else."""
    with service(tmp_path, receiver.port) as client:
        reply = give_feedback(client)
        received = receiver.next()

    event = event_of(received)
    assert (event.type, event.data.model_dump()) == ("feedback.given", reply)
    assert received.headers["content-type"] == "application/json"
    assert is_genuine(received.headers, received.body, SECRET)
    assert not is_genuine(received.headers, received.body + b" ", SECRET)
    assert not is_genuine({**received.headers, "webhook-timestamp": "1700000000"}, received.body, SECRET)
    assert not is_genuine(received.headers, received.body, "whsec_" + base64.b64encode(bytes(32)).decode())


def test_a_curators_decision_is_feedback_too(tmp_path: Path, receiver: Receiver):
    """What the inbox decides about an answer is sent like what a visitor says, and the photo is not."""
    with service(tmp_path, receiver.port, inbox_days=14) as client:
        client.post("/collections", json={"name": "default"})
        client.post("/matches", json={"matches": [a_match(matched=False)]})
        client.post("/inbox", params={"request_id": "r1"}, content=encode(draw_place(1)))
        (entry,) = client.get("/collections/default/inbox").json()["entries"]
        client.post(f"/inbox/{entry['id']}/decision", json={"shows": "nothing"})
        event = event_of(receiver.next())

    assert (event.type, event.data.request_id, event.data.verdict) == ("feedback.given", "r1", "not_in_collection")


def test_an_event_is_sent_again_until_it_is_acknowledged(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
):
    """With the same id and to the same address: a redirect is a failure. The log names neither address nor secret."""
    receiver.answers[:] = [500, 302, 308, 204]
    with service(tmp_path, receiver.port) as client:
        give_feedback(client)
        attempts = [receiver.next() for _ in range(4)]
        give_feedback(client, "r2")
        last = receiver.next()

    assert {attempt.path for attempt in attempts} == {"/hook?token=t0p-s3cret"}
    assert len({attempt.headers["webhook-id"] for attempt in attempts}) == 1
    assert event_of(last).data.request_id == "r2"
    assert "the receiver answered 500" in caplog.text
    assert not [text for text in ("t0p-s3cret", "/hook", SECRET, SECRET[6:]) if text in caplog.text]


def test_waiting_events_survive_a_restart(tmp_path: Path):
    """Feedback that was acknowledged while nobody listened is sent by the next process."""
    port = free_port()
    with service(tmp_path, port) as client:
        assert give_feedback(client)["request_id"] == "r1"

    with receiving(port) as receiver, service(tmp_path, port):
        event = event_of(receiver.next())

    assert event.data.request_id == "r1"


def test_without_a_webhook_nothing_is_stored(tmp_path: Path):
    """Nobody is waiting for the events."""
    settings = RetrievalSettings(data_dir=tmp_path)
    with AppClient(create_app(settings, encoder=ThumbnailEncoder())) as client:
        give_feedback(client)
        stored = client.app.state.loading.get().usage.outbox.next_due()

    assert stored is None


def look(client: AppClient) -> None:
    """Do what is done every day."""
    parts = client.app.state.loading.get()
    watch = CollectionWatch(parts.gallery, parts.checkups, parts.usage, parts.webhooks, parts.workers)
    client.call(watch.look)


def add(client: AppClient, name: str, photo: bytes) -> None:
    """Add a photo of a place."""
    answer = client.post("/index/images", files={"file": (f"{name}.jpg", photo)}, data={"place_id": name})
    assert answer.json()["added"] == 1


def test_health_that_is_worse_is_sent_once(tmp_path: Path, receiver: Receiver):
    """The first check is only remembered; a new faulty photo is news, and on the next day it is none."""
    with service(tmp_path, receiver.port) as client:
        client.post("/collections", json={"name": "empty"})
        add(client, "gate", encode(draw_place(1)))
        look(client)
        add(client, "dark", encode(Image.new("RGB", (1200, 900), (4, 4, 4))))
        look(client)
        look(client)
        give_feedback(client)
        events = [event_of(receiver.next()) for _ in range(2)]

    problems = events[0].data
    assert [event.type for event in events] == ["health.worse", "feedback.given"]
    assert (problems.collection, problems.faulty_photos, problems.former_faulty_photos) == ("default", 1, 0)


def test_an_unusual_week_is_sent_once(tmp_path: Path, receiver: Receiver):
    """The report's sentence in both languages, for the newest unusual week."""
    rng, start = np.random.default_rng(1), time.time() - 6 * WEEK_S
    weeks = [
        a_match(f"w{week}-{number}", start + week * WEEK_S + number, matched=rng.random() < share)
        for week, share in enumerate((0.8, 0.8, 0.8, 0.2))
        for number in range(250)
    ]
    with service(tmp_path, receiver.port) as client:
        add(client, "gate", encode(draw_place(1)))
        client.post("/matches", json={"matches": weeks})
        look(client)
        look(client)
        give_feedback(client)
        events = [event_of(receiver.next()) for _ in range(2)]

    assert [event.type for event in events] == ["drift.found", "feedback.given"]
    assert f"In the week of {events[0].data.week}" in events[0].data.en
    assert "下降" in events[0].data.zh


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"webhook_url": "http://museum.example/t0p-s3cret"}, "M1_WEBHOOK_URL is not https"),
        ({"webhook_url": None}, "belong together"),
        ({"webhook_secret": None}, "belong together"),
        ({"webhook_secret": "t0p-s3cret"}, "no secret of a webhook"),
        ({"webhook_secret": "whsec_dDBwLXMzY3JldA=="}, "no secret of a webhook"),
        ({"webhook_url": "https://me:t0p-s3cret@museum.example"}, "no address of a webhook"),
        ({"webhook_url": "ftp://museum.example/t0p-s3cret"}, "no address of a webhook"),
    ],
)
def test_what_is_no_webhook_is_refused_at_start(settings: dict[str, Any], message: str):
    """The message says what would be accepted, without the value."""
    usual = {"webhook_url": "https://museum.example/hook", "webhook_secret": SECRET}

    with pytest.raises(ValidationError, match=message) as refused:
        RetrievalSettings(**{**usual, **settings})

    assert "t0p-s3cret" not in str(refused.value)
    assert "dDBwLXMz" not in str(refused.value)
