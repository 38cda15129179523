"""The ``/trash`` routes: deletions that can be undone."""

from typing import Annotated

from fastapi import Depends, Query

from contracts.trash import EmptyParams, RestoreReply, TrashPage, TrashParams
from services.retrieval.allowed import Allowed, DeletionId
from services.retrieval.dependencies import Audit, Service
from services.retrieval.repeated_writes import JsonRoute
from services.retrieval.replies.gallery import trash_page
from serving.idempotency import accept_idempotency_key
from serving.openapi import error_answers
from serving.routers import Router

router = Router(prefix="/trash", tags=["trash"], route_class=JsonRoute)


@router.get("", summary="What can be restored", responses=error_answers(422, 503))
async def list_trash(service: Service, params: Annotated[TrashParams, Query()], allowed: Allowed) -> TrashPage:
    """Return one page, newest first."""
    page = await service.trash.list(await allowed.those_of(params.collection), params.cursor, params.limit)
    return trash_page(page, service.trash.days)


@router.post(
    "/{deletion_id}/restore",
    summary="Undo a deletion",
    responses=error_answers(404, 409, 422, 503),
    dependencies=[Depends(accept_idempotency_key)],
)
async def undo_deletion(deletion_id: DeletionId, service: Service, audit: Audit) -> RestoreReply:
    """Restore what the deletion removed."""
    with audit.change("trash.restore", deletion_id) as change:
        collection, images = await service.trash.restore(deletion_id)
        change.details |= {"collection": collection, "images": images}
    return RestoreReply(collection=collection, images=images)


@router.delete("", status_code=204, summary="Empty the trash", responses=error_answers(422, 503))
async def empty_trash(
    service: Service, audit: Audit, params: Annotated[EmptyParams, Query()], allowed: Allowed
) -> None:
    """Delete all entries permanently, or those of one collection."""
    collections = await allowed.those_of(params.collection)
    with audit.change("trash.empty", collection=params.collection) as change:
        for collection in [None] if collections is None else collections:
            change.ids = [*change.ids, *await service.trash.empty(collection=collection)]


@router.delete("/{deletion_id}", status_code=204, summary="Delete permanently", responses=error_answers(404, 422, 503))
async def delete_permanently(deletion_id: DeletionId, service: Service, audit: Audit) -> None:
    """Delete one entry of the trash permanently."""
    with audit.change("trash.empty", deletion_id):
        await service.trash.empty(deletion_id=deletion_id)
