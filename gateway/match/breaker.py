"""Leaves a service alone that has just failed several times, instead of making every visitor wait for it.

The circuit breaker of Nygard's "Release It!": *closed* while the service works, *open* after failures in a row, *half
open* when one request may try whether it works again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CircuitBreaker:
    """Counts failures in a row. Belongs to one event loop."""

    def __init__(
        self,
        *,
        failures: int,
        rest_s: float,
        counted: tuple[type[Exception], ...],
        refuse: Callable[[str], Exception],
        telling_nothing: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start closed.

        Args:
            failures: in a row, after which nobody is let through, >= 1.
            rest_s: seconds until one request may try again, and again after each that fails.
            counted: what is a failure; any other exception is an answer, and shows that the service works.
            refuse: makes the exception for those not let through, from its message.
            telling_nothing: neither a failure nor a sign of life.
            clock: seconds, never going back.
        """
        self._failures = failures
        self._rest_s = rest_s
        self._counted = counted
        self._refuse = refuse
        self._telling_nothing = telling_nothing
        self._clock = clock
        self._in_a_row = 0
        self._opened_s = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether requests are kept away; still true while one of them tries."""
        return self._in_a_row >= self._failures

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Put around each call of the service.

        Raises:
            Exception: made by ``refuse``; the service must not be called.
        """
        trying = self.is_open
        if trying:
            rested_s = self._clock() - self._opened_s
            if self._probing or rested_s < self._rest_s:
                raise self._refuse(f"failed {self._in_a_row} times in a row and is not asked for a moment")
            self._probing = True
        try:
            yield
        except self._counted:
            self._in_a_row += 1
            self._opened_s = self._clock()
            raise
        except self._telling_nothing:
            raise
        except Exception:
            self._in_a_row = 0
            raise
        else:
            self._in_a_row = 0
        finally:
            # Also where the caller hung up, which tells nothing of the service: the next one may try.
            if trying:
                self._probing = False
