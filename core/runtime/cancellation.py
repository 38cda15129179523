"""Cancellation: long work checks between its steps whether its caller still waits."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")

Check = Callable[[], None]
"""Returns while the work is wanted, else raises."""

_check: ContextVar[Check | None] = ContextVar("check", default=None)
_seconds_left: ContextVar[Callable[[], float] | None] = ContextVar("seconds_left", default=None)


@contextmanager
def cancelled_by(check: Check, seconds_left: Callable[[], float] | None = None) -> Iterator[None]:
    """Cancel the work in the block when ``check`` raises; in this thread, and in threads that get its context.

    Args:
        check: returns while the work is wanted.
        seconds_left: returns how long it will be; None: without a limit.
    """
    token, left = _check.set(check), _seconds_left.set(seconds_left)
    try:
        yield
    finally:
        _check.reset(token)
        _seconds_left.reset(left)


def seconds_left() -> float:
    """Return how long the work will be wanted, for work that can end early with less; ``inf`` without a limit."""
    left = _seconds_left.get()
    return math.inf if left is None else left()


def raise_if_cancelled() -> None:
    """Raise if the work is cancelled; called between the steps of long work.

    Raises:
        Exception: of the check.
    """
    check = _check.get()
    if check is not None:
        check()


def cancellable(work: Callable[Params, Result]) -> Callable[Params, Result]:
    """Return ``work`` for the threads of a pool, which have contexts of their own, with this thread's check."""
    check = _check.get()
    if check is None:
        return work

    def checked(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        check()
        with cancelled_by(check):
            return work(*args, **kwargs)

    return checked
