"""Two processors for one piece of work while nobody else needs the second; one for each piece otherwise."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import local
from typing import Any, TypeVar

from core.runtime.stage_times import StageThreads

First = TypeVar("First")
Last = TypeVar("Last")


class SecondThread:
    """A thread that takes work off its callers, as long as it has none. Several threads may share with it at once."""

    def __init__(self, name: str) -> None:
        """Start nothing yet; the thread begins with the first work and waits without using the processor."""
        self._pool = StageThreads(1, thread_name_prefix=name)

    def share(
        self, first: Sequence[Callable[[], First]], last: Sequence[Callable[[], Last]]
    ) -> tuple[list[First], list[Last]]:
        """Run tasks: this thread from the last on, the second thread from the first on, until they meet.

        While the second thread is busy with the tasks of another caller, this one does all of its own.

        Returns:
            The results of both kinds of tasks, in their order.

        Raises:
            Exception: of a task; the rest is then left undone.
        """
        tasks: list[Callable[[], Any]] = [*first, *last]
        waiting: list[Future[tuple[Any, float]]] = [self._pool.submit(_timed, task) for task in tasks]
        own: list[Any] = []
        try:
            while waiting and waiting[-1].cancel():
                waiting.pop()
                own.append(tasks[len(waiting)]())
            others = [future.result() for future in waiting]
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
        _taken_off.seconds += sum(seconds for _, seconds in others)
        results = [result for result, _ in others] + own[::-1]
        return results[: len(first)], results[len(first) :]


class _TakenOff(local):
    """Seconds of work that second threads took off this one."""

    seconds = 0.0


_taken_off = _TakenOff()


def work_time() -> float:
    """CPU seconds of this thread and of what second threads did for it, from an arbitrary beginning."""
    return time.thread_time() + _taken_off.seconds


def _timed(task: Callable[[], First]) -> tuple[First, float]:
    began = work_time()
    return task(), work_time() - began
