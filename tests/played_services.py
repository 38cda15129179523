"""A gateway alone, its services played."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
from in_process import AppClient

from gateway.app import ServiceTransports, create_app
from gateway.settings import GatewaySettings

Answer = Callable[[httpx.Request], Any]

PLACE = {"id": "p", "name": "Vase"}
IMAGE = {
    "id": "i", "collection": "default", "place": PLACE, "filename": "a.jpg", "media_type": "image/jpeg",
    "width": 4, "height": 3, "bytes": 10, "content_hash": "00", "added_at": "2026-01-01T00:00:00Z",
    "file_url": "/index/images/i/file", "preview_url": "/index/images/i/preview",
}  # fmt: skip
FOUND = {
    "candidates": [{"image": IMAGE, "similarity": 0.7, "rank": 1}],
    "decision": {"matched": True, "confidence": 0.6, "reason": "clear enough"},
    "encoder": "played",
    "query_width": 4,
    "query_height": 3,
    "timings_ms": {"total": 1.0},
}
VERIFIED = {
    "ranking": [{"image_id": "i", "verdict": {"is_match": True, "confidence": 0.9, "response": "yes"}}],
    "matched": True,
    "confidence": 0.9,
    "reason": "verified",
    "verifier": "played",
    "timings_ms": {"total": 1.0},
}
BUSY = {"error": {"code": "overloaded", "message": "busy", "accepted": None, "field": None}}


def says(body: Any, status: int = 200, **headers: str) -> Answer:
    """A service that always answers this."""
    return lambda request: httpx.Response(status, json=body, headers=headers)


def refuses(request: httpx.Request) -> httpx.Response:
    """A service that is not there."""
    raise httpx.ConnectError("connection refused")


async def never(request: httpx.Request) -> httpx.Response:
    """A service that takes for ever."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def talks_nonsense(request: httpx.Request) -> httpx.Response:
    """A service that answers 200 with something else."""
    return httpx.Response(200, text="<html>hello</html>")


def keeping_matches(retrieval: Answer) -> Answer:
    """A retrieval service that is told of matches, and otherwise answers as said."""

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/matches":
            return httpx.Response(200, json={"recorded": 1})
        answer = retrieval(request)
        return await answer if isinstance(answer, Awaitable) else answer

    return answer


@contextmanager
def gateway(retrieval: Answer = says(FOUND), verifier: Answer = says(VERIFIED), **settings: Any) -> Iterator[AppClient]:
    """The real gateway over played services."""

    @asynccontextmanager
    async def services() -> AsyncIterator[ServiceTransports]:
        yield ServiceTransports(httpx.MockTransport(keeping_matches(retrieval)), httpx.MockTransport(verifier))

    with AppClient(create_app(GatewaySettings(**settings), services=services)) as client:
        yield client
