"""A model's own reasons: on request, for the winner alone, after the answer, and behind all verdicts."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fakes.chat_server import ChatServer, completion
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

PLACES = 3
QUERY = encode(draw_place(1))
WRITTEN = "Both show the same gate."


class Model:
    """A served model; says yes, or no, and gives its reasons.

    Attributes:
        words: how often it was asked for a word.
        sentences: how often for sentences.
        photos_written_about: how many photos it was shown for them.
    """

    def __init__(self) -> None:
        self.words = self.sentences = 0
        self.photos_written_about: list[int] = []
        self.says_yes = True
        self.may_write = threading.Event()
        self.may_write.set()

    def __call__(self, request: dict[str, Any]) -> tuple[int, Any]:
        if not request.get("logprobs"):
            self.sentences += 1
            parts = request["messages"][1]["content"]
            self.photos_written_about.append(sum(part["type"] == "image_url" for part in parts))
            self.may_write.wait(20)
            return 200, completion(WRITTEN)
        self.words += 1
        sure, other = ("yes", "no") if self.says_yes else ("no", "yes")
        return 200, completion(sure, [(sure, -0.05), (other, -3.0)])


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def options() -> dict[str, Any]:
    """Further options of the verifier."""
    return {}


@pytest.fixture
def product(tmp_path: Path, model: Model, options: dict[str, Any]) -> Iterator[AppClient]:
    """The whole product over that model, with three places."""
    folder = tmp_path / "gallery"
    with ExitStack() as stack:
        server = stack.enter_context(ChatServer(model))
        verifier = create_verifier(
            VerifierSettings(
                data_dir=folder,
                verifier="openai-compatible",
                model="tiny",
                verifier_options={"url": server.url, **options},
            )
        )
        retrieval = create_retrieval(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder())
        client = stack.enter_context(AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=verifier)))
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        for seed in range(1, PLACES + 1):
            photo = {"files": (f"{seed}.jpg", encode(draw_place(seed)))}
            client.post("/index/images", files=photo, data={"place_id": f"place-{seed}"})
        model.words = model.sentences = 0
        yield client


def match(client: AppClient, *, events: bool = False, **fields: str) -> Any:
    headers = {"Accept": "text/event-stream"} if events else {}
    return client.post("/match", files={"file": ("q.jpg", QUERY)}, data=fields, headers=headers)


def events_of(answer: Any) -> list[tuple[str, dict[str, Any]]]:
    told = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in told]


def test_an_explanation_has_nothing_written(product: AppClient, model: Model):
    """What is known anyway costs a language model nothing: one word for each pair and no sentence."""
    reply = match(product, explain="true").json()

    assert reply["matched"]
    assert reply["reasons"]
    assert reply["candidates"][0]["verdict"]["written_reasons"] is None
    assert (model.words, model.sentences) == (PLACES, 0)


def test_reasons_are_written_for_the_winner_alone(product: AppClient, model: Model):
    """In one JSON reply the answer waits for them, and they stand in the winner's verdict."""
    reply = match(product, reasons="true").json()

    assert [candidate["verdict"]["written_reasons"] for candidate in reply["candidates"]] == [WRITTEN, None, None]
    assert (model.words, model.sentences) == (PLACES, 1)


@pytest.mark.parametrize("options", [{"views_together": 2}])
def test_reasons_are_about_the_photos_of_the_verdict(product: AppClient, model: Model):
    """Where a place was asked about by two of its photos, the model writes about both."""
    photo = {"files": ("again.jpg", encode(draw_place(PLACES + 1)))}
    product.post("/index/images", files=photo, data={"place_id": "place-1"})
    reply = match(product, reasons="true").json()

    assert [len(candidate["verdict"]["views"]) for candidate in reply["candidates"]] == [1, 0, 0]
    assert reply["candidates"][0]["verdict"]["written_reasons"] == WRITTEN
    assert (model.words, model.photos_written_about) == (PLACES, [3])


def test_in_events_the_answer_comes_before_the_reasons(product: AppClient, model: Model):
    """The answer is told while the model still writes; the reasons are the last event."""
    told = events_of(match(product, events=True, reasons="true"))

    assert [name for name, _ in told][-2:] == ["result", "reasons"]
    result, reasons = told[-2][1], told[-1][1]
    assert result["candidates"][0]["verdict"]["written_reasons"] is None
    assert reasons == {
        "request_id": result["request_id"],
        "image_id": result["candidates"][0]["image_id"],
        "written_reasons": WRITTEN,
    }


def test_without_a_match_nothing_is_written(product: AppClient, model: Model):
    """There is no winner to give reasons for."""
    model.says_yes = False
    told = events_of(match(product, events=True, reasons="true"))

    assert told[-1][1] | {"request_id": ""} == {"request_id": "", "image_id": None, "written_reasons": None}
    assert model.sentences == 0


def test_a_style_that_reasons_first_is_not_asked_twice(product: AppClient, model: Model):
    """Its sentences belong to its verdicts, one text for each pair, and are the reasons."""
    reply = match(product, reasons="true", prompt_style="detailed").json()

    assert reply["candidates"][0]["verdict"]["written_reasons"] == WRITTEN
    assert (model.words, model.sentences) == (PLACES, PLACES)


def test_reasons_wait_behind_verdicts(product: AppClient, model: Model):
    """While somebody writes, others get their answers, and no reason begins while verdicts are waited for."""
    model.may_write.clear()
    answers: list[Any] = []
    writing = threading.Thread(target=lambda: answers.append(match(product, reasons="true")))
    writing.start()
    others = [match(product).json()["matched"] for _ in range(3)]
    model.may_write.set()
    writing.join(60)

    assert others == [True] * 3
    assert answers[0].json()["candidates"][0]["verdict"]["written_reasons"] == WRITTEN
