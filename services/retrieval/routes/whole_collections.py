"""Another name for a collection, and its end. Included after the routes below collections: these paths match theirs."""

from typing import Annotated

from fastapi import APIRouter, Path

from contracts.collections import MAX_COLLECTION, CollectionChange
from contracts.images import CollectionSummaryBody
from services.retrieval.dependencies import Audit, Engine
from services.retrieval.replies.gallery import collection_body
from serving.openapi import error_answers

router = APIRouter(prefix="/collections", tags=["collections"])

# A collection's name may hold a slash.
Collection = Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]


@router.patch("/{collection:path}", summary="Rename a collection", responses=error_answers(404, 422, 503))
async def rename_collection(
    collection: Collection, change: CollectionChange, engine: Engine, audit: Audit
) -> CollectionSummaryBody:
    """Its photos, its calibration and its log of matches go along."""
    with audit.change("collection.rename", collection=collection, name=change.name):
        return collection_body(await engine.rename_collection(collection, change.name))


@router.delete(
    "/{collection:path}", status_code=204, summary="Delete a collection", responses=error_answers(404, 422, 503)
)
async def delete_collection(collection: Collection, engine: Engine, audit: Audit) -> None:
    """Photos, places, calibration, log of matches: all of it."""
    with audit.change("collection.delete", collection=collection) as change:
        change.details["images"] = await engine.delete_collection(collection)
