"""Slow start-up (weights, indexes) in a thread, while the process already answers its health checks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from serving.errors import NotReady

logger = logging.getLogger(__name__)

Value = TypeVar("Value")
Failure = TypeVar("Failure", bound=Exception)

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0


class Loading(Generic[Value]):
    """A value that is loaded in the background.

    A failure is kept: ``get`` raises it and ``reason`` returns its text, so that callers and operators see the cause.
    After a temporary failure, loading is tried again, with growing pauses.
    """

    def __init__(
        self,
        what: str,
        *,
        expected: type[Exception] = NotReady,
        passing: tuple[type[Exception], ...] = (),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Set how the value is loaded; nothing starts yet.

        Args:
            what: name of the value, for messages.
            expected: failures whose message tells an operator what to do. Any other is a bug: its traceback is logged,
                and callers get a generic message.
            passing: expected failures that may be temporary.
            pause: waits for a number of seconds before the next try.
        """
        self._what = what
        self._expected = expected
        self._passing = passing
        self._pause = pause
        self._value: Value | None = None
        self._failure: Exception | None = None
        self._tried = asyncio.Event()
        self._loaded = asyncio.Event()
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def in_background(self, make: Callable[[], Awaitable[Value]]) -> AsyncIterator[None]:
        """Load the value while the block runs; at its end, wait for an attempt that is running, and start no other."""
        running = asyncio.create_task(self.run(make))
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.wait([running])

    async def run(self, make: Callable[[], Awaitable[Value]]) -> None:
        """Load the value, or keep the failure; return when it is loaded or no other attempt makes sense."""
        pause_s = FIRST_PAUSE_S
        logger.info("loading the %s", self._what)
        while not await self._try(make) and isinstance(self._failure, self._passing):
            logger.info("the next try to load the %s is in %.0f s", self._what, pause_s)
            if await self._stopped_within(pause_s):
                return
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def finished(self) -> bool:
        """Wait until the first attempt has ended; return whether the value is loaded."""
        await self._tried.wait()
        return self._value is not None

    async def loaded(self) -> None:
        """Wait until the value is loaded, however many attempts that takes."""
        await self._loaded.wait()

    @property
    def reason(self) -> str | None:
        """Why the value is not loaded; None if it is."""
        if self._failure is not None:
            return str(self._failure)
        return f"the {self._what} is being loaded" if self._value is None else None

    @property
    def in_first_try(self) -> bool:
        """Whether the first attempt is still running."""
        return not self._tried.is_set()

    @property
    def failure(self) -> Exception | None:
        """The failure of the last attempt, or the one given to ``give_up``; None without a failure."""
        return self._failure

    def get(self) -> Value:
        """Return the value.

        Raises:
            NotReady: it is being loaded, or loading it failed unexpectedly.
            Exception: the expected failure.
        """
        if self._failure is not None:
            raise _fresh(self._failure)
        if self._value is None:
            raise NotReady(f"the {self._what} is still being loaded; try again shortly")
        return self._value

    def give_up(self, failure: Exception) -> None:
        """Stop returning the value; ``get`` raises ``failure`` instead. Thread-safe."""
        if self._failure is None:
            self._failure = _fresh(failure)
            logger.error("the %s cannot be used any more: %s", self._what, failure)

    async def _try(self, make: Callable[[], Awaitable[Value]]) -> bool:
        try:
            self._value = await make()
            self._failure = None
            self._loaded.set()
            logger.info("the %s is loaded", self._what)
        except self._expected as exc:
            # Without its traceback, whose frames would keep partly loaded weights in memory.
            self._failure = _fresh(exc)
            logger.error("the %s cannot be loaded: %s", self._what, exc)
        except Exception:
            self._failure = NotReady(f"the {self._what} cannot be loaded; the server's log has the details")
            logger.exception("the %s cannot be loaded", self._what)
        finally:
            self._tried.set()
        return self._failure is None

    async def _stopped_within(self, pause_s: float) -> bool:
        waiting = [asyncio.ensure_future(self._pause(pause_s)), asyncio.create_task(self._stopping.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return self._stopping.is_set()


def _fresh(failure: Failure) -> Failure:
    """Copy an exception without its traceback, which would grow by the frames of every request that raises it."""
    fresh = type(failure).__new__(type(failure), *failure.args)
    fresh.__dict__.update(failure.__dict__)
    return fresh
