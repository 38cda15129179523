"""Runs what several threads ask for together: what arrives while one run is under way shares the next."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class Combiner(Generic[Job, Result]):
    """Calls a function that takes many jobs at once, for threads that have one each.

    No thread waits for others to come. The thread that gets the lock runs all waiting jobs, and the others find theirs
    done. If jobs fail together they are run one by one, so that none fails because of another.
    """

    def __init__(self, run: Callable[[Sequence[Job]], Sequence[Result]], lock: Lock) -> None:
        """Wrap ``run``: from N jobs to N results, in order. It is called with ``lock`` held."""
        self._run = run
        self._lock = lock
        self._waiting: list[tuple[Job, Future[Result]]] = []
        self._changing = Lock()

    def __call__(self, job: Job) -> Result:
        """Run a job, together with those of other threads, and return its result.

        Raises:
            Exception: the job's own, as it fails alone.
        """
        result: Future[Result] = Future()
        with self._changing:
            self._waiting.append((job, result))
        with self._lock:
            if not result.done():
                with self._changing:
                    together, self._waiting = self._waiting, []
                self._finish(together)
        return result.result()

    @property
    def waiting(self) -> int:
        """Number of jobs that no thread runs yet."""
        return len(self._waiting)

    def _finish(self, together: Sequence[tuple[Job, "Future[Result]"]]) -> None:
        try:
            results = self._run([job for job, _ in together])
        except Exception as failure:  # given to its caller, or tried again alone
            if len(together) == 1:
                together[0][1].set_exception(failure)
                return
            for one in together:
                self._finish([one])
            return
        except BaseException as ending:  # the process or this thread ends; nobody may wait for ever
            for _, result in together:
                result.set_exception(ending)
            raise
        for (_, result), value in zip(together, results, strict=True):
            result.set_result(value)
