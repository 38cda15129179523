"""Tells what a request has come to while it is worked on: server-sent events instead of one answer at the end.

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
"""Receives what is known before the answer is."""


Later = Callable[[], Awaitable[ReasonsEvent]]
"""Finds out what is told after the answer."""


async def tell_nobody(_: CandidatesEvent | VerdictEvent) -> None:
    """For callers who wait for the whole answer."""


def wants_events(request: Request) -> bool:
    """Whether the caller accepts a stream of events."""
    offered = request.headers.get("accept", "").lower().split(",")
    return any(each.partition(";")[0].strip() == EVENT_STREAM for each in offered)


class EventStream(Response):
    """Does the work while it is being sent: events as they come, then ``result``, or ``error`` with the error body.

    What is told later comes after ``result``.

    The answer begins with the first event. What fails before is answered with its status, like everywhere else.
    """

    media_type = EVENT_STREAM

    def __init__(self, request: Request, work: Callable[[Tell], Awaitable[tuple[MatchReply, Later | None]]]) -> None:
        """Prepare to work.

        Args:
            request: that is answered.
            work: called once with a function that sends an event; it returns the reply, and what is told later, if
                anything.
        """
        self.status_code = 200
        self.background = None
        # Proxies that gather answers before they pass them on are asked not to; the header is nginx's.
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._request = request
        self._work = work

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Work and send."""
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
