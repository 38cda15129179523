"""What operators ask about a collection, passed on to the retrieval service. Declared here for the documentation."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.collections import MAX_COLLECTION, DriftReply, HealthParams, HealthReply, MatchPage, MatchParams
from gateway.routes.forwarding import GatewayDependency, forward
from serving.openapi import error_answers
from serving.roles import Role, requires

router = APIRouter(prefix="/collections", tags=["collections"], responses=error_answers(401, 403, 429))

# A collection's name may hold a slash.
Collection = Annotated[str, Path(alias="collection", min_length=1, max_length=MAX_COLLECTION)]


@router.get(
    "/{collection:path}/health",
    response_model=HealthReply,
    summary="Problems of a collection, and what to photograph next",
    responses=error_answers(404, 409, 422, 503),
)
@requires(Role.MANAGE)
async def get_health(
    request: Request, _collection: Collection, gateway: GatewayDependency, _params: Annotated[HealthParams, Query()]
) -> Response:
    """One picture filed under two places, places that look alike, photos to take again, and advice.

    The check runs beside the visitors' questions. `state` says whether the report is of the gallery as it is now; while
    it is `stale` or `computing`, ask again.
    """
    return await forward(request, gateway)


@router.get(
    "/{collection:path}/matches",
    response_model=MatchPage,
    summary="Recent matches, as numbers",
    responses=error_answers(404, 422, 503),
)
@requires(Role.MANAGE)
async def list_matches(
    request: Request, _collection: Collection, gateway: GatewayDependency, _params: Annotated[MatchParams, Query()]
) -> Response:
    """What was answered and what was said of it, newest first. No photo is kept, and nothing that says who asked."""
    return await forward(request, gateway)


@router.get(
    "/{collection:path}/drift",
    response_model=DriftReply,
    summary="Have the collection's answers changed over time?",
    responses=error_answers(404, 422, 503),
)
@requires(Role.MANAGE)
async def get_drift(request: Request, _collection: Collection, gateway: GatewayDependency) -> Response:
    """Share of photos answered and where the scores lie, week by week; precision from feedback."""
    return await forward(request, gateway)
