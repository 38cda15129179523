"""A bounded pool of threads for blocking work, used from the event loop."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, Self, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")


class Workers:
    """A bounded pool of threads. Work that is cancelled while it waits is never started."""

    def __init__(self, count: int, name: str, *, in_background: bool = False) -> None:
        """Describe the threads; they start when they are first needed.

        Args:
            count: threads, >= 1.
            name: of the threads.
            in_background: run at lower priority than other threads.
        """
        self._threads = ThreadPoolExecutor(
            max_workers=count, thread_name_prefix=name, initializer=_lower_priority if in_background else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    async def run(self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs) -> Result:
        """Call ``work`` in one of the threads, with the caller's context (its request id) around it."""
        context = copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: context.run(work, *args, **kwargs))


def _lower_priority() -> None:
    if sys.platform == "linux":  # where priorities are per thread
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
