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

from core.errors import BackendUnavailable, InvalidRequest, NoVerdict
from core.results import Photo
from core.verifiers.chat.openai_compatible import OpenAICompatibleVerifier
from core.verifiers.prompting.styles import load_styles
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from core.verifiers.views import as_candidate

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


def test_photos_of_a_place_are_sent_in_one_request(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """A place of three photos and one of a single photo are a request each, in the words for their numbers."""
    style = load_styles()["simple"]
    with ChatServer(likely("yes", ("yes", -0.1), ("no", -3.0))) as server:
        verifier = connect(server, views_together=3)
        query, *photos = map(as_photo, images[:5])
        verdicts = verifier.verify(query, [as_candidate(photos[:3]), photos[3]])
    contents = {
        len(_photos_of(request)): [part.get("text") for part in request["messages"][1]["content"]]
        for request in server.requests
    }

    assert len(verdicts) == len(server.requests) == 2
    assert contents[2] == [style.query_label, None, f"\n{style.candidate_label}", None, f"\n{style.cue}"]
    assert contents[4] == [style.query_label, None, f"\n{style.views_label}", *[None] * 3, f"\n{style.views_cue}"]
    assert "; up to 3 photos of a place together; asked in simple " in verifier.fingerprint


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
        ([("ĠYes", math.log(0.6)), ("ĠNo", math.log(0.2)), ("Ġmaybe", math.log(0.1))], 0.75),
        ([("▁Yes", math.log(0.6)), ("▁No", math.log(0.2)), ("▁maybe", math.log(0.1))], 0.75),
        ([("Yes.", math.log(0.6)), ("No.", math.log(0.2)), ("**", math.log(0.1))], 0.75),
        ([("yes", math.log(0.5)), ("yes", math.log(0.5)), ("no", math.log(0.5))], 0.5),
        ([("yes", math.log(0.6)), ("no", math.log(0.2)), ("zzz", None)], 0.75),
        ([("yes", 0.0), ("no", -9999.0)], 1.0),
        ([("yes", 0.0), ("no", -math.inf)], 1.0),
    ],
)
def test_likeliest_words_are_weighed(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, top: list[tuple[str, float]], confidence: float
):
    """All listed spellings count once, however they are written; an answer not listed counts as the least likely."""
    with ChatServer(likely(top[0][0], *top)) as server:
        (verdict,) = connect(server).verify(as_photo(images[0]), [as_photo(images[1])])
    assert verdict.confidence == pytest.approx(confidence)


@pytest.mark.parametrize(
    ("chosen", "others", "confidence"),
    [
        (("no", -0.01), [("yes", -5.0), ("Yes", -6.0), ("maybe", -7.0)], 0.009),
        (("yes", -0.01), [("no", -5.0), ("No", -6.0), ("maybe", -7.0)], 0.991),
    ],
)
def test_the_chosen_word_counts_where_it_is_not_repeated(
    images: list[Image.Image],
    as_photo: AsPhoto,
    connect: Connect,
    chosen: tuple[str, float],
    others: list[tuple[str, float]],
    confidence: float,
):
    """Some servers list only the alternatives to the word they chose; the chosen one is the answer all the same."""
    body = completion(chosen[0], others)
    body["choices"][0]["logprobs"]["content"][0] |= {"token": chosen[0], "logprob": chosen[1]}
    with ChatServer(lambda _request: (200, body)) as server:
        (verdict,) = connect(server).verify(as_photo(images[0]), [as_photo(images[1])])
    assert verdict.confidence == pytest.approx(confidence, abs=0.001)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (completion("maybe", [("maybe", math.log(0.9)), ("well", math.log(0.1))]), "began with 'maybe'"),
        (completion("<think>", [("<think>", -0.001), ("Okay", -8.0), ("yes", -9.0), ("no", -9.5)]), "enable_thinking"),
        (completion("maybe", [("maybe", 0.0), ("yes", -math.inf), ("no", -math.inf)]), "neither yes nor no"),
        (completion("yes", [("yes", math.nan), ("no", math.nan)]), "no numbers"),
        (completion("yes", [("yes", math.inf), ("no", 0.0)]), "no numbers"),
        (completion("token_id:9693", [("token_id:9693", -0.05), ("token_id:2152", -3.0)]), "token-ids"),
        ({"error": {"message": "context length is 2048"}}, "context length is 2048"),
    ],
)
def test_what_is_neither_yes_nor_no_is_no_verdict(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, body: Any, message: str
):
    """A reply of which yes and no are only noise, or no numbers, is reported and never a confidence."""
    with ChatServer(lambda _request: (200, body)) as server, pytest.raises(NoVerdict, match=message):
        connect(server).verify(as_photo(images[0]), list(map(as_photo, images[1:3])))


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ({"content": ""}, "empty"),
        ({"content": "", "reasoning": "Got it, both photos"}, "still thinking"),
        ({"content": None, "reasoning_content": "Got it, yes"}, "still thinking"),
        ({"content": "<think>Got it, both show the same tower yes"}, "neither yes nor no"),
        ({"content": "I'm sorry, I can't help with that."}, "neither yes nor no"),
        ({"content": "Hard to tell."}, "neither yes nor no"),
    ],
)
def test_words_that_say_neither_are_no_verdict(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, message: dict[str, Any], cause: str
):
    """Set to words as well, what says neither yes nor no is no silent no."""
    body = {"choices": [{"message": message, "finish_reason": "length"}]}
    with ChatServer(lambda _request: (200, body)) as server, pytest.raises(NoVerdict, match=cause):
        connect(server, answers_from="words").verify(as_photo(images[0]), [as_photo(images[1])])


def test_other_forms_of_probabilities_are_read(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """The form of the older completions, and llama.cpp's of old, say the same."""
    older = completion("yes")
    older["choices"][0]["logprobs"] = {
        "tokens": ["yes"],
        "token_logprobs": [math.log(0.75)],
        "top_logprobs": [{"yes": math.log(0.75), "no": math.log(0.25)}],
    }
    probs = [{"tok_str": "yes", "prob": 0.75}, {"tok_str": "no", "prob": 0.25}]
    llama = completion("yes") | {"completion_probabilities": [{"content": "yes", "probs": probs}]}
    for body in (older, llama):
        with ChatServer(lambda _request, body=body: (200, body)) as server:
            (verdict,) = connect(server).verify(as_photo(images[0]), [as_photo(images[1])])
        assert verdict.confidence == pytest.approx(0.75)


def test_a_refused_pair_costs_no_other_its_verdict(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """Where a server refuses one candidate of three, the other two are judged."""
    refused = []

    def refuse_portraits(request: dict[str, Any]) -> tuple[int, Any]:
        photo = _photos_of(request)[1]
        if photo.height > photo.width:
            refused.append(photo.size)
            return 400, {"error": {"message": "data_inspection_failed"}}
        return 200, completion("yes", [("yes", -0.1), ("no", -3.0)])

    with ChatServer(refuse_portraits) as server:
        verdicts = connect(server).verify(as_photo(images[0]), list(map(as_photo, images[:3])))
    assert [verdict and verdict.is_match for verdict in verdicts] == [True, None, True]
    assert len(refused) == 1


def test_tiny_photos_are_enlarged(as_photo: AsPhoto, connect: Connect):
    """No side of a photo is sent shorter than a model's tile."""
    with ChatServer(likely("yes", ("yes", -0.1), ("no", -3.0))) as server:
        strip, dot = Image.new("RGB", (300, 20)), Image.new("RGB", (3, 1))
        connect(server).verify(as_photo(strip), [as_photo(dot)])
    assert [photo.size for photo in _photos_of(server.requests[0])] == [(480, 32), (96, 32)]


def test_fields_of_a_request_are_the_operators(images: list[Image.Image], as_photo: AsPhoto, connect: Connect):
    """Thinking is switched off, and what a server does not take is left out, by an option; the conversation is ours."""
    options = {"chat_template_kwargs": {"enable_thinking": False}, "temperature": None, "max_completion_tokens": 1}
    with ChatServer(likely("yes", ("yes", -0.1), ("no", -3.0))) as server:
        verifier = connect(server, request_options=options)
        verifier.verify(as_photo(images[0]), [as_photo(images[1])])
        assert verifier.fingerprint != connect(server).fingerprint
    (request,) = server.requests
    assert request["chat_template_kwargs"] == {"enable_thinking": False}
    assert request["max_completion_tokens"] == 1
    assert "temperature" not in request
    with pytest.raises(InvalidRequest, match="request_options sets messages"):
        connect("http://127.0.0.1:1/v1", request_options={"messages": []})


@pytest.mark.parametrize("key", ["sk-SECRET\x00-123", "sk-SECRET 123", "sk-SECRET\n123", "sk-SECRET密", "", "  "])
def test_a_key_that_no_header_may_hold_is_refused_without_it(key: str):
    """Refused when it is read, and not shown."""
    with pytest.raises(InvalidRequest, match=r"api_key is no key.*accepted: printable ASCII") as refusal:
        OpenAICompatibleVerifier("http://127.0.0.1:1/v1", "tiny", api_key=key)
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t"])
def test_blanks_around_a_key_are_taken_off(images: list[Image.Image], as_photo: AsPhoto, connect: Connect, around: str):
    """Files of secrets end with a line end, and copying adds blanks."""
    with ChatServer(likely("yes", ("yes", -0.1), ("no", -3.0))) as server:
        connect(server, api_key=f"{around}sk-1{around}").verify(as_photo(images[0]), [as_photo(images[1])])
    assert server.headers[0]["Authorization"] == "Bearer sk-1"


def test_a_server_that_repeats_the_key_does_not_spread_it(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect
):
    """What a server says in a refusal is passed on without the key."""
    with ChatServer(lambda _request: (400, {"error": "bad key sk-SECRET-123"})) as server:
        verifier = connect(server, api_key="sk-SECRET-123")
        with pytest.raises(BackendUnavailable, match=r"bad key \*\*\*"):
            verifier.verify(as_photo(images[0]), [as_photo(images[1])])


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
    [("**Yes**, the same gate.", 0.8, True), ("No.", 0.2, False), ("<|begin_of_box|>yes<|end_of_box|>", 0.8, True)],
)
def test_words_alone_have_a_fixed_worth(
    images: list[Image.Image], as_photo: AsPhoto, connect: Connect, text: str, confidence: float, is_match: bool
):
    """Set to words, a yes and a no are worth what the setting says."""
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
        ({"views_together": 0}, "views_together is 0; accepted: 1 to 8"),
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
