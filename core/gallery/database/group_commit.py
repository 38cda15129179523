"""One transaction for the calls of several threads: syncing the disk is expensive, writing rows is cheap."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

from core.errors import InvalidRequest

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Call(Generic[Item, Result]):
    items: Sequence[Item]
    results: list[Result] = field(default_factory=list)
    failure: BaseException | None = None
    is_done: bool = False


class GroupCommit(Generic[Item, Result]):
    """Joins the calls of several threads. The thread that gets the lock commits all calls that wait by then.

    A call is committed as a whole or not at all. A call with an invalid item does not fail the others.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], list[Result]]) -> None:
        """Take the function that commits.

        Args:
            commit: stores all items or none, and returns one result per item, in order; never called twice at once.
        """
        self._commit = commit
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._turn = Lock()

    def submit(self, items: Sequence[Item]) -> list[Result]:
        """Commit items; return when they are committed.

        Returns:
            One result per item, in order.

        Raises:
            Exception: what ``commit`` raised; none of the items is stored.
        """
        call: _Call[Item, Result] = _Call(items)
        self._waiting.append(call)
        with self._turn:
            if not call.is_done:
                # Other threads may append meanwhile; items are taken only here, under the lock.
                self._work([self._waiting.popleft() for _ in range(len(self._waiting))])
        if call.failure is not None:
            raise call.failure
        return call.results

    def _work(self, calls: Sequence[_Call[Item, Result]]) -> None:
        try:
            results = iter(self._commit([item for call in calls for item in call.items]))
            for call in calls:
                call.results = [next(results) for _ in call.items]
        except InvalidRequest as error:
            if len(calls) > 1:
                for call in calls:
                    self._work([call])
            else:
                calls[0].failure = error
        except BaseException as error:
            # A full or locked disk concerns all calls.
            for call in calls:
                call.failure = error
        finally:
            for call in calls:
                call.is_done = True
