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

    def __init__(self, what: str) -> None:
        self._what = what
        self._value: Value | None = None
        self._failure: Exception | None = None

    async def run(self, make: Callable[[], Awaitable[Value]]) -> Value | None:
        """Make the value; None where that failed."""
        logger.info("loading %s", self._what)
        try:
            self._value = await make()
        except asyncio.CancelledError:
            raise
        except Exception as exc:  # reported at every request until the process is restarted
            self._failure = exc
            logger.exception("loading %s failed", self._what)
        else:
            logger.info("%s: loaded", self._what)
        return self._value

    @property
    def reason(self) -> str | None:
        """Why the value is not there, or None when it is."""
        if self._failure is not None:
            return f"loading {self._what} failed: {self._failure}"
        return f"{self._what} is being loaded" if self._value is None else None

    def get(self) -> Value:
        """The value.

        Raises:
            NotReady: it is still being made.
            Exception: whatever making it raised.
        """
        if self._failure is not None:
            raise self._failure
        if self._value is None:
            raise NotReady(f"{self._what} is still being loaded; try again shortly")
        return self._value
