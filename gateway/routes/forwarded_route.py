"""A route that the retrieval service answers, as the gateway sees it."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from serving.roles import Role


@dataclass(frozen=True, slots=True)
class Forwarded:
    """One route.

    Attributes:
        method: of HTTP.
        path: the same at the gateway and the service.
        name: of the operation in the OpenAPI document.
        role: required of the caller.
        reply: its model, or the media type of a file; None without a body.
        fails: the service's error statuses; the gateway adds its own.
        summary: the same as the service's.
        description: for callers.
        status: of success.
        params: model of the query.
        body: model of the JSON body, which is read here, up to ``most_bytes``, before it is forwarded.
        most_bytes: see ``body``.
        streamed: OpenAPI of the body, which is forwarded unread.
        is_conditional: whether it accepts ``If-Match``.
        leaves_out_hidden: whether hidden places are for staff only; others are answered as with ``hidden=false``.
        speaks: whether its texts follow ``Accept-Language``.
        is_long: whether it has the timeout of an upload.
        is_about_answers: whether recent answers are sent to the service first.
        is_repeatable: whether it can be sent again after a broken connection, with the same answer.
        accepts_key: whether it accepts ``Idempotency-Key``.
    """

    method: str
    path: str
    name: str
    role: Role
    reply: type[BaseModel] | str | None
    fails: tuple[int, ...]
    summary: str
    description: str
    status: int = 200
    params: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    most_bytes: int = 4096
    streamed: dict[str, Any] | None = None
    is_conditional: bool = False
    leaves_out_hidden: bool = False
    speaks: bool = False
    is_long: bool = False
    is_about_answers: bool = False
    is_repeatable: bool = True
    accepts_key: bool = False
