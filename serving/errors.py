"""Turns every failure into one error body, by a table from exception class to status and code.

An exception without a row is a bug: it is answered with 500 and a generic text, and its traceback is logged.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import ErrorBody, ErrorCode, ErrorDetail
from serving.observability import shown_path
from serving.secrets import without_secrets
from serving.validation import explain

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """How one class of exceptions is answered.

    Attributes:
        status: of the HTTP answer.
        code: for programs.
        accepted: what would have been accepted, if it is the same for every error of the class.
        retry_after_s: seconds after which trying again makes sense.
    """

    status: int
    code: ErrorCode
    accepted: str | None = None
    retry_after_s: int | None = None


CHALLENGE = {"WWW-Authenticate": 'Bearer realm="semantic-image-matcher"'}
"""Header of every answer that asks for a key."""

ErrorTable = Mapping[type[Exception], ErrorRow]


class ServingError(Exception):
    """Base of the errors this package raises.

    Attributes:
        accepted: what would have been accepted; None if that cannot be said.
        field: the invalid request field; None if there is none.
    """

    def __init__(self, message: str, *, accepted: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.accepted = accepted
        self.field = field


class InvalidUpload(ServingError):
    """The body is not what the route accepts: no form, no file, a damaged boundary, a field of the wrong kind."""


class UploadTooLarge(ServingError):
    """The body exceeds its byte limit; it was not read further."""


class UploadTooSlow(ServingError):
    """The body stalled or was too slow; the connection is closed after the answer."""


class Overloaded(ServingError):
    """The process has as much work as it accepts."""


class NoRoomForUploads(ServingError):
    """The process has no folder for temporary files."""


class AlreadyRunning(ServingError):
    """A job of which only one may run at a time is running already."""


class Unauthorized(ServingError):
    """The route needs a key, and no known key was sent."""


class Forbidden(ServingError):
    """The caller is known and may not do this."""


class RateLimited(ServingError):
    """The caller sends more requests than allowed.

    Attributes:
        retry_after_s: until the next one would be answered.
    """

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReady(ServingError):
    """The process is starting or stopping."""


class DeadlinePassed(ServingError):
    """The caller hung up, or its time limit has passed."""


SERVING_ERRORS: ErrorTable = {
    InvalidUpload: ErrorRow(422, ErrorCode.INVALID_REQUEST),
    UploadTooLarge: ErrorRow(413, ErrorCode.IMAGE_TOO_LARGE),
    UploadTooSlow: ErrorRow(408, ErrorCode.UPLOAD_TOO_SLOW),
    AlreadyRunning: ErrorRow(409, ErrorCode.ALREADY_RUNNING),
    Unauthorized: ErrorRow(401, ErrorCode.UNAUTHORIZED, accepted="Authorization: Bearer and a key of this server"),
    Forbidden: ErrorRow(403, ErrorCode.FORBIDDEN),
    RateLimited: ErrorRow(429, ErrorCode.RATE_LIMITED),
    Overloaded: ErrorRow(503, ErrorCode.OVERLOADED, retry_after_s=2),
    NoRoomForUploads: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE),
    NotReady: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE, retry_after_s=5),
    DeadlinePassed: ErrorRow(504, ErrorCode.DEADLINE_EXCEEDED),
}

_CODE_BY_STATUS = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED}


def install_error_table(app: FastAPI, table: ErrorTable) -> None:
    """Answer every exception of ``app`` with an ``ErrorBody``.

    Args:
        app: the application.
        table: the rows of the process, added to those of this package. A class without a row is answered like its
            nearest ancestor with one.
    """
    rows = {**SERVING_ERRORS, **table}

    async def answer_known(request: Request, exc: Exception) -> Response:
        row = find_row(rows, exc)
        if row.status >= 500:
            logger.warning("%s %s: %s: %s", request.method, shown_path(request.url.path), type(exc).__name__, exc)
        retry_after_s = getattr(exc, "retry_after_s", row.retry_after_s)
        headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else {}
        if row.status == 401:
            headers |= CHALLENGE
        if row.status == 408:
            headers["Connection"] = "close"  # RFC 9110, section 15.5.9: the rest of the request is not read
        return error_response(
            row.status,
            row.code,
            str(exc),
            accepted=getattr(exc, "accepted", None) or row.accepted,
            field=getattr(exc, "field", None),
            headers=headers,
        )

    for error_class in rows:
        app.add_exception_handler(error_class, answer_known)
    app.add_exception_handler(RequestValidationError, _answer_invalid_parameter)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_middleware(ErrorBoundary)


def find_row(table: ErrorTable, exc: Exception) -> ErrorRow:
    """Find the row of an exception's class, or of its nearest ancestor with one.

    Raises:
        LookupError: neither it nor any ancestor has a row.
    """
    for ancestor in type(exc).__mro__:
        if ancestor in table:
            return table[ancestor]
    raise LookupError(f"no row for {type(exc).__name__}")


async def answer_error(request: Request, exc: Exception) -> Response:
    """Return the answer for ``exc`` in the application of ``request``, for code that cannot raise it."""
    handlers = request.app.exception_handlers
    for ancestor in type(exc).__mro__:
        if ancestor in handlers:
            answer: Response = await handlers[ancestor](request, exc)
            return answer
    logger.error("%s %s failed unexpectedly", request.method, shown_path(request.url.path), exc_info=exc)
    return _internal_error()


def error_response(
    status: int,
    code: ErrorCode,
    message: str,
    *,
    accepted: str | None = None,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Build an error answer with the common body."""
    detail = ErrorDetail(code=code, message=without_secrets(message), accepted=accepted, field=field)
    body = ErrorBody(error=detail)
    return Response(body.model_dump_json(), status, dict(headers or {}), media_type="application/json")


class ErrorBoundary:
    """The outermost middleware inside that for logging: answers exceptions that nothing else has handled."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request; answer 500 if it fails before its answer has begun."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answering = False

        async def note_start(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self.app(scope, receive, note_start)
        except ClientDisconnect:
            logger.info("%s %s: the caller disconnected", scope["method"], shown_path(scope["path"]))
        except Exception:
            logger.exception("%s %s failed unexpectedly", scope["method"], shown_path(scope["path"]))
            if answering:
                raise
            await _internal_error()(scope, receive, send)


def _internal_error() -> Response:
    return error_response(500, ErrorCode.INTERNAL, "internal error; the server's log has the details")


async def _answer_invalid_parameter(_: Request, exc: Exception) -> Response:
    first = exc.errors()[0] if isinstance(exc, RequestValidationError) else {}
    field = ".".join(str(part) for part in first.get("loc", ())[1:]) or None
    text = explain(first) if first else "invalid request"
    # pydantic's messages are "Input should be ..." or "String should have ..."; the rest is what would be accepted.
    accepted = text.partition(" should ")[2].removeprefix("be ") or None
    message = f"{field}: {text[:1].lower()}{text[1:]}" if field else text
    if first.get("type") != "missing":
        message += f"; got {_shorten(first.get('input'))}"
    return error_response(422, ErrorCode.INVALID_REQUEST, message, accepted=accepted, field=field)


async def _answer_http_exception(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    headers = exc.headers if isinstance(exc, HTTPException) else None
    code = _CODE_BY_STATUS.get(status, ErrorCode.INTERNAL if status >= 500 else ErrorCode.INVALID_REQUEST)
    allowed = (headers or {}).get("Allow")
    if status == 404:
        return error_response(
            404, code, f"nothing is here: {shown_path(request.url.path)}", accepted="the routes listed at /docs"
        )
    if status == 405:
        message = f"{request.method} is not allowed on {shown_path(request.url.path)}"
        return error_response(405, code, message, accepted=allowed, headers=headers)
    if status == 400:
        # FastAPI's message for a body that is not text; other broken JSON is a RequestValidationError.
        return error_response(422, code, "the body is not JSON: its bytes are not text", accepted="JSON in UTF-8")
    detail = str(exc.detail) if isinstance(exc, HTTPException) else "internal error"
    return error_response(status, code, detail, headers=headers)


def _shorten(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}..."
