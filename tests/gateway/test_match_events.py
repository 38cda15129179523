"""A match told in events: what is known comes before the answer is, over ASGI and over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn
from bad_photos import GOOD_PHOTO
from in_process import AppClient, error_of
from played_services import BUSY, FOUND, VERIFIED, gateway, keeping_matches, never, refuses, says

from gateway.app import ServiceTransports, create_app
from gateway.settings import GatewaySettings
from serving.connections import TimeoutProtocol

EVENTS = {"Accept": "text/event-stream"}
FILES = {"file": ("q.jpg", GOOD_PHOTO)}
REFUSAL = {"error": {"code": "invalid_request", "message": "no", "accepted": "yes", "field": "f"}}

Event = tuple[str, dict[str, Any]]


def parse(text: str) -> list[Event]:
    """The events of a stream, name and data."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.split("\n\n") if block]
    return [(block["event"], json.loads(block["data"])) for block in blocks]


def ask(client: AppClient, accept: str = "text/event-stream", **fields: str) -> httpx.Response:
    """Ask about a photo, for events."""
    return client.post("/match", files=FILES, data=fields, headers={"Accept": accept})


def names(answer: httpx.Response) -> list[str]:
    """What happened, in order."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [name for name, _ in parse(answer.text)]


def test_the_events_lead_to_the_answer_that_others_get_whole(filled: AppClient):
    """Candidates without verdicts, one verdict for each, then the reply of a plain request."""
    events = parse(ask(filled, explain="true").text)
    plain = filled.post("/match", files=FILES, data={"explain": "true"}).json()

    candidates, *verdicts, (last, reply) = events
    assert (candidates[0], {name for name, _ in verdicts}, last) == ("candidates", {"verdict"}, "result")
    assert candidates[1]["verifying"]
    assert [candidate["verdict"] for candidate in candidates[1]["candidates"]] == [None] * 5
    assert [body["image_id"] for _, body in verdicts] == [candidate["image_id"] for candidate in reply["candidates"]]
    assert candidates[1]["request_id"] == reply["request_id"]
    changing = {"request_id", "timings_ms", "cpu_ms"}
    assert {k: v for k, v in reply.items() if k not in changing} == {
        k: v for k, v in plain.items() if k not in changing
    }


def test_without_verification_the_answer_follows_the_candidates(filled: AppClient):
    """Nothing is compared closely, and the first event says so."""
    answer = ask(filled, verify="false")

    assert names(answer) == ["candidates", "result"]
    assert parse(answer.text)[0][1]["verifying"] is False


@pytest.mark.parametrize(
    ("accept", "is_stream"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream;q=0.9, application/json;q=0.1", True),
        ("application/json", False),
        ("*/*", False),
    ],
)
def test_events_are_for_those_who_name_them(accept: str, is_stream: bool):
    """The Accept header decides; whoever takes anything gets the plain answer."""
    with gateway() as client:
        answer = ask(client, accept)

    assert answer.headers["content-type"].startswith("text/event-stream") is is_stream


def test_a_stream_is_passed_on_at_once_and_kept_by_nobody():
    """Its headers tell caches and gathering proxies so, and it has the headers of every answer."""
    with gateway() as client:
        headers = ask(client).headers

    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert "content-length" not in headers
    assert headers["x-request-id"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("retrieval", "status", "code"),
    [
        (refuses, 503, "retrieval_unavailable"),
        (never, 504, "deadline_exceeded"),
        (says(REFUSAL, 422), 422, "invalid_request"),
        (says(BUSY, 503), 503, "overloaded"),
    ],
    ids=["down", "slow", "refused", "busy"],
)
def test_what_fails_before_the_first_event_has_its_status(retrieval: Callable[..., Any], status: int, code: str):
    """No stream is begun that could only say that there is none."""
    with gateway(retrieval, retrieval_timeout_s=0.05) as client:
        answer = ask(client)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


def test_a_body_that_is_no_photo_form_is_refused_as_ever():
    """Accepting events changes nothing about what is accepted."""
    with gateway() as client:
        answer = client.post("/match", content=b"photo", headers=EVENTS)

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("verifier", [refuses, never, says({}, 500), says(BUSY, 503)])
def test_without_a_verifier_the_result_is_retrievals(verifier: Callable[..., Any]):
    """The fallback is the plain answer's: no verdicts, an unverified result."""
    with gateway(verifier=verifier, verifier_timeout_s=0.05) as client:
        answer = ask(client)

    assert names(answer) == ["candidates", "result"]
    assert parse(answer.text)[-1][1]["verification"] == "unavailable"


@pytest.mark.parametrize(
    ("verifier", "settings", "error"),
    [
        (says(REFUSAL, 422), {}, REFUSAL["error"]),
        (refuses, {"require_verification": True}, {"code": "verifier_unavailable"}),
    ],
    ids=["refused", "required and down"],
)
def test_what_fails_later_is_the_last_event(verifier: Callable[..., Any], settings: Any, error: dict[str, str]):
    """The one error body, as an event."""
    with gateway(verifier=verifier, **settings) as client:
        answer = ask(client)

    assert names(answer) == ["candidates", "error"]
    assert error.items() <= parse(answer.text)[-1][1]["error"].items()


@pytest.mark.parametrize(
    ("headers", "settings"),
    [({"X-Request-Timeout-S": "0.3"}, {}), ({}, {"longest_match_s": 0.01})],
    ids=["the caller's", "the match's own"],
)
def test_a_stream_whose_time_is_over_ends_with_an_answer(headers: dict[str, str], settings: dict[str, float]):
    """The deadline holds: retrieval's answer comes within it."""
    with gateway(verifier=never, **settings) as client:
        answer = client.post("/match", files=FILES, headers=EVENTS | headers)

    assert parse(answer.text)[-1][1]["verification"] == "unavailable"


def test_a_streamed_answer_is_counted_and_kept_like_another(filled: AppClient):
    """Metrics see it, and feedback can be given on it."""
    reply = parse(ask(filled).text)[-1][1]

    said = filled.post("/feedback", json={"request_id": reply["request_id"], "verdict": "right"})
    metrics = filled.get("/metrics").text

    assert said.status_code == 200
    assert "matcher_matches_total{" in metrics


class HeldVerifier:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Wait, then answer."""
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        return httpx.Response(200, json=VERIFIED)


@asynccontextmanager
async def served(verifier: HeldVerifier) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway behind a real socket, and a client of it that accepts compression."""

    @asynccontextmanager
    async def services() -> AsyncIterator[ServiceTransports]:
        yield ServiceTransports(httpx.MockTransport(keeping_matches(says(FOUND))), httpx.MockTransport(verifier))

    app = create_app(GatewaySettings(), services=services)
    http: Any = partial(TimeoutProtocol, stall_s=20, unread_s=20)
    server = uvicorn.Server(uvicorn.Config(app, http=http, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=address, headers={"Accept-Encoding": "gzip"}, timeout=20) as client:
                yield client
        finally:
            server.should_exit = True
            await serving


async def next_event(lines: AsyncIterator[str]) -> Event:
    """Read on until an event is complete."""
    block = [await anext(lines)]
    while block[-1]:
        block.append(await anext(lines))
    return parse("\n".join(block) + "\n")[0]


def test_over_a_socket_the_candidates_come_while_verification_still_runs():
    """Neither compression nor the server holds an event back."""

    async def scenario() -> None:
        verifier = HeldVerifier()
        async with served(verifier) as http, http.stream("POST", "/match", files=FILES, headers=EVENTS) as answer:
            lines = answer.aiter_lines()
            assert (await next_event(lines))[0] == "candidates"
            assert not verifier.go_on.is_set()
            verifier.go_on.set()
            assert [(await next_event(lines))[0] for _ in range(2)] == ["verdict", "result"]
            assert "content-encoding" not in answer.headers

    asyncio.run(scenario())


def test_who_hangs_up_after_the_candidates_has_the_verification_stopped():
    """A closed stream is work for nobody."""

    async def scenario() -> None:
        verifier = HeldVerifier()
        async with served(verifier) as http:
            async with http.stream("POST", "/match", files=FILES, headers=EVENTS) as answer:
                assert (await next_event(answer.aiter_lines()))[0] == "candidates"
            async with asyncio.timeout(20):
                await verifier.was_cancelled.wait()

    asyncio.run(scenario())


def test_over_asgi_the_candidates_come_while_verification_still_runs():
    """The application itself sends each event as it happens."""

    async def scenario(client: AppClient, verifier: HeldVerifier) -> list[str]:
        request = httpx.Request("POST", "http://localhost/match", files=FILES, headers=EVENTS)
        incoming = [{"type": "http.request", "body": request.read(), "more_body": False}]
        sent: list[bytes] = []

        async def receive() -> dict[str, Any]:
            if not incoming:
                await asyncio.Event().wait()  # nobody hangs up
            return incoming.pop()

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))
            if b"event: candidates" in sent[-1]:
                verifier.go_on.set()

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/match", "raw_path": b"/match", "query_string": b"", "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        }  # fmt: skip
        async with asyncio.timeout(20):
            await client.app(scope, receive, send)
        return [name for name, _ in parse(b"".join(sent).decode())]

    verifier = HeldVerifier()
    with gateway(verifier=verifier) as client:
        assert client.call(scenario, client, verifier) == ["candidates", "verdict", "result"]
