"""``POST /match``: the visitor's question."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from contracts.matching import MatchFields, MatchReply
from gateway.dependencies import Gateway, get_gateway
from gateway.languages import preferred_language
from serving.callers import RequestTimeout, answering
from serving.observability import StageTimer
from serving.openapi import error_answers, form_body
from serving.roles import Role, requires
from serving.uploads import MAX_FIELD_BYTES, open_form, parse_fields, uploaded_files

router = APIRouter(tags=["matching"], responses=error_answers(401, 403, 429))


@router.post(
    "/match",
    response_model=MatchReply,
    summary="Which place does this photo show?",
    description=(
        "Answers with the place, or with `matched: false` when the photo shows nothing of the collection; both are "
        "HTTP 200. `candidates` lists what was considered, at most one image per place, best first."
    ),
    responses=error_answers(400, 404, 408, 409, 413, 415, 422, 502, 503, 504),
    openapi_extra=form_body(MatchFields, file="The visitor's photo: JPEG, PNG, WebP, AVIF or HEIC."),
)
@requires(Role.MATCH)
async def match(
    request: Request, gateway: Annotated[Gateway, Depends(get_gateway)], timeout_s: RequestTimeout = None
) -> Response:
    """Read the form, ask the pipeline."""
    timer = StageTimer()
    gateway.gate.refuse_if_full()
    with gateway.reception.admit() as incoming:
        with timer.stage("receive"):
            limit = gateway.settings.max_photo_bytes + MAX_FIELD_BYTES
            async with open_form(request, incoming, max_bytes=limit, in_memory=True) as form:
                fields = parse_fields(MatchFields, form)
                fields.language = fields.language or preferred_language(request.headers.get("Accept-Language"))
                photo = await uploaded_files(form, "file")[0].read()
        async with answering(request, timeout_s):
            with gateway.gate.admit():
                reply = await gateway.pipeline.match(photo, fields, timer)
    gateway.answers.observe(reply)
    gateway.match_log.note(reply)
    request.state.timings_ms = reply.timings_ms
    # Serialised once, here: the reply was validated when it was built.
    return Response(reply.model_dump_json(), media_type="application/json")
