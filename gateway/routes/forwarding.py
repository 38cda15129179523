"""Forwards requests to the retrieval service, and its answers to the caller."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request, Response
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from clients.errors import ServiceRefused
from contracts.trash import TRASH_ID_HEADER
from gateway.dependencies import Gateway, get_gateway
from serving.idempotency import KEY_HEADER, REPLAYED_HEADER
from serving.roles import Role

GatewayDependency = Annotated[Gateway, Depends(get_gateway)]

VERSION_PREFIX = "/v1"
"""Every documented route is also below this path, which names the version of the API."""

_UNQUOTED = "/:@!$&'()*+,;=~"

# All other headers belong to one hop, or must not pass the gateway.
_REQUEST_HEADERS = (
    "content-type",
    "content-length",
    "accept",
    "accept-language",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-range",
    "range",
    KEY_HEADER.lower(),
)
_RESPONSE_HEADERS = (
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "retry-after",
    "vary",
    "x-content-type-options",
    TRASH_ID_HEADER.lower(),
    REPLAYED_HEADER.lower(),
)


def _quoted(path: str) -> str:
    """Encode a path again that arrived decoded: names may hold ``%`` and ``?``, or be ``..``, which clients resolve."""
    segments = quote(path, safe=_UNQUOTED).split("/")
    return "/".join(part.replace(".", "%2E") if part in (".", "..") else part for part in segments)


async def forward(
    request: Request,
    gateway: Gateway,
    *,
    query: str,
    body: bytes | None = None,
    timeout_s: float | None = None,
    is_repeatable: bool = True,
) -> Response:
    """Forward a request to the retrieval service and return its answer.

    Args:
        request: to forward; the body of a POST or PUT is streamed unless ``body`` is given.
        gateway: the running gateway.
        query: of the address, encoded.
        body: a body that has been read: JSON, or empty.
        timeout_s: until the answer begins; None is the setting for searches.
        is_repeatable: whether it may be sent again after a broken connection. Never for a deletion, whose target would
            be gone, and a change with ``If-Match``, whose ETag would be outdated.

    Raises:
        ServiceError: the service cannot be reached, or its answer does not begin in time.
        ServiceRefused: it cannot answer a visitor at the moment.
    """
    hung_up = False
    # The client refuses to send headers that are not ASCII.
    sent = {name: value for name in _REQUEST_HEADERS if (value := request.headers.get(name)) and value.isascii()}
    if body:
        sent["content-type"] = "application/json"  # also if the caller sent another type, or none

    async def stream_body() -> AsyncIterator[bytes]:
        nonlocal hung_up
        try:
            async for chunk in request.stream():
                yield chunk
        except ClientDisconnect:
            hung_up = True
            raise

    try:
        answer = await gateway.pipeline.retrieval.forward(
            request.method,
            _quoted(request.scope["path"].removeprefix(VERSION_PREFIX)),
            query=query,
            headers=sent,
            body=stream_body() if request.method in ("POST", "PUT") and body is None else body,
            timeout_s=timeout_s,
            is_repeatable=is_repeatable and request.method != "DELETE" and "if-match" not in request.headers,
        )
    except Exception as exc:
        # Sockets and the in-process transport raise different errors for a body that breaks off.
        if hung_up:
            raise ClientDisconnect from exc
        raise
    if answer.status_code == 503 and request.state.identity.role < Role.MANAGE:
        try:
            raise ServiceRefused(503, await answer.aread(), answer.headers.get("retry-after"))
        finally:
            await answer.aclose()
    headers = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
    if answer.status_code == 408:
        headers["connection"] = "close"  # the service closes the connection, so the caller's must be closed too
    return StreamingResponse(
        answer.aiter_raw(),
        answer.status_code,
        headers,
        background=BackgroundTask(answer.aclose),
    )
