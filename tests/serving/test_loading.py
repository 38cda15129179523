"""Loading behind a live process: failures are told, forgotten and overcome."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable

import pytest

from serving.errors import NotReady
from serving.loading import Loading


class Trouble(Exception):
    """Expected; never passes."""


class PassingTrouble(Trouble):
    """Expected; may pass."""


def failing(times: int, failure: Exception) -> Callable[[], Awaitable[str]]:
    """Fail so many times, then make a value."""
    left = times

    async def make() -> str:
        nonlocal left
        if left:
            left -= 1
            raise failure
        return "loaded"

    return make


class Pauses:
    """Passes at once and remembers how long it would have lasted; lasts for ever after ``at_most`` times."""

    def __init__(self, at_most: int = 100) -> None:
        self.seconds: list[float] = []
        self._at_most = at_most

    async def __call__(self, seconds: float) -> None:
        """Pause."""
        self.seconds.append(seconds)
        if len(self.seconds) > self._at_most:
            await asyncio.Event().wait()


def loading(pauses: Pauses) -> Loading[str]:
    """A loading that retries after passing trouble."""
    return Loading[str]("engine", expected=Trouble, passing=(PassingTrouble,), pause=pauses)


def test_a_failure_that_may_pass_is_tried_again_ever_more_seldom():
    """Weights that come late are found without a restart; tries are 5 s apart at first and 60 s at last."""

    async def scenario() -> None:
        pauses = Pauses()
        engine = loading(pauses)
        await engine.run(failing(6, PassingTrouble("no weights yet")))
        await engine.loaded()
        assert engine.get() == "loaded"
        assert engine.reason is None
        assert pauses.seconds == [5, 10, 20, 40, 60, 60]

    asyncio.run(scenario())


@pytest.mark.parametrize("failure", [Trouble("wrong settings"), ZeroDivisionError("a bug")])
def test_a_failure_that_cannot_pass_is_final(failure: Exception):
    """A mistake in the settings or a bug is not tried over and over."""

    async def scenario() -> None:
        pauses = Pauses()
        engine = loading(pauses)
        await engine.run(failing(1, failure))
        assert await engine.finished() is False
        assert pauses.seconds == []
        with pytest.raises((Trouble, NotReady)):
            engine.get()

    asyncio.run(scenario())


def test_between_two_tries_the_failure_is_told():
    """While the next try is awaited, callers and operators learn why the last one failed."""

    async def scenario() -> None:
        engine = loading(Pauses(at_most=0))
        async with engine.in_background(failing(1, PassingTrouble("no weights yet"))):
            assert await engine.finished() is False
            assert engine.reason == "no weights yet"
            with pytest.raises(PassingTrouble, match="no weights yet"):
                engine.get()

    asyncio.run(scenario())


def test_a_stop_does_not_wait_for_the_next_try():
    """A process that is told to stop during a pause stops, and tries no more."""

    async def scenario() -> None:
        pauses = Pauses(at_most=0)
        engine = loading(pauses)
        async with engine.in_background(failing(1, PassingTrouble("no weights yet"))):
            await engine.finished()
        assert pauses.seconds == [5]
        assert engine.reason == "no weights yet"

    async def in_time() -> None:
        async with asyncio.timeout(10):
            await scenario()

    asyncio.run(in_time())


def test_each_caller_gets_an_exception_of_its_own():
    """The kept failure does not grow with every request that is answered with it, and keeps what it says."""

    async def scenario() -> None:
        engine = Loading[str]("engine", expected=NotReady)
        await engine.run(failing(1, NotReady("no weights", accepted="weights")))
        seen = []
        for _ in range(3):
            with pytest.raises(NotReady) as caught:
                engine.get()
            seen.append(caught.value)
        assert len({id(error) for error in seen}) == 3
        assert len({len(traceback.extract_tb(error.__traceback__)) for error in seen}) == 1
        assert {(str(error), error.accepted) for error in seen} == {("no weights", "weights")}

    asyncio.run(scenario())
