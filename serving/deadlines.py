"""Deadlines and disconnects: work whose caller is gone is cancelled, in every process and thread.

The time left is passed from process to process as ``X-Request-Timeout-S``, so two machines' clocks need not agree.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated

from fastapi import Header
from starlette.requests import ClientDisconnect, Request

from serving.errors import DeadlinePassed

TIMEOUT_HEADER = "X-Request-Timeout-S"

RequestTimeout = Annotated[
    float | None,
    Header(
        alias=TIMEOUT_HEADER,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="time limit of the caller in seconds, counted from the arrival of the whole request; after it "
        "the work is cancelled and the answer is 504",
    ),
]


class Deadline:
    """How long the answer of a request may take. Threads may read it; only the event loop may change it.

    Attributes:
        timeout_s: from its beginning; ``inf`` without a limit.
        is_callers: whether the caller set it, and not this process.
        gone: the caller hung up.
    """

    def __init__(self, timeout_s: float | None = None, *, longest_s: float = math.inf) -> None:
        """Begin now.

        Args:
            timeout_s: as long as the caller waits; None: without a limit.
            longest_s: as long as this process works on it, where that is shorter.
        """
        callers = math.inf if timeout_s is None else timeout_s
        self.timeout_s = min(callers, longest_s)
        self.is_callers = callers <= longest_s
        self._until = time.monotonic() + self.timeout_s
        self.gone = False

    @property
    def seconds_left(self) -> float:
        """The time left; ``inf`` without a limit, negative when it is over."""
        return self._until - time.monotonic()

    def check(self) -> None:
        """Return while the caller waits.

        Raises:
            DeadlinePassed: the caller hung up, or the time is over.
        """
        if self.gone:
            raise DeadlinePassed("the caller disconnected")
        if self.seconds_left <= 0:
            raise DeadlinePassed("the request's time limit has passed")


_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current_deadline() -> Deadline:
    """Return the deadline of the request being answered; one without a limit outside of ``until_disconnect``."""
    return _deadline.get() or Deadline()


@asynccontextmanager
async def until_disconnect(
    request: Request, timeout_s: float | None, *, longest_s: float = math.inf
) -> AsyncIterator[Deadline]:
    """Run a block for a request whose body has been read, until its caller hangs up or its time is over.

    Then whatever the block awaits is cancelled, and its work in threads stops at the next check.

    Args:
        request: whose caller may hang up.
        timeout_s: as long as the caller waits; None: without a limit.
        longest_s: as long as this process works on it.

    Raises:
        ClientDisconnect: the caller hung up.
        DeadlinePassed: the time is over.
    """
    deadline = Deadline(timeout_s, longest_s=longest_s)
    token = _deadline.set(deadline)
    working = asyncio.current_task()
    hung_up = False

    async def watch() -> None:
        nonlocal hung_up
        while (await request.receive())["type"] != "http.disconnect":
            pass
        hung_up = deadline.gone = True
        if working is not None:
            working.cancel()

    watching = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(deadline.timeout_s if math.isfinite(deadline.timeout_s) else None) as limit:
            yield deadline
    except asyncio.CancelledError:
        deadline.gone = True
        if hung_up and working is not None and working.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    except TimeoutError as exc:
        if limit.expired():
            allows = "the caller allows" if deadline.is_callers else "it may take"
            raise DeadlinePassed(f"there is no answer within the {deadline.timeout_s:g} s that {allows}") from exc
        raise
    finally:
        watching.cancel()
        _deadline.reset(token)
