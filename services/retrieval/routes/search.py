"""``POST /search``: candidates for a photo."""

import base64
from typing import Annotated

from fastapi import Query, Request, Response

from contracts.retrieval import RetrievalDecision, RetrievedCandidate, SearchParams, SearchReply
from core.decision.answer import decide_by_retrieval
from services.retrieval.allowed import Allowed
from services.retrieval.dependencies import Service, Settings
from services.retrieval.replies.gallery import candidate_body
from services.retrieval.replies.texts import AcceptLanguage, reader_of
from serving.deadlines import RequestTimeout, until_disconnect
from serving.observability import StageTimer
from serving.openapi import PHOTO_BODY, error_answers
from serving.routers import Router
from serving.uploads import read_body

router = Router(tags=["search"])


@router.post(
    "/search",
    response_model=SearchReply,
    summary="Which gallery images may show this photo's place?",
    description="The body is the photo itself. Candidates come best first, at most one image per place if possible.",
    responses=error_answers(400, 404, 408, 409, 413, 415, 422, 503, 504),
    openapi_extra=PHOTO_BODY,
)
async def search(
    request: Request,
    service: Service,
    settings: Settings,
    params: Annotated[SearchParams, Query()],
    allowed: Allowed,
    languages: AcceptLanguage = None,
    timeout_s: RequestTimeout = None,
) -> Response:
    """Read the photo and search; the candidates' texts are in the languages that the caller accepts."""
    await allowed.check(params.collection)
    with service.body_slots.admit() as incoming:
        photo = await read_body(request, incoming, settings.max_photo_bytes)
    timer = StageTimer()
    async with until_disconnect(request, timeout_s):
        found = await service.engine.search(
            photo,
            collection=params.collection,
            top_k=params.top_k,
            features=params.features,
            signature=params.signature,
            copy_side=params.copy_side,
            timer=timer,
        )
    service.usage.remember(found.embedding, found.features)
    decision = decide_by_retrieval(found.candidates)

    def bodies() -> list[list[RetrievedCandidate]]:
        reader = reader_of(service.gallery, found.collection, languages)
        return [
            [candidate_body(candidate, reader) for candidate in part]
            for part in (found.candidates, found.further_views)
        ]

    candidates, further_views = await service.workers.run(bodies)
    reply = SearchReply(
        candidates=candidates,
        further_views=further_views,
        decision=RetrievalDecision(matched=decision.matched, confidence=decision.confidence, reason=decision.reason),
        encoder=str(service.gallery.fingerprint),
        query_width=found.query.width,
        query_height=found.query.height,
        query_features=base64.b64encode(found.features).decode() if found.features is not None else None,
        query_copy=base64.b64encode(found.photo_copy).decode() if found.photo_copy is not None else None,
        looks=found.looks,
        out_of_time=found.out_of_time,
        collection=found.collection,
        query_signature=base64.b64encode(found.signature).decode() if found.signature is not None else None,
        timings_ms=timer.finish(),
        cpu_ms=timer.cpu_ms,
    )
    request.state.timings_ms, request.state.cpu_ms = reply.timings_ms, reply.cpu_ms
    return Response(reply.model_dump_json(), media_type="application/json")
