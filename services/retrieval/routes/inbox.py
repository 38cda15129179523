"""The inbox: photos that visitors have sent, and what is decided about them."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from contracts.inbox import (
    InboxDecision,
    InboxOutcome,
    InboxPage,
    InboxParams,
    InboxPhotoParams,
    InboxReceipt,
    InboxTerms,
)
from services.retrieval.allowed import Allowed, Collection, EntryId
from services.retrieval.dependencies import Audit, Service, Settings
from services.retrieval.repeated_writes import JsonRoute
from services.retrieval.replies.collections import inbox_page, inbox_receipt
from services.retrieval.replies.gallery import image_body
from serving.auth.restriction import OPEN_TO_RESTRICTED
from serving.idempotency import accept_idempotency_key
from serving.openapi import PHOTO_BODY, error_answers, file_answer
from serving.routers import Router
from serving.uploads import read_body

router = Router(tags=["inbox"], route_class=JsonRoute)


@router.get(
    "/inbox",
    summary="Are photos taken, and for how long?",
    responses=error_answers(503),
    dependencies=[OPEN_TO_RESTRICTED],
)
async def get_inbox_terms(service: Service) -> InboxTerms:
    """Return the terms on which a visitor may send a photo."""
    return InboxTerms(days=service.inbox.days)


@router.post(
    "/inbox",
    status_code=201,
    response_model=InboxReceipt,
    summary="Send the photo of an answer that was none, maybe or wrong",
    responses=error_answers(400, 404, 408, 413, 415, 422, 503),
    openapi_extra=PHOTO_BODY,
)
async def send_photo(
    request: Request,
    service: Service,
    settings: Settings,
    params: Annotated[InboxPhotoParams, Query()],
    allowed: Allowed,
) -> InboxReceipt:
    """Keep the photo for a curator, without its metadata."""
    await allowed.check_match(params.request_id)
    with service.body_slots.admit() as incoming:
        photo = await read_body(request, incoming, settings.max_photo_bytes)
    return inbox_receipt(await service.inbox.keep(params.request_id, photo))


@router.delete(
    "/inbox",
    status_code=204,
    summary="Withdraw the consent and delete the photos of an answer",
    responses=error_answers(404, 422, 503),
)
async def withdraw_photos(service: Service, params: Annotated[InboxPhotoParams, Query()], allowed: Allowed) -> None:
    """Delete all photos that were sent for this answer."""
    await allowed.check_match(params.request_id)
    await service.inbox.withdraw(params.request_id)


@router.get(
    "/collections/{collection:path}/inbox",
    summary="Photos that visitors have sent",
    responses=error_answers(404, 422, 503),
)
async def list_inbox(
    collection: Collection,
    service: Service,
    params: Annotated[InboxParams, Query()],
) -> InboxPage:
    """Return one page, newest first."""
    await service.workers.run(service.gallery.check_collection_exists, collection)
    return inbox_page(service.inbox.days, *await service.inbox.page(collection, params.cursor, params.limit))


@router.get(
    "/inbox/{entry}/photo",
    response_class=Response,
    summary="A photo that a visitor has sent",
    responses={**file_answer("image/jpeg"), **error_answers(404, 422, 503)},
)
async def get_inbox_photo(entry: EntryId, service: Service) -> Response:
    """Return the photo. No cache may keep it, because it is deleted after its time."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(await service.inbox.photo(entry), media_type="image/jpeg", headers=headers)


@router.post(
    "/inbox/{entry}/decision",
    summary="Say what a photo shows",
    responses=error_answers(404, 409, 422, 503),
    dependencies=[Depends(accept_idempotency_key)],
)
async def decide(entry: EntryId, decision: InboxDecision, service: Service, audit: Audit) -> InboxOutcome:
    """Add the photo to the gallery if it belongs there, keep the feedback on the answer, and delete the entry."""
    with audit.change("inbox.decide", str(entry), shows=decision.shows) as change:
        image, given = await service.inbox.decide(entry, decision.shows, decision.place_id, decision.place_name)
        if image is not None:
            change.details |= {"collection": image.collection, "image": image.image_id}
    if given is not None:
        await service.tell_feedback(given)
    return InboxOutcome(image=image_body(image) if image else None, feedback_kept=given is not None)


@router.delete("/inbox/{entry}", status_code=204, summary="Delete a photo", responses=error_answers(404, 409, 422, 503))
async def delete_inbox_photo(entry: EntryId, service: Service, audit: Audit) -> None:
    """Delete the photo without a decision."""
    with audit.change("inbox.delete", str(entry)):
        await service.inbox.remove(entry)
