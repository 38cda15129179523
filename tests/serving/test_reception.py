"""Bodies arriving: who is admitted, who is ended, who gives way."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from serving.errors import Overloaded, UploadTooSlow
from serving.reception import Incoming, Pace, Reception

PATIENT = Pace(stall_s=60, min_rate=1)


def run(test: Coroutine[Any, Any, None]) -> None:
    """In an event loop of its own, for at most ten seconds."""
    asyncio.run(asyncio.wait_for(test, 10))


async def stall(reception: Reception, received: int, begun: asyncio.Event) -> None:
    """Receive some bytes, then nothing."""
    with reception.admit() as incoming:
        async with incoming.arriving():
            incoming.receive(received)
            begun.set()
            await asyncio.Event().wait()


async def trickle(reception: Reception) -> None:
    """Receive a hundred bytes per second, for ever."""
    with reception.admit() as incoming:
        async with incoming.arriving():
            while True:
                incoming.receive(1)
                await asyncio.sleep(0.01)


def age(incoming: Incoming) -> None:
    """Make a body look as if it had been silent for a while."""
    incoming.last_byte_at -= 5


def test_silence_ends_a_body():
    """A body that stops arriving raises what is answered with 408, and leaves nothing behind."""

    async def test() -> None:
        reception = Reception(1, 1000, Pace(stall_s=0.05, min_rate=1))
        with pytest.raises(UploadTooSlow, match="100 bytes"):
            await stall(reception, 100, asyncio.Event())
        assert (reception.inside, reception.held_bytes) == (0, 0)

    run(test())


def test_a_trickle_ends_by_its_average():
    """Pieces that come often enough, but hold next to nothing, do not prolong a body's time."""

    async def test() -> None:
        reception = Reception(1, 1000, Pace(stall_s=0.2, min_rate=1000))
        with pytest.raises(UploadTooSlow):
            await trickle(reception)

    run(test())


def test_a_working_body_takes_the_time_it_needs():
    """A body above the rate goes on for longer than any silence may last."""

    async def test() -> None:
        reception = Reception(1, 10**9, Pace(stall_s=0.1, min_rate=1000))
        with reception.admit() as incoming:
            async with incoming.arriving():
                for _ in range(30):
                    incoming.receive(1000)
                    await asyncio.sleep(0.01)
        assert incoming.received == 30_000

    run(test())


def test_the_silent_gives_way():
    """Where places run out, the body silent longest loses its own to the next that comes."""

    async def test() -> None:
        reception = Reception(2, 1000, PATIENT)
        begun = asyncio.Event()
        silent = asyncio.create_task(stall(reception, 10, begun))
        await begun.wait()
        with reception.admit() as working:
            async with working.arriving():
                with pytest.raises(Overloaded), reception.admit():
                    pass
                age(next(body for body in reception._bodies if body is not working))
                with reception.admit():
                    with pytest.raises(UploadTooSlow):
                        await silent
                    assert reception.inside == 2

    run(test())


def test_what_has_arrived_keeps_its_place():
    """A complete body, waiting for work, is never the one to give way."""

    async def test() -> None:
        reception = Reception(1, 1000, PATIENT)
        with reception.admit() as complete:
            async with complete.arriving():
                complete.receive(10)
            age(complete)
            with pytest.raises(Overloaded), reception.admit():
                pass

    run(test())


def test_bytes_are_bounded_together():
    """Bodies together hold no more than allowed: the silent gives way, and where none is, the next piece is refused."""

    async def test() -> None:
        reception = Reception(10, 1000, PATIENT)
        begun = asyncio.Event()
        silent = asyncio.create_task(stall(reception, 600, begun))
        await begun.wait()
        age(*reception._bodies)
        with reception.admit() as working:
            async with working.arriving():
                working.receive(500)
                with pytest.raises(UploadTooSlow):
                    await silent
                assert reception.held_bytes == 500
                with pytest.raises(Overloaded, match="bytes are held"):
                    working.receive(501)
        assert reception.held_bytes == 0

    run(test())


def test_no_body_gives_way_to_itself():
    """A body that paused, and goes on where no memory is left, is refused like any other and stays counted."""

    async def test() -> None:
        reception = Reception(10, 1000, PATIENT)
        with reception.admit() as working, reception.admit() as paused:
            async with working.arriving(), paused.arriving():
                paused.receive(100)
                working.receive(850)
                age(paused)
                with pytest.raises(Overloaded, match="bytes are held"):
                    paused.receive(100)
            assert reception.inside == 2

    run(test())


def test_a_piece_that_comes_too_late_saves_nobody():
    """A body that has lost its place ends, even if its next piece arrives before it learns of that."""

    async def test() -> None:
        reception = Reception(1, 1000, PATIENT)
        begun, more = asyncio.Event(), asyncio.Event()

        async def pause() -> None:
            with reception.admit() as incoming:
                async with incoming.arriving():
                    begun.set()
                    await more.wait()
                    incoming.receive(1)
                    await asyncio.Event().wait()

        paused = asyncio.create_task(pause())
        await begun.wait()
        age(*reception._bodies)
        more.set()
        with reception.admit(), pytest.raises(UploadTooSlow):
            await paused

    run(test())


def test_a_body_that_is_just_ending_gives_way_too():
    """Where a silent body's time is over, but it has not ended yet, the next that comes is admitted all the same."""

    async def test() -> None:
        reception = Reception(1, 1000, Pace(stall_s=0.05, min_rate=1))
        begun = asyncio.Event()
        silent = asyncio.create_task(stall(reception, 10, begun))
        await begun.wait()
        (incoming,) = reception._bodies
        age(incoming)
        while not incoming._timeout.expired():  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0)
        assert not silent.done()
        with reception.admit(), pytest.raises(UploadTooSlow):
            await silent

    run(test())
