"""Bodies arriving: who is admitted, who is ended, who gives way."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from serving.body_slots import BodySlots, IncomingBody, Pace
from serving.errors import Overloaded, UploadTooSlow

PATIENT = Pace(stall_s=60, min_rate=1)


def run(test: Coroutine[Any, Any, None]) -> None:
    """In an event loop of its own, for at most ten seconds."""
    asyncio.run(asyncio.wait_for(test, 10))


async def stall(body_slots: BodySlots, received: int, begun: asyncio.Event) -> None:
    """Receive some bytes, then nothing."""
    with body_slots.admit() as incoming:
        async with incoming.arriving():
            incoming.receive(received)
            begun.set()
            await asyncio.Event().wait()


async def trickle(body_slots: BodySlots) -> None:
    """Receive a hundred bytes per second, for ever."""
    with body_slots.admit() as incoming:
        async with incoming.arriving():
            while True:
                incoming.receive(1)
                await asyncio.sleep(0.01)


def age(incoming: IncomingBody) -> None:
    """Make a body look as if it had been silent for a while."""
    incoming.last_byte_at -= 5


def test_silence_ends_a_body():
    """A body that stops arriving raises what is answered with 408, and leaves nothing behind."""

    async def test() -> None:
        body_slots = BodySlots(1, 1000, Pace(stall_s=0.05, min_rate=1))
        with pytest.raises(UploadTooSlow, match="100 bytes"):
            await stall(body_slots, 100, asyncio.Event())
        assert (body_slots.inside, body_slots.held_bytes) == (0, 0)

    run(test())


def test_a_trickle_ends_by_its_average():
    """Pieces that come often enough, but hold next to nothing, do not prolong a body's time."""

    async def test() -> None:
        body_slots = BodySlots(1, 1000, Pace(stall_s=0.2, min_rate=1000))
        with pytest.raises(UploadTooSlow):
            await trickle(body_slots)

    run(test())


def test_a_working_body_takes_the_time_it_needs():
    """A body above the rate goes on for longer than any silence may last."""

    async def test() -> None:
        body_slots = BodySlots(1, 10**9, Pace(stall_s=0.1, min_rate=1000))
        with body_slots.admit() as incoming:
            async with incoming.arriving():
                for _ in range(30):
                    incoming.receive(1000)
                    await asyncio.sleep(0.01)
        assert incoming.received == 30_000

    run(test())


def test_the_silent_gives_way():
    """Where places run out, the body silent longest loses its own to the next that comes."""

    async def test() -> None:
        body_slots = BodySlots(2, 1000, PATIENT)
        begun = asyncio.Event()
        silent = asyncio.create_task(stall(body_slots, 10, begun))
        await begun.wait()
        with body_slots.admit() as working:
            async with working.arriving():
                with pytest.raises(Overloaded), body_slots.admit():
                    pass
                age(next(body for body in body_slots._bodies if body is not working))
                with body_slots.admit():
                    with pytest.raises(UploadTooSlow):
                        await silent
                    assert body_slots.inside == 2

    run(test())


def test_what_has_arrived_keeps_its_place():
    """A complete body, waiting for work, is never the one to give way."""

    async def test() -> None:
        body_slots = BodySlots(1, 1000, PATIENT)
        with body_slots.admit() as complete:
            async with complete.arriving():
                complete.receive(10)
            age(complete)
            with pytest.raises(Overloaded), body_slots.admit():
                pass

    run(test())


def test_bytes_are_bounded_together():
    """Bodies together hold no more than allowed: the silent gives way, and where none is, the next piece is refused."""

    async def test() -> None:
        body_slots = BodySlots(10, 1000, PATIENT)
        begun = asyncio.Event()
        silent = asyncio.create_task(stall(body_slots, 600, begun))
        await begun.wait()
        age(*body_slots._bodies)
        with body_slots.admit() as working:
            async with working.arriving():
                working.receive(500)
                with pytest.raises(UploadTooSlow):
                    await silent
                assert body_slots.held_bytes == 500
                with pytest.raises(Overloaded, match="bytes are held"):
                    working.receive(501)
        assert body_slots.held_bytes == 0

    run(test())


def test_no_body_gives_way_to_itself():
    """A body that paused, and goes on where no memory is left, is refused like any other and stays counted."""

    async def test() -> None:
        body_slots = BodySlots(10, 1000, PATIENT)
        with body_slots.admit() as working, body_slots.admit() as paused:
            async with working.arriving(), paused.arriving():
                paused.receive(100)
                working.receive(850)
                age(paused)
                with pytest.raises(Overloaded, match="bytes are held"):
                    paused.receive(100)
            assert body_slots.inside == 2

    run(test())


def test_a_piece_that_comes_too_late_saves_nobody():
    """A body that has lost its place ends, even if its next piece arrives before it learns of that."""

    async def test() -> None:
        body_slots = BodySlots(1, 1000, PATIENT)
        begun, more = asyncio.Event(), asyncio.Event()

        async def pause() -> None:
            with body_slots.admit() as incoming:
                async with incoming.arriving():
                    begun.set()
                    await more.wait()
                    incoming.receive(1)
                    await asyncio.Event().wait()

        paused = asyncio.create_task(pause())
        await begun.wait()
        age(*body_slots._bodies)
        more.set()
        with body_slots.admit(), pytest.raises(UploadTooSlow):
            await paused

    run(test())


def test_a_body_that_is_just_ending_gives_way_too():
    """Where a silent body's time is over, but it has not ended yet, the next that comes is admitted all the same."""

    async def test() -> None:
        body_slots = BodySlots(1, 1000, Pace(stall_s=0.05, min_rate=1))
        begun = asyncio.Event()
        silent = asyncio.create_task(stall(body_slots, 10, begun))
        await begun.wait()
        (incoming,) = body_slots._bodies
        age(incoming)
        while not incoming._timeout.expired():  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0)
        assert not silent.done()
        with body_slots.admit(), pytest.raises(UploadTooSlow):
            await silent

    run(test())
