"""Gathers single calls into batches: many callers, one blocking worker. It knows neither models nor HTTP."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from serving.errors import NotReady, Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    answer: asyncio.Future[Result]
    since_s: float


class DynamicBatcher(Generic[Item, Result]):
    """Gathers single calls into batches for one blocking worker thread.

    A batch closes at ``max_batch_size`` items, or ``max_wait_s`` after its first item. While the worker is busy, the
    next batch grows. An exception from ``run_batch`` is raised to the callers of that batch only. The item of a
    cancelled caller is dropped before it is worked on.

    Background items (bulk indexing) fill batches behind urgent ones, so a visitor waits for one running batch at most.
    Background items go first in every ``background_every``-th batch, so that an endless stream of visitors cannot stop
    an upload; a visitor then waits for one more batch.

    Use it as an async context manager. Leaving it answers all accepted items, then stops the worker.
    """

    def __init__(
        self,
        run_batch: Callable[[list[Item]], Sequence[Result | Exception]],
        *,
        max_batch_size: int,
        max_wait_s: float,
        max_queue: int,
        background_every: int = 8,
        name: str = "batcher",
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        """Set the limits of batches; nothing starts yet.

        Args:
            run_batch: called in the worker thread, never twice at once; answers one result per item, in order; an
                exception among them is raised for its item alone.
            max_batch_size: >= 1.
            max_wait_s: how long the first item of a batch waits for further items, >= 0.
            max_queue: most waiting urgent items; callers must bound the background items.
            background_every: one of so many batches begins with the waiting background items, >= 2.
            name: of the worker thread.
            on_batch: called with every batch's size, in the event loop.
        """
        self._run_batch = run_batch
        self._max_batch_size = max_batch_size
        self._max_wait_s = max_wait_s
        self._max_queue = max_queue
        self._background_every = background_every
        self._without_background = 0
        self._on_batch = on_batch
        self._urgent: deque[_Waiting[Item, Result]] = deque()
        self._background: deque[_Waiting[Item, Result]] = deque()
        self._changed = asyncio.Event()
        self._closing = False
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._dispatcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start dispatching."""
        self._dispatcher = asyncio.create_task(self._dispatch())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Refuse new items, answer the accepted ones, stop the worker."""
        self._closing = True
        self._changed.set()
        if self._dispatcher is not None:
            await self._dispatcher
        self._worker.shutdown()

    @property
    def waiting(self) -> int:
        """Items accepted and not yet in a batch."""
        return len(self._urgent) + len(self._background)

    async def submit(self, item: Item, *, background: bool = False) -> Result:
        """Work on one item.

        Args:
            item: handed to ``run_batch``.
            background: wait behind every urgent item.

        Raises:
            Overloaded: ``max_queue`` urgent items are waiting already.
            NotReady: the batcher is stopping.
            Exception: the one that ``run_batch`` returned for this item, or raised for its batch.
        """
        if self._closing:
            raise NotReady("the process is stopping")
        if not background and len(self._urgent) >= self._max_queue:
            raise Overloaded(f"{self._max_queue} requests are waiting, which is the limit; try again shortly")
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Result] = _Waiting(item, loop.create_future(), loop.time())
        lane = self._background if background else self._urgent
        lane.append(waiting)
        self._changed.set()
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            with suppress(ValueError):  # it may be in a batch by now
                lane.remove(waiting)
            raise

    async def _dispatch(self) -> None:
        while not (self._closing and not self.waiting):
            await self._until_batch_is_due()
            batch = self._cut_batch()
            if batch:
                if self._on_batch is not None:
                    self._on_batch(len(batch))
                await self._answer(batch)

    async def _until_batch_is_due(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing and self.waiting < self._max_batch_size:
            firsts = [lane[0].since_s for lane in (self._urgent, self._background) if lane]
            due_s = min(firsts) + self._max_wait_s if firsts else None
            if due_s is not None and due_s <= loop.time():
                return
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._changed.wait()

    def _cut_batch(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        lanes = [self._urgent, self._background]
        if self._without_background >= self._background_every - 1:
            lanes.reverse()
        before = len(self._background)
        for lane in lanes:
            while lane and len(batch) < self._max_batch_size:
                waiting = lane.popleft()
                if not waiting.answer.done():
                    batch.append(waiting)
        starved = bool(self._background) and len(self._background) == before
        self._without_background = self._without_background + 1 if starved else 0
        return batch

    async def _answer(self, batch: list[_Waiting[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._worker, self._run_batch, [waiting.item for waiting in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"the worker answered {len(results)} results for {len(batch)} items")
        except Exception as exc:  # raised again to the callers of the batch
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(exc)
            return
        for waiting, result in zip(batch, results, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(result, Exception):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)
