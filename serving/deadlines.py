"""Who waits for an answer, and for how long: work for nobody stops, in every process and thread.

The time left travels over the hops as ``X-Request-Timeout-S``, so the clocks of two machines need not agree.
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
        description="seconds that the caller will wait, counted from the arrival of the whole request; later the work "
        "is dropped and the answer is 504",
    ),
]


class Deadline:
    """Whoever waits for an answer. Work in other threads may ask; only the event loop may change it.

    Attributes:
        gone: they hung up.
    """

    def __init__(self, timeout_s: float | None = None) -> None:
        """Begin to wait, for ``timeout_s`` seconds from now; None: as long as it takes."""
        self._until = math.inf if timeout_s is None else time.monotonic() + timeout_s
        self.gone = False

    @property
    def seconds_left(self) -> float:
        """How long they will still wait; ``inf`` where they did not say, negative when their time is over."""
        return self._until - time.monotonic()

    def check(self) -> None:
        """Return while they wait.

        Raises:
            DeadlinePassed: they hung up, or their time is over.
        """
        if self.gone:
            raise DeadlinePassed("the caller hung up")
        if self.seconds_left <= 0:
            raise DeadlinePassed("the time that the caller would wait is over")


_caller: ContextVar[Deadline | None] = ContextVar("caller", default=None)


def current_deadline() -> Deadline:
    """The caller of the request being answered; outside of ``until_disconnect``, one who waits for ever."""
    return _caller.get() or Deadline()


@asynccontextmanager
async def until_disconnect(request: Request, timeout_s: float | None) -> AsyncIterator[Deadline]:
    """Work for a request whose body has been read, until its caller hangs up or their time is over.

    What the block awaits is cancelled then, and what threads do for it stops at its next check.

    Raises:
        ClientDisconnect: they hung up.
        DeadlinePassed: their time is over.
    """
    caller = Deadline(timeout_s)
    token = _caller.set(caller)
    working = asyncio.current_task()
    hung_up = False

    async def watch() -> None:
        nonlocal hung_up
        while (await request.receive())["type"] != "http.disconnect":
            pass
        hung_up = caller.gone = True
        if working is not None:
            working.cancel()

    watching = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(timeout_s) as limit:
            yield caller
    except asyncio.CancelledError:
        caller.gone = True
        if hung_up and working is not None and working.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    except TimeoutError as exc:
        if limit.expired():
            raise DeadlinePassed(f"there is no answer within the {timeout_s:g} s that the caller waits") from exc
        raise
    finally:
        watching.cancel()
        _caller.reset(token)
