"""Batches are cut, answered, failed and drained as promised."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from serving.batching import DynamicBatcher
from serving.errors import NotReady, Overloaded

FOREVER_S = 3600.0


class Worker:
    """A batch function that keeps what it was given, and waits at a gate where it is told to."""

    def __init__(self, *, gated: bool = False, fail_on: str | None = None) -> None:
        self.batches: list[list[str]] = []
        self.started = threading.Semaphore(0)
        self.gate = threading.Event()
        self.fail_on = fail_on
        if not gated:
            self.gate.set()

    def __call__(self, items: list[str]) -> list[str]:
        self.batches.append(items)
        self.started.release()
        self.gate.wait(timeout=30)
        if self.fail_on in items:
            raise ValueError(f"cannot do {self.fail_on}")
        return [item.upper() for item in items]


def batcher(worker: Callable[[list[str]], list[str]], **changes) -> DynamicBatcher[str, str]:
    """A batcher that waits for nothing but what the test changes."""
    return DynamicBatcher(worker, **{"max_batch_size": 4, "max_wait_s": 0.0, "max_queue": 16, **changes})


async def when_busy(worker: Worker) -> None:
    """Wait until the worker has begun one more batch."""
    await asyncio.to_thread(worker.started.acquire)


async def queued(batches: DynamicBatcher[str, str], count: int) -> None:
    """Let submitted items reach the queue: a few turns of the loop."""
    for _ in range(100):
        if batches.waiting >= count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{batches.waiting} of {count} items are in the queue")


def test_a_full_batch_goes_at_once():
    """A batch of the largest size is cut without waiting for its deadline."""

    async def scenario():
        async with batcher(worker, max_wait_s=FOREVER_S) as batches:
            return await asyncio.gather(*(batches.submit(item) for item in "abcd"))

    worker = Worker()

    assert asyncio.run(scenario()) == ["A", "B", "C", "D"]
    assert worker.batches == [["a", "b", "c", "d"]]


def test_a_lonely_item_goes_at_its_deadline():
    """An item without company is worked on when its wait is over."""

    async def scenario():
        async with batcher(worker, max_wait_s=0.001) as batches:
            return await batches.submit("a")

    worker = Worker()

    assert asyncio.run(scenario()) == "A"


def test_items_that_arrive_while_the_worker_is_busy_share_the_next_batch():
    """The next batch grows while one is running, up to its size."""

    async def scenario():
        async with batcher(worker) as batches:
            first = asyncio.create_task(batches.submit("a"))
            await when_busy(worker)
            rest = [asyncio.create_task(batches.submit(item)) for item in "bcdef"]
            await queued(batches, 5)
            worker.gate.set()
            await asyncio.gather(first, *rest)

    worker = Worker(gated=True)
    asyncio.run(scenario())

    assert worker.batches == [["a"], ["b", "c", "d", "e"], ["f"]]


def test_a_full_queue_is_said_at_once():
    """When as many items wait as may, the next is refused without waiting, and the others are answered."""

    async def scenario():
        async with batcher(worker, max_queue=2) as batches:
            tasks = [asyncio.create_task(batches.submit("a"))]
            await when_busy(worker)
            tasks += [asyncio.create_task(batches.submit(item)) for item in "bc"]
            await queued(batches, 2)
            with pytest.raises(Overloaded, match="2 requests are waiting"):
                await batches.submit("d")
            worker.gate.set()
            return await asyncio.gather(*tasks)

    worker = Worker(gated=True)

    assert asyncio.run(scenario()) == ["A", "B", "C"]


def test_a_failing_batch_fails_only_its_own_callers():
    """An error reaches the callers of its batch; the worker lives on for the next."""

    async def scenario():
        async with batcher(worker, max_batch_size=2, max_wait_s=FOREVER_S) as batches:
            failed = await asyncio.gather(batches.submit("a"), batches.submit("bad"), return_exceptions=True)
            return failed, await asyncio.gather(batches.submit("c"), batches.submit("d"))

    worker = Worker(fail_on="bad")
    failed, answered = asyncio.run(scenario())

    assert [str(error) for error in failed] == ["cannot do bad", "cannot do bad"]
    assert answered == ["C", "D"]


def test_a_cancelled_item_costs_nothing():
    """The item of a caller that left before its batch began is never worked on and frees its place in the queue."""

    async def scenario():
        async with batcher(worker) as batches:
            first = asyncio.create_task(batches.submit("a"))
            await when_busy(worker)
            gone, kept = (asyncio.create_task(batches.submit(item)) for item in ("gone", "kept"))
            await queued(batches, 2)
            gone.cancel()
            await asyncio.wait([gone])
            waiting = batches.waiting
            worker.gate.set()
            return waiting, await asyncio.gather(first, kept)

    worker = Worker(gated=True)
    waiting, answers = asyncio.run(scenario())

    assert waiting == 1
    assert answers == ["A", "KEPT"]
    assert worker.batches == [["a"], ["kept"]]


def test_a_caller_that_leaves_during_its_batch_disturbs_nobody():
    """Cancelling a caller whose batch is running leaves the batch's other callers their answers."""

    async def scenario():
        async with batcher(worker, max_batch_size=2, max_wait_s=FOREVER_S) as batches:
            leaving, staying = (asyncio.create_task(batches.submit(item)) for item in "ab")
            await when_busy(worker)
            leaving.cancel()
            await asyncio.wait([leaving])
            worker.gate.set()
            return await staying

    worker = Worker(gated=True)

    assert asyncio.run(scenario()) == "B"


def test_urgent_items_overtake_background_items():
    """A visitor's item enters the next batch before bulk work that came earlier."""

    async def scenario():
        async with batcher(worker, max_batch_size=2) as batches:
            tasks = [asyncio.create_task(batches.submit("first"))]
            await when_busy(worker)
            tasks += [asyncio.create_task(batches.submit(item, background=True)) for item in ("bulk1", "bulk2")]
            await queued(batches, 2)
            tasks.append(asyncio.create_task(batches.submit("visitor")))
            await queued(batches, 3)
            worker.gate.set()
            await asyncio.gather(*tasks)

    worker = Worker(gated=True)
    asyncio.run(scenario())

    assert worker.batches[1:] == [["visitor", "bulk1"], ["bulk2"]]


def test_closing_answers_what_was_accepted_and_refuses_the_rest():
    """Leaving the batcher drains it: nobody is left without an answer, and nothing new gets in."""

    async def scenario():
        batches = batcher(worker, max_batch_size=2, max_wait_s=FOREVER_S)
        async with batches:
            tasks = [asyncio.create_task(batches.submit(item)) for item in "abc"]
            await when_busy(worker)
            await queued(batches, 1)
            worker.gate.set()
        with pytest.raises(NotReady):
            await batches.submit("late")
        return await asyncio.gather(*tasks)

    worker = Worker(gated=True)

    assert asyncio.run(scenario()) == ["A", "B", "C"]


def test_a_worker_that_loses_answers_fails_its_batch():
    """One result per item, or nobody can know whose result it is."""

    async def scenario():
        async with batcher(lambda items: items[:-1], max_batch_size=2, max_wait_s=FOREVER_S) as batches:
            return await asyncio.gather(batches.submit("a"), batches.submit("b"), return_exceptions=True)

    assert [str(error) for error in asyncio.run(scenario())] == ["the worker answered 1 results for 2 items"] * 2


def test_a_stream_of_visitors_does_not_stop_an_upload():
    """With visitors always waiting, each third batch begins with bulk work; no visitor waits for two such."""

    async def scenario():
        async with batcher(worker, max_batch_size=2, background_every=3) as batches:
            tasks = [asyncio.create_task(batches.submit("first"))]
            await when_busy(worker)
            tasks += [asyncio.create_task(batches.submit(f"bulk{n}", background=True)) for n in range(3)]
            tasks += [asyncio.create_task(batches.submit(f"visitor{n}")) for n in range(10)]
            await queued(batches, 13)
            worker.gate.set()
            await asyncio.gather(*tasks)

    worker = Worker(gated=True)
    asyncio.run(scenario())

    assert [batch[0].rstrip("0123456789") for batch in worker.batches] == [
        "first", "visitor", "visitor", "bulk", "visitor", "visitor", "bulk", "visitor",
    ]  # fmt: skip
    assert worker.batches[6] == ["bulk2", "visitor8"]
