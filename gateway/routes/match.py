"""``POST /match``: which place a photo shows."""

import math
from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import Depends, Request, Response

from contracts.match_events import ReasonsEvent
from contracts.matching import MatchFields, MatchReply
from contracts.verification import MOST_PHOTOS
from gateway.dependencies import Gateway, get_gateway
from gateway.match.events import EVENT_STREAM, EventStream, Later, Tell, tell_nobody, wants_events
from gateway.match.languages import preferred_language
from serving.auth.restriction import OPEN_TO_RESTRICTED
from serving.deadlines import RequestTimeout, until_disconnect
from serving.errors import DeadlinePassed
from serving.observability import StageTimer
from serving.openapi import error_answers, form_body
from serving.roles import Role, requires
from serving.routers import Router
from serving.uploads import MAX_FIELD_BYTES, open_form, parse_fields, uploaded_files

router = Router(tags=["matching"], responses=error_answers(401, 403, 429), dependencies=[OPEN_TO_RESTRICTED])

_GRACE_S = 0.5
"""A match that takes a little longer than was expected when it was admitted is not cut short."""

_EVENTS = """event: candidates
data: {"request_id": "9b1f…", "collection": "default", "candidates": […], "verifying": true}

event: verdict
data: {"image_id": "0c2e…", "is_match": true, "confidence": 0.98}

event: result
data: {"matched": true, "place": {…}, …}

"""


@router.post(
    "/match",
    response_model=MatchReply,
    summary="Which place does this photo show?",
    description=(
        "Answers with the place, or with `matched: false` if the photo shows nothing of the collection; "
        "both are HTTP 200. `candidates` lists the candidates, at most one image per place, best "
        "first.\n\nSeveral photos of the same thing may be sent together. Every photo is compared with "
        "its own candidates, and the evidence for a place is added up. `photo` of a candidate says which "
        "photo found it. A photo that is sent twice, re-encoded, resized or turned, counts once; `copies` lists "
        "those.\n\n`shown` of a place has its name and description in the language that `Accept-Language` prefers.\n\n"
        "With `Accept: text/event-stream` the answer is sent as server-sent events: "
        "`candidates` (a CandidatesEvent) as soon as retrieval has answered, one `verdict` (a "
        "VerdictEvent) per verified candidate, and at the end `result` with the usual reply, or `error` "
        "with the error body. An error before the first event is answered with its HTTP status, as usual.\n\n"
        "With `reasons=true` a language model writes why the matched place is the answer, which takes seconds. "
        "As an event it comes after `result`, as `reasons` (a ReasonsEvent); without events the answer waits for it. "
        "Reasons are written only while no request waits for a verdict, and are null if there was no time for them."
    ),
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": _EVENTS}}},
        **error_answers(400, 404, 408, 409, 413, 415, 422, 502, 503, 504),
    },
    openapi_extra=form_body(
        MatchFields,
        file="The visitor's photo: JPEG, PNG, WebP, AVIF or HEIC. Up to 5 photos of the same thing; together "
        "they may be as large as one photo.",
        several=True,
        at_most=MOST_PHOTOS,
    ),
)
@requires(Role.MATCH)
async def match(
    request: Request, gateway: Annotated[Gateway, Depends(get_gateway)], timeout_s: RequestTimeout = None
) -> Response:
    """Answer with one JSON document, or with events."""
    answer = partial(_answer, request, gateway, timeout_s)
    if wants_events(request):
        return EventStream(request, answer)
    reply, later = await answer(tell_nobody)
    if later is not None and reply.candidates and reply.candidates[0].verdict is not None:
        reply.candidates[0].verdict.written_reasons = (await later()).written_reasons
    # Serialised here, without a second validation: the reply was validated when it was built.
    return Response(reply.model_dump_json(), media_type="application/json")


async def _answer(
    request: Request, gateway: Gateway, timeout_s: float | None, tell: Tell
) -> tuple[MatchReply, Later | None]:
    """Read the form and run the pipeline. Also return a function that writes the reasons, if they are requested."""
    timer = StageTimer()
    gateway.gate.refuse_if_full()
    with gateway.body_slots.admit() as incoming:
        with timer.stage("receive"):
            limit = gateway.settings.max_photo_bytes + MAX_FIELD_BYTES
            async with open_form(request, incoming, max_bytes=limit, max_files=MOST_PHOTOS, in_memory=True) as form:
                fields = parse_fields(MatchFields, form)
                languages = request.headers.get("Accept-Language") or fields.language
                fields.language = fields.language or preferred_language(languages)
                photos = [await photo.read() for photo in uploaded_files(form, "file")]
        longest_s = gateway.settings.longest_match_s * len(photos) + _GRACE_S
        async with until_disconnect(request, timeout_s, longest_s=longest_s):
            with gateway.gate.admit() as admission:
                reply = await gateway.pipeline.match(photos, fields, timer, tell, languages=languages)
                admission.is_whole = reply.verification != "unavailable"
    gateway.match_metrics.observe(reply)
    gateway.recent_times.note(reply.timings_ms)
    gateway.match_log.note(reply)
    request.state.timings_ms, request.state.cpu_ms = reply.timings_ms, reply.cpu_ms
    if not fields.reasons:
        return reply, None
    longest_s = longest_s if tell is tell_nobody else math.inf  # in events the answer is there before the reasons
    return reply, partial(_reasons, request, gateway, timeout_s, longest_s, photos, fields, reply)


async def _reasons(
    request: Request,
    gateway: Gateway,
    timeout_s: float | None,
    longest_s: float,
    photos: list[bytes],
    fields: MatchFields,
    reply: MatchReply,
) -> ReasonsEvent:
    """Write the reasons; the answer is complete, and no match waits for them."""
    written = None
    with suppress(DeadlinePassed):  # the answer is valid without reasons
        async with until_disconnect(request, timeout_s, longest_s=longest_s):
            written = await gateway.pipeline.write_reasons(photos, fields, reply)
    winner = reply.candidates[0].image_id if reply.matched and reply.candidates else None
    return ReasonsEvent(request_id=reply.request_id, image_id=winner, written_reasons=written)
