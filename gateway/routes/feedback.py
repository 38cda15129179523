"""``POST /feedback``: what somebody says of an answer."""

from fastapi import APIRouter, Request, Response

from contracts.feedback import FeedbackReply, FeedbackRequest
from gateway.routes.forwarding import GatewayDependency, forward
from serving.openapi import error_answers, json_body
from serving.roles import Role, requires
from serving.uploads import read_body

router = APIRouter(tags=["feedback"], responses=error_answers(401, 403, 429))

_MAX_BYTES = 4096
_WAIT_S = 5.0


@router.post(
    "/feedback",
    response_model=FeedbackReply,
    summary="Report whether an answer was right",
    responses=error_answers(404, 408, 413, 422, 503),
    openapi_extra=json_body(FeedbackRequest),
)
@requires(Role.MATCH)
async def give_feedback(request: Request, gateway: GatewayDependency) -> Response:
    """Name the answer by its `request_id` and say: `right`, `wrong`, `other_place` (and which), `not_in_collection`.

    Said again, it replaces what was said before. The photo is never kept.
    """
    with gateway.body_slots.admit() as incoming:
        body = await read_body(request, incoming, _MAX_BYTES)
    # The answer may have been given a moment ago.
    await gateway.match_log.sent(_WAIT_S)
    return await forward(request, gateway, body=body)
