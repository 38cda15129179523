"""The sample collection, passed on to the retrieval service. Declared here for the documentation."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.sample import SampleCollection, SampleParams
from gateway.routes.forwarding import GatewayDependency, forward
from serving.openapi import error_answers
from serving.roles import Role, requires

router = APIRouter(prefix="/sample", tags=["sample"], responses=error_answers(401, 403, 429))

Params = Annotated[SampleParams, Query()]


@router.get(
    "",
    response_model=SampleCollection,
    summary="The sample collection and its progress",
    responses=error_answers(422, 503),
)
@requires(Role.MATCH)
async def get_sample(request: Request, gateway: GatewayDependency, _params: Params) -> Response:
    """What it is made of, with photographers and terms, and photos to try it with."""
    return await forward(request, gateway)


@router.post(
    "",
    status_code=202,
    response_model=SampleCollection,
    summary="Build the sample collection",
    responses=error_answers(422, 503),
)
@requires(Role.MANAGE)
async def build_sample(request: Request, gateway: GatewayDependency, _params: Params) -> Response:
    """In the background, from freely licensed photographs; ask with GET how far it is. Delete it as any collection."""
    return await forward(request, gateway, body=b"")


@router.get(
    "/queries/{number}",
    response_class=Response,
    summary="A test photo for the sample",
    responses={200: {"content": {"image/jpeg": {}}}, **error_answers(422, 503)},
)
@requires(Role.MATCH)
async def get_query(
    request: Request, _number: Annotated[int, Path(alias="number", ge=0, le=1000)], gateway: GatewayDependency
) -> Response:
    """A photograph of the sample as a visitor might have taken it, or the last one, which is not in the sample."""
    return await forward(request, gateway)
