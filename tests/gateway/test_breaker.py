"""A verifier that keeps failing is left alone, and asked again when it has rested."""

import asyncio

import pytest
from fakes.clock import Clock

from gateway.match.breaker import CircuitBreaker


class Broken(Exception):
    """The service failed."""


class Busy(Exception):
    """The service works and refuses."""


class LeftAlone(Exception):
    """The service was not asked."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    """Opens after three failures, for ten seconds."""
    return CircuitBreaker(failures=3, rest_s=10, counted=(Broken,), refuse=LeftAlone, clock=clock)


def ask(breaker: CircuitBreaker, outcome: type[BaseException] | None = None) -> str:
    """Call the service once; what became of it."""
    try:
        with breaker.attempt():
            if outcome is not None:
                raise outcome
    except LeftAlone:
        return "left alone"
    except (Broken, Busy, asyncio.CancelledError):
        return "asked"
    return "answered"


def test_failures_in_a_row_open_it(breaker: CircuitBreaker):
    """Three failures in a row and nobody is let through; two, then a success, and everybody still is."""
    few = [ask(breaker, outcome) for outcome in (Broken, Broken, None, Broken, Broken)]
    was_open = breaker.is_open

    assert few == ["asked", "asked", "answered", "asked", "asked"]
    assert not was_open
    assert [ask(breaker, Broken), ask(breaker), ask(breaker)] == ["asked", "left alone", "left alone"]
    assert breaker.is_open


def test_a_refusal_is_an_answer(breaker: CircuitBreaker):
    """A service that says it is busy works: however often it says so, it is asked."""
    assert [ask(breaker, outcome) for outcome in (Broken, Broken, Busy, Broken, Broken, Busy)] == ["asked"] * 6
    assert not breaker.is_open


def test_after_a_rest_one_request_tries(breaker: CircuitBreaker, clock: Clock):
    """While one tries, all others are still kept away; its success lets everybody through again."""
    for _ in range(3):
        ask(breaker, Broken)
    clock.now_s += 9.9
    too_early = ask(breaker)
    clock.now_s += 0.1
    with breaker.attempt():
        beside = ask(breaker)

    assert (too_early, beside) == ("left alone", "left alone")
    assert not breaker.is_open
    assert ask(breaker) == "answered"


def test_a_trial_that_fails_starts_the_rest_anew(breaker: CircuitBreaker, clock: Clock):
    """One failure is enough then, and the next trial comes a whole rest later."""
    for _ in range(3):
        ask(breaker, Broken)
    clock.now_s += 10
    trial = ask(breaker, Broken)
    clock.now_s += 9
    early = ask(breaker)
    clock.now_s += 1

    assert (trial, early, ask(breaker)) == ("asked", "left alone", "answered")


def test_a_trial_that_is_cancelled_passes_to_the_next(breaker: CircuitBreaker, clock: Clock):
    """A visitor who hangs up during the trial does not keep the service from being tried."""
    for _ in range(3):
        ask(breaker, Broken)
    clock.now_s += 10

    assert [ask(breaker, asyncio.CancelledError), ask(breaker)] == ["asked", "answered"]
