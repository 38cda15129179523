"""OpenAPI for what FastAPI cannot infer, because these bodies are read by hand, under limits."""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.errors import ErrorBody
from serving.roles import Role, required_role

_BINARY = {"type": "string", "format": "binary"}
_SCHEMA = "#/components/schemas/{model}"

PHOTO_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The photo itself: JPEG, PNG, WebP, AVIF or HEIC; the format is detected from the bytes.",
        "content": {"image/*": {"schema": _BINARY}},
    }
}
"""``openapi_extra`` of a route that takes a raw photo."""

AUDIO_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The recording itself: MP3, M4A (AAC), Ogg (Opus or Vorbis) or WAV; the format is detected from "
        "the bytes.",
        "content": {"audio/*": {"schema": _BINARY}},
    }
}
"""``openapi_extra`` of a route that takes a raw sound recording."""


def form_body(
    fields: type[BaseModel],
    *,
    file: str,
    several: bool = False,
    at_most: int | None = None,
    optional: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Build ``openapi_extra`` of a route that takes a multipart form.

    Args:
        fields: the text fields.
        file: what the part ``file`` holds.
        several: whether the part may be repeated.
        at_most: how many such parts are accepted.
        optional: names of further, optional file parts.
    """
    schema = _self_contained(fields)
    part: dict[str, Any] = {"type": "array", "items": _BINARY} if several else dict(_BINARY)
    if at_most is not None:
        part["maxItems"] = at_most
    properties = {"file": {**part, "description": file}, **dict.fromkeys(optional, _BINARY)}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {**properties, **schema.get("properties", {})},
                        "required": ["file", *schema.get("required", ())],
                    }
                }
            },
        }
    }


def file_answer(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Build ``responses`` of a route that answers with a file: bytes, of recordings also a part, or text."""
    content = {media_type: {"schema": {"type": "string"} if media_type.startswith("text/") else _BINARY}}
    answers: dict[int | str, dict[str, Any]] = {200: {"description": "The file.", "content": content}}
    if media_type.startswith("audio/"):
        answers[206] = {"description": "The part of the file that `Range` names.", "content": content}
    return answers


def describe_keys(app: FastAPI, *, cookie: str, strangers: Role) -> None:
    """Add to an application's document which operations need a key, and how it is sent.

    Args:
        app: requires keys.
        cookie: name of the session cookie of browsers.
        strangers: role of callers without a key.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = generate()
        document.setdefault("components", {})["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "A key of `python -m gateway.manage_keys`."},
            "session": {"type": "apiKey", "in": "cookie", "name": cookie, "description": "Set by `POST /session`."},
        }
        roles = {route.unique_id: required_role(route.endpoint) for route in app.routes if isinstance(route, APIRoute)}
        for operation in (entry for path in document["paths"].values() for entry in path.values()):
            role = roles[operation["operationId"]]
            needed: list[dict[str, list[str]]] = [{"key": []}, {"session": []}]
            operation["security"] = [] if role is Role.OPEN else needed + [{}] * (role <= strangers)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Build ``openapi_extra`` of a route that passes a JSON body on unread; ``add_schemas`` adds the model."""
    schema = {"$ref": _SCHEMA.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def add_schemas(app: FastAPI, models: Collection[type[BaseModel]]) -> None:
    """Add models to an application's document that its routes only refer to: those of ``json_body``, and of errors."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = generate()
        _, added = models_json_schema([(model, "validation") for model in models], ref_template=_SCHEMA)
        components = document.setdefault("components", {})
        components["schemas"] = dict(sorted((components.get("schemas", {}) | added["$defs"]).items()))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Build ``responses`` for the statuses a route may fail with; all have the one error body.

    ``serving.process.build_api`` adds its model to the document. FastAPI would compile a model given here once for each
    status of each route, which takes most of a start's time.
    """
    content = {"application/json": {"schema": {"$ref": _SCHEMA.format(model=ErrorBody.__name__)}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


def _self_contained(model: type[BaseModel]) -> dict[str, Any]:
    """Return the model's schema without references, because FastAPI does not list it as a component."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(child) for child in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return inline(parts[node["$ref"].rpartition("/")[2]])
        return {name: inline(child) for name, child in node.items()}

    inlined: dict[str, Any] = inline(schema)
    return inlined


_MEANINGS = {
    400: "The photo cannot be read.",
    401: "This needs a key, and the request has none or an unknown one.",
    403: "The key's role or its collections do not allow this, or a web page of another site sent it.",
    404: "No such thing.",
    408: "The upload was too slow.",
    409: "The gallery's state does not allow it.",
    412: "It has changed since it was read; read it again, then change it.",
    413: "Too large.",
    415: "Not an accepted kind of file.",
    422: "A value outside what is accepted.",
    429: "Too many requests per minute; `Retry-After` says when to continue.",
    502: "A service behind this one sent no usable reply.",
    503: "Not available, or too busy; try again.",
    504: "A service behind this one took too long.",
}
