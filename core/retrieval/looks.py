"""Further looks at a query. While it is the only one, an idle processor takes the first of them ahead."""

from collections import deque
from collections.abc import Callable, Iterator
from threading import Event, Lock
from types import TracebackType
from typing import Self, TypeVar

from core.results import Look
from core.runtime.cores import count_cores
from core.runtime.second_thread import SecondThread, work_time
from core.runtime.stage_times import stage

_AHEAD = SecondThread("further looks")

Result = TypeVar("Result")


class Looks:
    """The looks at one query, within a ``with`` block that lasts as long as its search."""

    _counting = Lock()
    _under_way = 0

    def __init__(self, looks: Iterator[Look]) -> None:
        """Take no look yet.

        Args:
            looks: may be advanced by another thread, but never by two at once.
        """
        self._looks = looks
        self._taken: deque[tuple[Look, float]] = deque()
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        """Count this query among those that are searched for."""
        self._count(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Count it no longer."""
        self._count(-1)

    def next(self) -> tuple[Look, float] | None:
        """Return the next look and the seconds of work that it took, or None after the last.

        Raises:
            Exception: of the look, also if it was taken ahead.
        """
        if self._taken:
            return self._taken.popleft()
        if self._failure is not None:
            raise self._failure
        return self._take()

    def take_during(self, work: Callable[[], Result], *, budget_s: float) -> Result:
        """Do some work; meanwhile, take looks ahead if a processor is idle. The answer may wait for one to end.

        Args:
            work: decides whether the looks are needed.
            budget_s: once so many seconds of work are spent on looks, no further one begins.
        """
        if count_cores() == 1:
            return work()
        is_done = Event()

        def take_ahead() -> None:
            began = work_time()
            try:
                while not is_done.is_set() and Looks._under_way == 1 and work_time() - began < budget_s:
                    look = self._take()
                    if look is None:
                        return
                    self._taken.append(look)
            except Exception as error:  # it fails the query only if the look is needed
                self._failure = error

        def do() -> Result:
            try:
                return work()
            finally:
                is_done.set()

        _, (result,) = _AHEAD.share([take_ahead], [do])
        return result

    def _take(self) -> tuple[Look, float] | None:
        began = work_time()
        with stage("further_looks"):
            look = next(self._looks, None)
        return None if look is None else (look, work_time() - began)

    @classmethod
    def _count(cls, change: int) -> None:
        with cls._counting:
            cls._under_way += change
