"""Verdicts that cannot be had: dropped, counted, told by readiness, and never taken for a number."""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.chat_server import ChatServer, completion
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient, error_of

from core.gallery import Gallery
from core.gallery.values import NewImage
from core.imaging.copies import encode_preview
from core.imaging.decoding import decode_image
from core.results import Place, Verdict
from services.verifier.app import create_app
from services.verifier.settings import VerifierSettings

PHOTOS = {f"place-{seed}": encode(draw_place(seed)) for seed in (1, 2, 3)}
QUERY = encode(draw_place(9))
YES = completion("yes", [("yes", -0.05), ("no", -3.0)])
THINKING = completion("<think>", [("<think>", -0.001), ("yes", -9.0), ("no", -9.5)])


@pytest.fixture
def gallery(folder: Path) -> Iterator[Gallery]:
    """Three places with one photo each."""
    with Gallery.open(folder, ThumbnailEncoder().fingerprint) as gallery:
        for place, data in PHOTOS.items():
            image = decode_image(data).image
            new = NewImage(
                data=data,
                filename=f"{place}.jpg",
                media_type="image/jpeg",
                width=image.width,
                height=image.height,
                preview=encode_preview(image),
                embedding=ThumbnailEncoder().encode([image]).embeddings[0],
                local_features=None,
                place=Place(place, place),
            )
            gallery.add([new])
        yield gallery


def ask(client: AppClient, gallery: Gallery, **options: Any) -> Any:
    images = gallery.all_images("default")
    refs = [{"image_id": image.image_id, "place_id": image.place.place_id, "similarity": 0.5} for image in images]
    data = {"request": json.dumps({"candidates": refs, **options})}
    return client.post("/verify", files={"file": ("photo", QUERY)}, data=data)


def remote(folder: Path, server: ChatServer, **options: Any) -> VerifierSettings:
    options = {"url": server.url, **options}
    return VerifierSettings(data_dir=folder, verifier="openai-compatible", model="tiny", verifier_options=options)


def test_a_model_that_thinks_is_not_ready(folder: Path):
    """A server whose replies cannot be read from the start is told by readiness, with what to do."""
    with (
        ChatServer(lambda _request: (200, THINKING)) as server,
        AppClient(create_app(remote(folder, server))) as client,
    ):
        ready = client.get("/health/ready")

    assert ready.status_code == 503
    assert ready.json()["code"] == "model_unavailable"
    assert "cannot be read" in ready.json()["reason"]
    assert "enable_thinking" in ready.json()["reason"]


def test_replies_that_become_unreadable_are_counted_and_told(folder: Path, gallery: Gallery):
    """One photo without any verdict is told at once, three in a row make the service unready, and it recovers."""
    replies = [YES]
    with (
        ChatServer(lambda _request: (200, replies[0])) as server,
        AppClient(create_app(remote(folder, server))) as client,
    ):
        assert ask(client, gallery).json()["matched"]
        replies[0] = THINKING
        refused = ask(client, gallery)
        doubtful = client.get("/health/ready")
        ask(client, gallery)
        ask(client, gallery)
        unready = client.get("/health/ready")
        metrics = client.get("/metrics").text
        replies[0] = YES
        client.call(client.app.state.loading.get().prove)
        recovered = client.get("/health/ready")

    assert (refused.status_code, error_of(refused)["code"]) == (503, "backend_unavailable")
    assert (doubtful.status_code, doubtful.json()["code"]) == (200, "replies_unreadable")
    assert (unready.status_code, unready.json()["code"]) == (503, "replies_unreadable")
    assert 'matcher_verifier_unreadable_pairs_total{process="verifier"} 9.0' in metrics
    assert (recovered.status_code, recovered.json()["code"]) == (200, None)


def test_a_refused_candidate_is_dropped_alone(folder: Path, gallery: Gallery):
    """A candidate that the server refuses is listed among the dropped, and the others decide."""
    asked: list[int] = []

    def refuse_second(_request: dict[str, Any]) -> tuple[int, Any]:
        asked.append(1)
        return (400, {"error": "data_inspection_failed"}) if len(asked) == 3 else (200, YES)

    with ChatServer(refuse_second) as server, AppClient(create_app(remote(folder, server, concurrency=1))) as client:
        reply = ask(client, gallery).json()
        ready = client.get("/health/ready").json()

    assert (len(reply["ranking"]), len(reply["dropped"])) == (2, 1)
    assert (ready["ready"], ready["code"], ready["details"]["pairs_unreadable"]) == (True, None, 1)


class NumberlessVerifier(ScriptedVerifier):
    """Its confidence is NaN, as of a model that overflows."""

    def verify(self, query, candidates, *, prompt_style=None, explain=False):
        return [Verdict(False, math.nan, "no") for _ in candidates]


def test_a_verifier_without_numbers_is_not_ready(folder: Path):
    """The pair that it is tried with shows it."""
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=NumberlessVerifier())) as client:
        ready = client.get("/health/ready")

    assert (ready.status_code, ready.json()["code"]) == (503, "model_unavailable")


@pytest.mark.parametrize("lost", [False, True])
def test_numbers_lost_later_are_no_answer(folder: Path, gallery: Gallery, lost: bool):
    """NaN is no confidence: of one pair it is dropped, of all it is an error and never a match."""

    class Later(ScriptedVerifier):
        def verify(self, query, candidates, *, prompt_style=None, explain=False):
            verdicts = super().verify(query, candidates)
            return [
                Verdict(False, math.nan, "no") if lost or index == 1 else verdict
                for index, verdict in enumerate(verdicts)
            ]

    known = {hashlib.sha256(PHOTOS["place-1"]).hexdigest(): 0.9}
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=ScriptedVerifier(known))) as client:
        client.app.state.loading.get().verifier = Later(known)
        answer = ask(client, gallery)

    if lost:
        assert (answer.status_code, error_of(answer)["code"]) == (503, "backend_unavailable")
    else:
        assert len(answer.json()["dropped"]) == 1


@pytest.mark.parametrize(
    ("style", "confidence", "matched"),
    [
        ("simple", 0.55, True),
        ("simple", 0.45, False),
        ("scenic_guide", 0.55, True),
        ("chinese", 0.55, True),
        ("detailed", 0.55, True),
        ("detailed", 0.45, False),
        ("strict", 0.55, False),
        ("strict", 0.84, False),
        ("strict", 0.86, True),
    ],
)
@pytest.mark.parametrize("is_default", [False, True])
def test_a_style_answers_from_its_own_threshold(
    folder: Path, gallery: Gallery, style: str, confidence: float, matched: bool, is_default: bool
):
    """Where nobody calibrated, and the operator says nothing, the style's threshold is the answer's."""

    def answer(request: dict[str, Any]) -> tuple[int, Any]:
        words = ("是", "否") if "讲解员" in request["messages"][0]["content"] else ("yes", "no")
        top = [(words[0], math.log(confidence)), (words[1], math.log(1 - confidence))]
        return 200, completion(words[0], top) if request.get("logprobs") else completion("Both show a gate.")

    with ChatServer(answer) as server:
        settings = remote(folder, server, **({"prompt_style": style} if is_default else {}))
        with AppClient(create_app(settings)) as client:
            images = list(gallery.all_images("default"))[:1]
            refs = [
                {"image_id": image.image_id, "place_id": image.place.place_id, "similarity": 0.5} for image in images
            ]
            asked = {"candidates": refs, "prompt_style": None if is_default else style}
            reply = client.post("/verify", files={"file": ("photo", QUERY)}, data={"request": json.dumps(asked)}).json()

    assert reply["matched"] is matched
    assert reply["ranking"][0]["verdict"]["is_match"] is matched


def test_further_views_below_the_threshold_add_up_to_nothing(folder: Path, gallery: Gallery):
    """Three photos of one place that a strict style does not accept are no answer together."""
    body = completion("yes", [("yes", math.log(0.7)), ("no", math.log(0.3))])
    with ChatServer(lambda _request: (200, body)) as server, AppClient(create_app(remote(folder, server))) as client:
        images = gallery.all_images("default")
        refs = [{"image_id": image.image_id, "place_id": "one", "similarity": 0.5} for image in images]
        asked = {"candidates": refs, "prompt_style": "strict"}
        reply = client.post("/verify", files={"file": ("photo", QUERY)}, data={"request": json.dumps(asked)}).json()

    assert reply["matched"] is False


def test_the_operators_threshold_goes_before_the_styles(folder: Path, gallery: Gallery):
    """What the operator says holds for every style."""
    body = completion("yes", [("yes", math.log(0.6)), ("no", math.log(0.4))])
    with ChatServer(lambda _request: (200, body)) as server:
        settings = remote(folder, server).model_copy(update={"accept_threshold": 0.5})
        with AppClient(create_app(settings)) as client:
            assert ask(client, gallery, prompt_style="strict").json()["matched"]
