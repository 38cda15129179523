"""The ``/collections`` routes: a collection's health, its matches, whether it answers as it used to."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from contracts.collections import MAX_COLLECTION, DriftReply, HealthParams, HealthReply, MatchPage, MatchParams
from services.retrieval.dependencies import Engine
from services.retrieval.replies.collections import drift_reply, health_reply, match_page
from serving.openapi import error_answers

router = APIRouter(prefix="/collections", tags=["collections"])

# A collection's name may hold a slash.
Collection = Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]


@router.get(
    "/{collection:path}/health",
    summary="Problems of a collection, and what to photograph next",
    responses=error_answers(404, 409, 422, 503),
)
async def get_health(collection: Collection, engine: Engine, params: Annotated[HealthParams, Query()]) -> HealthReply:
    """The newest check, and a new one begun if the gallery has changed since."""
    checkup = await engine.checkups.ask(collection, params.wait_s)
    return health_reply(collection, checkup, params.limit)


@router.get("/{collection:path}/matches", summary="Recent matches, as numbers", responses=error_answers(404, 422, 503))
async def list_matches(collection: Collection, engine: Engine, params: Annotated[MatchParams, Query()]) -> MatchPage:
    """One page, newest first."""
    return match_page(*await engine.usage.page(collection, params.cursor, params.limit, commented=params.commented))


@router.get(
    "/{collection:path}/drift",
    summary="Have the collection's answers changed over time?",
    responses=error_answers(404, 422, 503),
)
async def get_drift(collection: Collection, engine: Engine) -> DriftReply:
    """Week by week against the first weeks."""
    calibration = await engine.workers.run(engine.gallery.calibration, collection)
    return drift_reply(collection, await engine.usage.drift(collection, calibration))
