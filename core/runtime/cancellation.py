"""Long work asks between its steps whether anybody still waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")

Check = Callable[[], None]
"""Returns while the work is wanted, else raises."""

_check: ContextVar[Check | None] = ContextVar("check", default=None)


@contextmanager
def cancelled_by(check: Check) -> Iterator[None]:
    """Let the work inside stop where ``check`` raises. Holds for this thread, and for those given its context."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def raise_if_cancelled() -> None:
    """Put between two steps of long work.

    Raises:
        Exception: the check's, where nobody wants the work any more.
    """
    check = _check.get()
    if check is not None:
        check()


def cancellable(work: Callable[Params, Result]) -> Callable[Params, Result]:
    """``work`` for the threads of a pool, whose contexts are their own: each call has this thread's check."""
    check = _check.get()
    if check is None:
        return work

    def checked(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        check()
        with cancelled_by(check):
            return work(*args, **kwargs)

    return checked
