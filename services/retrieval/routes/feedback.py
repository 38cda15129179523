"""``POST /feedback``: whether an answer was right; ``POST /matches``: the gateway sends the numbers of its answers."""

from fastapi import APIRouter

from contracts.feedback import FeedbackReply, FeedbackRequest, MatchRecords, RecordReply
from core.errors import InvalidRequest
from services.retrieval.allowed import Allowed
from services.retrieval.dependencies import Service
from services.retrieval.replies.collections import match_record
from serving.openapi import error_answers

router = APIRouter(tags=["feedback"])


@router.post("/feedback", summary="Report whether an answer was right", responses=error_answers(404, 422, 503))
async def give_feedback(feedback: FeedbackRequest, service: Service, allowed: Allowed) -> FeedbackReply:
    """Store the feedback; it replaces earlier feedback on the same match."""
    await allowed.check_match(feedback.request_id)
    await service.usage.await_match(feedback.request_id)
    if feedback.place_id is not None:
        collection = (await service.usage.find(feedback.request_id)).match.collection
        page = await service.workers.run(service.gallery.list_images, collection, feedback.place_id, limit=1)
        if not page.images or page.images[0].place.is_hidden:
            raise InvalidRequest(
                f"no place of id {feedback.place_id[:80]!r} in collection {collection[:80]!r}; "
                "GET /index/places lists those that are, and not_in_collection says that it is none of them"
            )
    given = await service.usage.give_feedback(feedback.request_id, feedback.verdict, feedback.place_id)
    return await service.tell_feedback(given)


@router.post("/matches", summary="Keep the numbers of answers", responses=error_answers(422, 503))
async def record_matches(answered: MatchRecords, service: Service) -> RecordReply:
    """Store a batch of matches from the gateway."""
    await service.usage.record([match_record(match) for match in answered.matches])
    return RecordReply(recorded=len(answered.matches))
