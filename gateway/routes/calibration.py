"""``/collections/{id}/calibration``: how sure an answer must be, for an operator's promise."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from contracts.calibration import CalibrationChange, CalibrationJob, CalibrationReply, CalibrationRequest
from contracts.collections import MAX_COLLECTION
from gateway.routes.forwarding import GatewayDependency
from serving.openapi import error_answers, json_body
from serving.roles import Role, requires
from serving.uploads import parse_json, read_body

router = APIRouter(prefix="/collections", tags=["collections"], responses=error_answers(401, 403, 429))

# A collection's name may hold a slash.
Collection = Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]
_MAX_BYTES = 4096
_FAILURES = (404, 409, 422, 502, 503, 504)


@router.get(
    "/{collection:path}/calibration",
    summary="The calibration of a collection",
    responses=error_answers(*_FAILURES),
)
@requires(Role.MANAGE)
async def get_calibration(collection: Collection, gateway: GatewayDependency) -> CalibrationReply:
    """What is on record, whether it holds for the models in use, and how far a running calibration has come."""
    return await gateway.calibrations.read(collection)


@router.post(
    "/{collection:path}/calibration",
    status_code=202,
    summary="Calibrate a collection",
    responses=error_answers(408, 413, *_FAILURES),
    openapi_extra=json_body(CalibrationRequest),
)
@requires(Role.MANAGE)
async def start_calibration(request: Request, collection: Collection, gateway: GatewayDependency) -> CalibrationJob:
    """Begin, in the background of visitors' questions; one collection at a time. GET says how far it has come.

    It asks about the collection's own photos, taken again from elsewhere, and learns from feedback. What is on record
    decides until the new one is there.
    """
    with gateway.body_slots.admit() as incoming:
        wanted = parse_json(CalibrationRequest, await read_body(request, incoming, _MAX_BYTES))
    return await gateway.calibrations.start(collection, wanted)


@router.patch(
    "/{collection:path}/calibration",
    summary="Promise something else",
    responses=error_answers(408, 413, *_FAILURES),
    openapi_extra=json_body(CalibrationChange),
)
@requires(Role.MANAGE)
async def change_calibration(request: Request, collection: Collection, gateway: GatewayDependency) -> CalibrationReply:
    """Another target for what was measured, at once: no photo is asked about again."""
    with gateway.body_slots.admit() as incoming:
        change = parse_json(CalibrationChange, await read_body(request, incoming, _MAX_BYTES))
    return await gateway.calibrations.change_target(collection, change)


@router.delete(
    "/{collection:path}/calibration",
    status_code=204,
    summary="Cancel the running calibration, or delete the stored one",
    responses=error_answers(*_FAILURES),
)
@requires(Role.MANAGE)
async def delete_calibration(collection: Collection, gateway: GatewayDependency) -> None:
    """Cancel the calibration that is running. Where none is, the shipped rule decides again."""
    await gateway.calibrations.remove(collection)
