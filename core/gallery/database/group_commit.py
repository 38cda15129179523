"""Lets callers who wait for each other share one transaction: the disk's syncs cost, the rows hardly do."""

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
    """Joins the calls of several threads: whose turn it is works for all who wait by then. Has no thread of its own.

    A call is all or none, and one with an unacceptable item fails no other.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], list[Result]]) -> None:
        """Nobody waits yet.

        Args:
            commit: stores all items or none, and returns one result per item, in order; never called twice at once.
        """
        self._commit = commit
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._turn = Lock()

    def submit(self, items: Sequence[Item]) -> list[Result]:
        """Have items committed; when this returns they are.

        Returns:
            One result per item, in order.

        Raises:
            Exception: what ``commit`` raised; none of the items is stored.
        """
        call: _Call[Item, Result] = _Call(items)
        self._waiting.append(call)
        with self._turn:
            if not call.is_done:
                # Others may append meanwhile; only here is anything taken.
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
            # A full or locked disk is everybody's.
            for call in calls:
                call.failure = error
        finally:
            for call in calls:
                call.is_done = True
