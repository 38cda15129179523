"""The router of the forwarded routes: checks, documents and forwards them."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.params import Depends as Dependency
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from contracts.collections import MAX_COLLECTION
from contracts.images import IMAGE_ID_PATTERN, MAX_PLACE_ID
from contracts.inbox import MAX_ENTRY
from contracts.trash import TRASH_ID_PATTERN
from gateway.routes.forwarded import ROUTES
from gateway.routes.forwarded_route import Forwarded
from gateway.routes.forwarding import GatewayDependency, forward
from serving.auth.restriction import OPEN_TO_RESTRICTED
from serving.idempotency import accept_idempotency_key
from serving.openapi import error_answers, file_answer, json_body
from serving.roles import Role, requires
from serving.routers import Router
from serving.uploads import read_body

_FEEDBACK_WAIT_S = 5.0
_TAGS = {"index": "gallery"}


def _build_router() -> Router:
    """Build the router, in the order of the table. The service checks the collections of restricted keys."""
    router = Router(responses=error_answers(401, 403, 429), dependencies=[OPEN_TO_RESTRICTED])
    for route in ROUTES:
        picture = route.reply if isinstance(route.reply, str) else None
        own_failures = (408, 413, 504) if route.body or route.streamed else (504,)
        answers = error_answers(*sorted({*route.fails, *own_failures}))
        if picture:
            answers |= file_answer(picture)
        first = route.path.split("/")[1]
        router.add_api_route(
            route.path,
            _endpoint(route),
            methods=[route.method],
            name=route.name,
            tags=[_TAGS.get(first, first)],
            summary=route.summary,
            description=route.description,
            status_code=route.status,
            response_model=None if picture or route.reply is None else route.reply,
            responses=answers,
            dependencies=_parameters(route),
            openapi_extra=route.streamed or (json_body(route.body) if route.body else None),
            response_class=Response if picture else JSONResponse,
        )
    return router


def _endpoint(route: Forwarded) -> Any:
    async def pass_on(request: Request, gateway: GatewayDependency) -> Response:
        body = b"" if route.method == "POST" and not route.streamed else None
        if route.body is not None:
            with gateway.body_slots.admit() as incoming:
                body = await read_body(request, incoming, route.most_bytes)
        if route.is_about_answers:
            await gateway.match_log.sent(_FEEDBACK_WAIT_S)
        timeout_s = gateway.settings.upload_timeout_s if route.is_long else None
        query = request.url.query
        if route.leaves_out_hidden and request.state.identity.role < Role.MANAGE:
            asked = [(name, value) for name, value in request.query_params.multi_items() if name != "hidden"]
            query = urlencode([*asked, ("hidden", "false")])
        return await forward(
            request, gateway, query=query, body=body, timeout_s=timeout_s, is_repeatable=route.is_repeatable
        )

    return requires(route.role)(pass_on)


def _parameters(route: Forwarded) -> list[Dependency]:
    """List the dependencies that check the path and the query, and so document them."""
    checks = [check for name, check in _PATH_CHECKS.items() if f"{{{name}" in route.path]
    if route.is_conditional:
        checks.append(_check_expected)
    if route.accepts_key:
        checks.append(accept_idempotency_key)
    if route.speaks:
        checks.append(_check_languages)
    if route.params is not None:
        checks.append(_check_query(route.params))
    return [Depends(check) for check in checks]


# A collection's name may hold a slash.
async def _check_collection(collection: Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]) -> None: ...


async def _check_image_id(image_id: Annotated[str, Path(pattern=IMAGE_ID_PATTERN)]) -> None: ...


async def _check_number(number: Annotated[int, Path(ge=0, le=1000)]) -> None: ...


async def _check_entry(entry: Annotated[int, Path(ge=1, le=MAX_ENTRY)]) -> None: ...


async def _check_place(place: Annotated[str, Path(min_length=1, max_length=MAX_PLACE_ID)]) -> None: ...


async def _check_deletion_id(deletion_id: Annotated[str, Path(pattern=TRASH_ID_PATTERN)]) -> None: ...


async def _check_expected(
    _expected: Annotated[
        str | None,
        Header(alias="If-Match", max_length=4000, description="ETag of what was read: 412 if it has changed since"),
    ] = None,
) -> None: ...


async def _check_languages(
    _languages: Annotated[
        str | None,
        Header(alias="Accept-Language", description="languages of the texts in `shown`"),
    ] = None,
) -> None: ...


_PATH_CHECKS: dict[str, Any] = {
    "collection": _check_collection,
    "place": _check_place,
    "deletion_id": _check_deletion_id,
    "image_id": _check_image_id,
    "number": _check_number,
    "entry": _check_entry,
}


def _check_query(params: type[BaseModel]) -> Any:
    async def check(_params: Annotated[params, Query()]) -> None: ...  # type: ignore[valid-type]

    return check


router = _build_router()
