"""``/collections/{id}/calibration``: how sure an answer must be, passed on to the retrieval service."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from contracts.calibration import CalibrationChange, CalibrationJob, CalibrationReply, CalibrationRequest
from contracts.collections import MAX_COLLECTION
from gateway.routes.forwarding import GatewayDependency, forward
from serving.openapi import error_answers, json_body
from serving.roles import Role, requires
from serving.uploads import read_body

router = APIRouter(prefix="/collections", tags=["collections"], responses=error_answers(401, 403, 429))

# A collection's name may hold a slash.
Collection = Annotated[str, Path(alias="collection", min_length=1, max_length=MAX_COLLECTION)]
_MAX_BYTES = 4096
_FAILURES = (404, 409, 422, 503, 504)


@router.get(
    "/{collection:path}/calibration",
    response_model=CalibrationReply,
    summary="The calibration of a collection",
    responses=error_answers(*_FAILURES),
)
@requires(Role.MANAGE)
async def get_calibration(request: Request, _collection: Collection, gateway: GatewayDependency) -> Response:
    """What is on record, whether it holds for the models in use, and how far a running calibration has come."""
    return await forward(request, gateway)


@router.post(
    "/{collection:path}/calibration",
    status_code=202,
    response_model=CalibrationJob,
    summary="Calibrate a collection",
    responses=error_answers(408, 413, *_FAILURES),
    openapi_extra=json_body(CalibrationRequest),
)
@requires(Role.MANAGE)
async def start_calibration(request: Request, _collection: Collection, gateway: GatewayDependency) -> Response:
    """Begin, in the background of visitors' questions; one collection at a time. GET says how far it has come.

    It asks about the collection's own photos, taken again from elsewhere, and learns from feedback. What is on record
    decides until the new one is there.
    """
    with gateway.body_slots.admit() as incoming:
        body = await read_body(request, incoming, _MAX_BYTES)
    return await forward(request, gateway, body=body)


@router.patch(
    "/{collection:path}/calibration",
    response_model=CalibrationReply,
    summary="Promise something else",
    responses=error_answers(408, 413, *_FAILURES),
    openapi_extra=json_body(CalibrationChange),
)
@requires(Role.MANAGE)
async def change_calibration(request: Request, _collection: Collection, gateway: GatewayDependency) -> Response:
    """Another target for what was measured, at once: no photo is asked about again."""
    with gateway.body_slots.admit() as incoming:
        body = await read_body(request, incoming, _MAX_BYTES)
    return await forward(request, gateway, body=body)


@router.delete(
    "/{collection:path}/calibration",
    status_code=204,
    summary="Cancel the running calibration, or delete the stored one",
    responses=error_answers(*_FAILURES),
)
@requires(Role.MANAGE)
async def delete_calibration(request: Request, _collection: Collection, gateway: GatewayDependency) -> Response:
    """Cancel the calibration that is running. Where none is, the shipped rule decides again."""
    return await forward(request, gateway)
