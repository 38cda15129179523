"""Another name for a collection, its end, and its QR code. Included last: these paths match those below collections."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from contracts.collections import MAX_COLLECTION, CollectionChange
from contracts.images import CollectionSummaryBody
from gateway.page.qr import qr_svg, visitors_address
from gateway.routes.forwarding import GatewayDependency, forward
from serving.openapi import error_answers, json_body
from serving.roles import Role, requires
from serving.uploads import read_body

router = APIRouter(prefix="/collections", tags=["collections"], responses=error_answers(401, 403, 429))

# A collection's name may hold a slash.
Collection = Annotated[str, Path(alias="collection", min_length=1, max_length=MAX_COLLECTION)]
_MAX_CHANGE_BYTES = 4096


@router.get(
    "/{collection:path}/qr.svg",
    response_class=Response,
    summary="A QR code that opens the page for visitors of a collection",
    responses={200: {"content": {"image/svg+xml": {}}}, **error_answers(404, 422)},
)
@requires(Role.MATCH)
async def get_qr_code(request: Request, collection: Collection) -> Response:
    """Of this page's own address as the caller reached it: scan it from where visitors are, before printing it."""
    return Response(qr_svg(visitors_address(str(request.base_url), collection)), media_type="image/svg+xml")


@router.patch(
    "/{collection:path}",
    response_model=CollectionSummaryBody,
    summary="Rename a collection",
    responses=error_answers(404, 408, 413, 422, 503),
    openapi_extra=json_body(CollectionChange),
)
@requires(Role.MANAGE)
async def rename_collection(request: Request, _collection: Collection, gateway: GatewayDependency) -> Response:
    """From the next match on it answers to the new name alone; photos, calibration and recent matches go along.

    QR codes and links with the old name lead nowhere any more.
    """
    with gateway.body_slots.admit() as incoming:
        body = await read_body(request, incoming, _MAX_CHANGE_BYTES)
    return await forward(request, gateway, body=body)


@router.delete(
    "/{collection:path}", status_code=204, summary="Delete a collection", responses=error_answers(404, 422, 503)
)
@requires(Role.MANAGE)
async def delete_collection(request: Request, _collection: Collection, gateway: GatewayDependency) -> Response:
    """Photos, places, calibration and recent matches. When this has been answered, nothing of it is found again."""
    return await forward(request, gateway, timeout_s=gateway.settings.upload_timeout_s)
