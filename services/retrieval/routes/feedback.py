"""``POST /feedback``: whether an answer was right; ``POST /matches``: the gateway sends the numbers of its answers."""

from contextlib import suppress

from contracts.feedback import FeedbackReply, FeedbackRequest, MatchRecords, RecordReply
from core.errors import InvalidRequest, UnknownCollection, UnknownPlace
from core.gallery import Gallery
from services.retrieval.allowed import Allowed
from services.retrieval.dependencies import Service
from services.retrieval.replies.collections import match_record
from serving.openapi import error_answers
from serving.routers import Router

router = Router(tags=["feedback"])


@router.post("/feedback", summary="Report whether an answer was right", responses=error_answers(404, 422, 503))
async def give_feedback(feedback: FeedbackRequest, service: Service, allowed: Allowed) -> FeedbackReply:
    """Store the feedback; it replaces earlier feedback on the same match."""
    await allowed.check_match(feedback.request_id)
    await service.usage.await_match(feedback.request_id)
    place_id = feedback.place_id
    if place_id is not None:
        collection = (await service.usage.find(feedback.request_id)).match.collection
        place_id = await service.workers.run(_shown_place, service.gallery, collection, place_id)
    given = await service.usage.give_feedback(feedback.request_id, feedback.verdict, place_id)
    return await service.tell_feedback(given)


@router.post("/matches", summary="Keep the numbers of answers", responses=error_answers(422, 503))
async def record_matches(answered: MatchRecords, service: Service) -> RecordReply:
    """Store a batch of matches from the gateway."""
    await service.usage.record([match_record(match) for match in answered.matches])
    return RecordReply(recorded=len(answered.matches))


def _shown_place(gallery: Gallery, collection: str, place_id: str) -> str:
    """Return the id, as it is stored, of a place that answers may name.

    Raises:
        InvalidRequest: the collection has no such place, or is gone, or the match is on record under its former name.
    """
    with suppress(UnknownCollection, UnknownPlace):
        found = gallery.place(collection, place_id, with_hidden=False)
        if found.collection == collection:
            return found.place.place_id
    raise InvalidRequest(
        f"no place of id {place_id[:80]!r} in collection {collection[:80]!r}; "
        "GET /index/places lists those that are, and not_in_collection says that it is none of them"
    )
