"""Sends intermediate results of a match as server-sent events, instead of one answer at the end.

The format is that of the WHATWG HTML standard, section 9.2.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contracts.match_events import CandidatesEvent, ReasonsEvent, VerdictEvent
from contracts.matching import MatchReply
from serving.errors import answer_error

EVENT_STREAM = "text/event-stream"

Tell = Callable[[CandidatesEvent | VerdictEvent], Awaitable[None]]
"""Receives intermediate results before the answer."""


Later = Callable[[], Awaitable[ReasonsEvent]]
"""Computes an event that follows the answer."""


async def tell_nobody(_: CandidatesEvent | VerdictEvent) -> None:
    """Ignore intermediate results, for callers without events."""


def wants_events(request: Request) -> bool:
    """Tell whether the caller accepts a stream of events."""
    offered = request.headers.get("accept", "").lower().split(",")
    return any(offer.partition(";")[0].strip() == EVENT_STREAM for offer in offered)


class EventStream(Response):
    """Does the work while it is being sent: events as they arrive, then ``result``, or ``error`` with the error body.

    An event of ``Later`` follows ``result``. The response begins with the first event; a failure before it is answered
    with its status, as on other routes.
    """

    media_type = EVENT_STREAM

    def __init__(self, request: Request, work: Callable[[Tell], Awaitable[tuple[MatchReply, Later | None]]]) -> None:
        """Set the work; it starts when the response is sent.

        Args:
            request: the request to answer.
            work: called once with a function that sends an event; returns the reply, and a function for a later event
                or None.
        """
        self.status_code = 200
        self.background = None
        # Tells proxies not to buffer the response; the header is nginx's.
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._request = request
        self._work = work

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Do the work and send its events."""
        has_begun = False

        async def emit(name: str, data: bytes, *, is_last: bool = False) -> None:
            nonlocal has_begun
            if not has_begun:
                has_begun = True
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            lines = b"".join(b"data: %s\n" % line for line in data.splitlines())
            body = b"event: %s\n%s\n" % (name.encode(), lines)
            await send({"type": "http.response.body", "body": body, "more_body": not is_last})

        async def tell(event: CandidatesEvent | VerdictEvent) -> None:
            await emit(event.event, event.model_dump_json().encode())

        try:
            reply, later = await self._work(tell)
        except ClientDisconnect:
            raise
        except Exception as exc:
            if not has_begun:
                raise
            refusal = await answer_error(self._request, exc)
            await emit("error", bytes(refusal.body), is_last=True)
        else:
            await emit("result", reply.model_dump_json().encode(), is_last=later is None)
            if later is not None:
                event = await later()
                await emit(event.event, event.model_dump_json().encode(), is_last=True)
