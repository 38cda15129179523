"""Requests passed on to the retrieval service as they come, and its answers as they come back."""

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
from serving.roles import Role

GatewayDependency = Annotated[Gateway, Depends(get_gateway)]

_UNQUOTED = "/:@!$&'()*+,;=~"

# Everything else belongs to one hop, or is nobody's business behind the gateway.
_REQUEST_HEADERS = ("content-type", "content-length", "accept", "if-match", "if-none-match", "if-modified-since")
_RESPONSE_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-type",
    "etag",
    "last-modified",
    "retry-after",
    "x-content-type-options",
    TRASH_ID_HEADER.lower(),
)


def _quoted(path: str) -> str:
    """Encode a path that arrived decoded: names may hold ``%`` and ``?``, or be ``..``, which clients would resolve."""
    segments = quote(path, safe=_UNQUOTED).split("/")
    return "/".join(part.replace(".", "%2E") if part in (".", "..") else part for part in segments)


async def forward(
    request: Request,
    gateway: Gateway,
    *,
    body: bytes | None = None,
    timeout_s: float | None = None,
    is_repeatable: bool = True,
) -> Response:
    """Answer with what the retrieval service answers to the same request.

    Args:
        request: to pass on; the body of a POST is streamed through unless ``body`` is given.
        gateway: the running gateway.
        body: already read, instead of the request's own: JSON, or empty.
        timeout_s: until the answer begins; None is the setting for searches.
        is_repeatable: whether it may be passed on once more; a deletion never is, as it would not be found again, nor a
            change of what was read, which would seem to have been changed by somebody else.

    Raises:
        ServiceError: the service cannot be reached, or its answer does not begin in time.
        ServiceRefused: it cannot answer a visitor at the moment.
    """
    hung_up = False
    # A header that is no ASCII says nothing to anybody, and the client would refuse to send it.
    sent = {name: value for name in _REQUEST_HEADERS if (value := request.headers.get(name)) and value.isascii()}
    if body:
        sent["content-type"] = "application/json"  # whatever the caller calls it, or does not

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
            _quoted(request.scope["path"]),
            query=request.url.query,
            headers=sent,
            body=stream_body() if request.method == "POST" and body is None else body,
            timeout_s=timeout_s,
            is_repeatable=is_repeatable and request.method != "DELETE" and "if-match" not in request.headers,
        )
    except Exception as exc:
        # Sockets and the transport within one process each make something else of a body that breaks off.
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
        headers["connection"] = "close"  # said by the service to its caller, and meant for ours
    return StreamingResponse(
        answer.aiter_raw(),
        answer.status_code,
        headers,
        background=BackgroundTask(answer.aclose),
    )
