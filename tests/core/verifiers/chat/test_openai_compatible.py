"""The remote verifier against a real local server: what it asks, how it reads the answer, how it fails."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier, Event, Lock
from typing import Any

import pytest
from fakes.chat_server import ChatServer, QwenAnswers, completion, read_data_uri
from fakes.naive_qwen import NaiveQwen
from PIL import Image

from core.errors import BackendUnavailable, InvalidRequest
from core.results import Photo
from core.verifiers.chat.openai_compatible import OpenAICompatibleVerifier
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier

AsPhoto = Callable[[Image.Image], Photo]
Connect = Callable[..., OpenAICompatibleVerifier]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes verifiers that ask a server (or a URL), and closes them afterwards."""
    with ExitStack() as stack:

        def make(server: ChatServer | str, **options: Any) -> OpenAICompatibleVerifier:
            url = server if isinstance(server, str) else server.url
            return stack.enter_context(closing(OpenAICompatibleVerifier(url, "tiny", **options)))

        yield make


def likely(text: str, *others: tuple[str, float]) -> Callable[[dict[str, Any]], tuple[int, Any]]:
    """A server that always says the same."""
    return lambda _request: (200, completion(text, list(others)))


@pytest.mark.parametrize("both_orders", [False, True])
@pytest.mark.parametrize("style", ["simple", "strict", "chinese"])
def test_a_server_of_the_same_model_gives_the_same_verdicts(
    qwen_folders: dict[str, Path], images: list[Image.Image], style: str, both_orders: bool, connect: Connect
):
    """Asked over HTTP, a model judges the very pixels it gets as it judges them locally."""
    folder = qwen_folders["qwen3_vl"]
    with ChatServer(QwenAnswers(NaiveQwen(folder), max_tokens=32)) as server:
        remote = connect(server, prompt_style=style, both_orders=both_orders)
        query, *candidates = [Photo(lambda image=image: image) for image in images[:4]]
        verdicts = remote.verify(query, candidates)
    seen = {photo.size: photo for request in server.requests for photo in _photos_of(request)}
    sent_query, *sent = [Photo(lambda size=image.size: seen[size]) for image in images[:4]]

    local = Qwen3VLVerifier(
        str(folder), device="cpu", query_tokens=32, candidate_tokens=32, prompt_style=style, both_orders=both_orders
    )
    for verdict, expected in zip(verdicts, local.verify(sent_query, sent), strict=True):
        # Twenty tokens hold nearly all spellings, not all: what is left out moves a confidence by less than this.
        assert verdict.confidence == pytest.approx(expected.confidence, abs=0.01)
        assert verdict.response == expected.response
        assert verdict.is_match == expected.is_match


def test_the_beginning_of_all_requests_is_shared(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """Instructions and query come first and equal in all requests of a query, so that servers can reuse them."""
    with ChatServer(likely("yes", ("yes", -0.1), ("no", -3.0))) as server:
        verifier = connect(server, api_key="secret", top_logprobs=5)
        verifier.verify(as_photo(images[0]), list(map(as_photo, images[1:4])))
    contents = [request["messages"] for request in server.requests]
    beginnings = {json.dumps([messages[0], messages[1]["content"][:3]]) for messages in contents}
    assert len(beginnings) == 1
    assert [part["type"] for part in contents[0][1]["content"]] == ["text", "image_url", "text", "image_url", "text"]
    for request, headers in zip(server.requests, server.headers, strict=True):
        assert headers["Authorization"] == "Bearer secret"
        assert {key: request[key] for key in ("model", "max_tokens", "temperature", "logprobs", "top_logprobs")} == {
            "model": "tiny",
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": 5,
        }


def test_photos_are_sent_within_their_budgets(as_photo: AsPhoto, connect: Connect):
    """Large photos are sent reduced, each to its own budget, and small ones as large as they are."""
    with ChatServer(likely("yes", ("yes", -0.1), ("no", -3.0))) as server:
        verifier = connect(server, query_pixels=40_000, candidate_pixels=10_000)
        photos = [Image.new("RGB", size) for size in ((2000, 1000), (1000, 2000), (50, 40))]
        verifier.verify(as_photo(photos[0]), list(map(as_photo, photos[1:])))
    sizes = {tuple(photo.size for photo in _photos_of(request)) for request in server.requests}
    assert sizes == {((283, 141), (71, 141)), ((283, 141), (50, 40))}


@pytest.mark.parametrize(
    ("top", "confidence"),
    [
        ([("yes", math.log(0.6)), ("no", math.log(0.2)), ("maybe", math.log(0.1))], 0.75),
        ([("Yes", math.log(0.3)), (" yes", math.log(0.3)), ("NO", math.log(0.2))], 0.75),
        ([("yes", math.log(0.9)), ("maybe", math.log(0.1))], 0.9),
        ([("no", math.log(0.9)), ("maybe", math.log(0.1))], 0.1),
        ([("maybe", math.log(0.9)), ("well", math.log(0.1))], 0.0),
    ],
)
def test_likeliest_words_are_weighed(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, top: list[tuple[str, float]], confidence: float
):
    """All listed spellings count; an answer not listed counts as the least likely listed; neither is no yes."""
    with ChatServer(likely(top[0][0], *top)) as server:
        (verdict,) = connect(server).verify(as_photo(images[0]), [as_photo(images[1])])
    assert verdict.confidence == pytest.approx(confidence)


@pytest.mark.parametrize("body", [completion("yes"), completion("yes", [("yes", -0.1)])])
def test_a_server_without_probabilities_is_refused(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, body: Any
):
    """Without probabilities there is no verdict by default, and the error names the setting that changes that."""
    with ChatServer(lambda _request: (200, body)) as server:
        verifier = connect(server)
        with pytest.raises(BackendUnavailable, match=r"no probabilities.*set answers_from to 'words'"):
            verifier.verify(as_photo(images[0]), [as_photo(images[1])])


@pytest.mark.parametrize(
    ("text", "confidence", "is_match"),
    [("**Yes**, the same gate.", 0.8, True), ("No.", 0.2, False), ("Hard to tell.", 0.0, False)],
)
def test_words_alone_have_a_fixed_worth(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, text: str, confidence: float, is_match: bool
):
    """Set to words, a yes and a no are worth what the setting says, and anything else is no yes."""
    with ChatServer(lambda _request: (200, completion(text))) as server:
        verifier = connect(server, answers_from="words", word_confidence=0.8)
        (verdict,) = verifier.verify(as_photo(images[0]), [as_photo(images[1])])
    assert (verdict.confidence, verdict.is_match) == (pytest.approx(confidence), is_match)
    assert "logprobs" not in server.requests[0]


def test_reasons_are_a_turn_of_their_own(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """The detailed style asks for reasons first, shows them to the model again, and then asks for the word."""

    def answer(request: dict[str, Any]) -> tuple[int, Any]:
        if request.get("logprobs"):
            return 200, completion("no", [("no", -0.1), ("yes", -3.0)])
        return 200, completion("The lions differ.")

    with ChatServer(answer) as server:
        verifier = connect(server)
        (verdict,) = verifier.verify(as_photo(images[0]), [as_photo(images[1])], prompt_style="detailed")

    assert verdict.response == "The lions differ.\nAnswer: no"
    assert server.requests[0]["max_tokens"] == 220
    assert server.requests[1]["messages"][2] == {"role": "assistant", "content": "The lions differ."}
    assert server.requests[1]["messages"][3]["content"].startswith("Conclude from this comparison")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"error": "no"}, "refused the API key"),
        (404, {"error": "no"}, "has no model 'tiny' or no chat completions at /v1/chat/completions"),
        (400, {"error": "image too large"}, "refused with HTTP 400.*image too large"),
        (503, b"busy", "refused with HTTP 503: busy"),
        (200, b"<html>", "not JSON"),
        (200, [], "not a chat completion"),
        (200, {"choices": [{"message": "yes"}]}, "not a chat completion"),
    ],
)
def test_refusals_are_reported(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, status: int, body: Any, message: str
):
    """Whatever a server answers instead of a completion becomes one error that says what it was."""
    with ChatServer(lambda _request: (status, body)) as server:
        verifier = connect(server, api_key="secret")
        with pytest.raises(BackendUnavailable, match=message) as failure:
            verifier.verify(as_photo(images[0]), list(map(as_photo, images[1:])))
    assert "secret" not in str(failure.value)


def test_a_server_that_is_down_is_reported(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """A refused connection is reported with the address and a question worth asking."""
    with ChatServer(likely("yes")) as server:
        url = server.url
    with pytest.raises(BackendUnavailable, match=r"server 127\.0\.0\.1:\d+ cannot be reached.*is it running"):
        connect(url).verify(as_photo(images[0]), [as_photo(images[1])])


def test_a_server_that_hangs_is_given_up(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """A request that takes longer than allowed ends with an error."""
    over = Event()

    def hang(_request: dict[str, Any]) -> tuple[int, Any]:
        over.wait(10)
        return 200, {}

    with ChatServer(hang) as server:
        verifier = connect(server, timeout_s=0.2)
        with pytest.raises(BackendUnavailable, match="did not answer in time"):
            verifier.verify(as_photo(images[0]), [as_photo(images[1])])
        over.set()


def test_requests_in_flight_are_bounded(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """Pairs are asked about side by side, and never more of them than allowed."""
    side_by_side, lock = Barrier(3), Lock()
    in_flight = most = 0

    def answer(_request: dict[str, Any]) -> tuple[int, Any]:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        # Passed only when three requests are here at once.
        side_by_side.wait(10)
        with lock:
            in_flight -= 1
        return 200, completion("yes", [("yes", -0.1), ("no", -3.0)])

    with ChatServer(answer) as server:
        verifier = connect(server, concurrency=3)
        verdicts = verifier.verify(as_photo(images[0]), list(map(as_photo, images[1:7])))
    assert len(verdicts) == 6
    assert most == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "localhost:8000"}, "is not a web address; accepted: like http://127.0.0.1:8000/v1"),
        ({"url": "http://[::1"}, "malformed|not a web address"),
        ({"model": ""}, "model is empty"),
        ({"answers_from": "vibes"}, "answers_from is 'vibes'; accepted: logprobs, words"),
        ({"word_confidence": 0.4}, "word_confidence is 0.4"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"timeout_s": -1}, "timeout_s is -1"),
        ({"query_pixels": 0}, "query_pixels is 0"),
        ({"prompt_style": "poetic"}, "unknown prompt style"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, Any], message: str):
    """A setting outside its range is refused by name."""
    with pytest.raises(InvalidRequest, match=message):
        OpenAICompatibleVerifier(**{"url": "http://127.0.0.1:1/v1", "model": "tiny"} | options)


@pytest.mark.parametrize(
    "urls",
    [
        "ftp://user:hidden@host/v1",
        "http://user:hidden@host:port/v1",
        ["http://user:hidden@host:1/v1", "http://user:hidden@host:1/v1"],
    ],
)
def test_a_refused_url_shows_no_password(urls: str | list[str]):
    """What is wrong with a URL is said without the URL."""
    with pytest.raises(InvalidRequest, match="accepted") as refusal:
        OpenAICompatibleVerifier(urls, "tiny")

    assert "hidden" not in str(refusal.value)


def _photos_of(request: dict[str, Any]) -> list[Image.Image]:
    parts = request["messages"][1]["content"]
    return [read_data_uri(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
