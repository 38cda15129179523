"""What a piece of work costs: wall and CPU time of its stages, in whatever threads they run."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from threading import Lock
from typing import ParamSpec, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")


class StageTimes:
    """The times of one piece of work. Several threads may add to them.

    Attributes:
        wall_s: seconds by stage; a stage that ran twice counts both times.
        cpu_s: seconds of work by stage, of all its threads together, including the stages inside it.
    """

    def __init__(self) -> None:
        """Start without stages."""
        self.wall_s: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}
        self._lock = Lock()

    def add(self, name: str, wall_s: float, cpu_s: float) -> None:
        """Add to the times of a stage."""
        with self._lock:
            self.wall_s[name] = self.wall_s.get(name, 0.0) + wall_s
            self.cpu_s[name] = self.cpu_s.get(name, 0.0) + cpu_s


_recorded: ContextVar[tuple[StageTimes, tuple[str, ...]] | None] = ContextVar("recorded", default=None)
"""Where the times of this context go, and the stages that it is in."""


@contextmanager
def recording() -> Iterator[StageTimes]:
    """Record the stages of the block; in this thread, and in threads that get its context."""
    times = StageTimes()
    token = _recorded.set((times, ()))
    try:
        yield times
    finally:
        _recorded.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure the block, or the function that this decorates, as a stage; does nothing where nobody records."""
    recorded = _recorded.get()
    if recorded is None:
        yield
        return
    times, around = recorded
    token = _recorded.set((times, (*around, name)))
    wall, cpu = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        times.add(name, time.perf_counter() - wall, time.thread_time() - cpu)
        _recorded.reset(token)


class StageThreads(ThreadPoolExecutor):
    """A pool of threads whose work counts for the stages from which it was submitted, and has their context."""

    def submit(self, fn: Callable[Params, Result], /, *args: Params.args, **kwargs: Params.kwargs) -> Future[Result]:
        """Run ``fn`` in a thread; ``map`` does so for every item."""
        return super().submit(copy_context().run, _counted, partial(fn, *args, **kwargs))


def _counted(work: Callable[[], Result]) -> Result:
    recorded = _recorded.get()
    if recorded is None:
        return work()
    times, around = recorded
    began = time.thread_time()
    try:
        return work()
    finally:
        for name in around:
            times.add(name, 0.0, time.thread_time() - began)
