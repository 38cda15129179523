"""Runs what several threads ask for together: what arrives while one run is under way shares the next."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Asked(Generic[Job, Result]):
    """A job, the future of its result, and since when it waits."""

    job: Job
    result: "Future[Result]" = field(default_factory=Future)
    since: float = field(default_factory=perf_counter)


class Combiner(Generic[Job, Result]):
    """Calls a function that takes many jobs at once, for threads that have one each.

    No thread waits for others to come. The thread that gets the lock runs all waiting jobs, and the others find theirs
    done. If jobs fail together they are run one by one, so that none fails because of another.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Job]], Sequence[Result]],
        lock: Lock,
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Wrap a function.

        Args:
            run: from N jobs to N results, in order. It is called with ``lock`` held.
            lock: of what ``run`` uses.
            waited: called for every job with the seconds for which it waited.
        """
        self._run = run
        self._lock = lock
        self._waited = waited
        self._waiting: list[_Asked[Job, Result]] = []
        self._changing = Lock()

    def __call__(self, job: Job) -> Result:
        """Run a job, together with those of other threads, and return its result.

        Raises:
            Exception: the job's own, as it fails alone.
        """
        asked: _Asked[Job, Result] = _Asked(job)
        with self._changing:
            self._waiting.append(asked)
        with self._lock:
            if not asked.result.done():
                with self._changing:
                    together, self._waiting = self._waiting, []
                now = perf_counter()
                for one in together:
                    self._waited(now - one.since)
                self._finish(together)
        return asked.result.result()

    @property
    def waiting(self) -> int:
        """Number of jobs that no thread runs yet."""
        return len(self._waiting)

    def _finish(self, together: Sequence[_Asked[Job, Result]]) -> None:
        try:
            results = self._run([one.job for one in together])
        except Exception as failure:  # given to its caller, or tried again alone
            if len(together) == 1:
                together[0].result.set_exception(failure)
                return
            for one in together:
                self._finish([one])
            return
        except BaseException as ending:  # the process or this thread ends; nobody may wait for ever
            for one in together:
                one.result.set_exception(ending)
            raise
        for one, value in zip(together, results, strict=True):
            one.result.set_result(value)
