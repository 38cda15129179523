"""Slow start-up (weights, indexes) in a thread, while the process already answers its health checks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from serving.errors import NotReady

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


class Loading(Generic[Value]):
    """A value that is being made.

    A failure is kept: ``get`` raises it and ``reason`` tells it, so that callers and operators see the cause
    instead of a process that is merely absent.
    """

    def __init__(self, what: str, *, expected: type[Exception] = NotReady) -> None:
        """Nothing is made yet.

        Args:
            what: is being made, for messages.
            expected: failures whose own words tell an operator what to do. Any other is a bug: its traceback is
                logged, and callers learn only that it happened.
        """
        self._what = what
        self._expected = expected
        self._value: Value | None = None
        self._failure: Exception | None = None
        self._finished = asyncio.Event()

    async def run(self, make: Callable[[], Awaitable[Value]]) -> None:
        """Make the value, or keep the failure."""
        logger.info("loading the %s", self._what)
        try:
            self._value = await make()
            logger.info("the %s is loaded", self._what)
        except self._expected as exc:
            self._failure = exc
            logger.error("the %s cannot be loaded: %s", self._what, exc)
        except Exception:
            self._failure = NotReady(f"the {self._what} cannot be loaded; the server's log has the details")
            logger.exception("the %s cannot be loaded", self._what)
        finally:
            self._finished.set()

    async def finished(self) -> bool:
        """Wait until loading has ended; whether it succeeded."""
        await self._finished.wait()
        return self._failure is None

    @property
    def reason(self) -> str | None:
        """Why the value is not there, or None when it is."""
        if self._failure is not None:
            return str(self._failure)
        return f"the {self._what} is being loaded" if self._value is None else None

    def get(self) -> Value:
        """The value.

        Raises:
            NotReady: it is still being made, or making it failed unexpectedly.
            Exception: the expected failure.
        """
        if self._failure is not None:
            raise self._failure
        if self._value is None:
            raise NotReady(f"the {self._what} is still being loaded; try again shortly")
        return self._value
