"""Stops calling a service that has failed several times in a row, so that visitors do not wait for it.

The circuit breaker of Nygard's "Release It!": *closed* while the service works, *open* after failures in a row, *half
open* while one request tries whether it works again.
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
            failures: number in a row after which calls are refused, >= 1.
            rest_s: seconds until one request may try again, also after a failed try.
            counted: exceptions that are failures; any other one is an answer and shows that the service works.
            refuse: makes the exception for refused calls from its message.
            telling_nothing: exceptions that are neither failures nor answers.
            clock: monotonic, in seconds.
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
        """Whether calls are refused; still true while one of them tries."""
        return self._in_a_row >= self._failures

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Wrap a call of the service.

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
            # Also if the caller hung up, which is neither a failure nor an answer: the next call may try.
            if trying:
                self._probing = False
