"""Who is let in, who is refused at once, and how the pace of the work decides."""

import pytest
from fakes.clock import Clock

from serving.admission import Gate
from serving.errors import Overloaded


@pytest.fixture
def clock() -> Clock:
    return Clock()


def answer(gate: Gate, clock: Clock, *, times: int, each_s: float) -> None:
    """Let so many through, one after another."""
    for _ in range(times):
        with gate.admit():
            clock.now_s += each_s


def test_what_is_beyond_the_capacity_is_refused():
    """A full gate refuses at once, and lets in again what leaves room."""
    gate = Gate(1)
    with gate.admit():
        with pytest.raises(Overloaded, match="1 requests"), gate.admit():
            raise AssertionError("unreachable")
        with pytest.raises(Overloaded):
            gate.refuse_if_full()
    with gate.admit():
        assert gate.inside == 1


def test_slow_work_leaves_room_for_fewer(clock: Clock):
    """With an answer a second and five seconds of patience, five may be inside; at twice the pace, ten."""
    gate = Gate(128, longest_s=5, clock=clock)

    answer(gate, clock, times=1, each_s=1.0)
    slow = gate.room
    answer(gate, clock, times=100, each_s=0.49)

    assert (slow, gate.room) == (5, 10)


def test_the_capacity_holds_however_quick_the_work():
    """Work that takes no time at all does not open the gate to everybody."""
    clock = Clock()
    gate = Gate(8, longest_s=5, clock=clock)

    answer(gate, clock, times=10, each_s=0.0)

    assert gate.room == 8


def test_two_are_always_let_in(clock: Clock):
    """Work slower than the patience is still done, two at a time."""
    gate = Gate(128, longest_s=5, clock=clock)

    answer(gate, clock, times=3, each_s=60.0)

    assert gate.room == 2


def test_the_pace_is_that_of_all_together(clock: Clock):
    """Three that are answered within one second, having come together, are three answers a second."""
    gate = Gate(128, longest_s=5, clock=clock)
    inside = [gate.admit() for _ in range(3)]
    for slot in inside:
        slot.__enter__()
    for slot in inside:
        clock.now_s += 0.25
        slot.__exit__(None, None, None)

    assert gate.room == 20


def test_failures_do_not_tell_the_pace(clock: Clock):
    """Requests refused as bad in no time do not let a crowd in."""
    gate = Gate(128, longest_s=5, clock=clock)
    answer(gate, clock, times=1, each_s=1.0)

    for _ in range(50):
        with pytest.raises(ValueError, match="bad"), gate.admit():
            raise ValueError("bad photo")

    assert (gate.room, gate.inside) == (5, 0)


def test_answers_that_were_cut_short_do_not_tell_the_pace(clock: Clock):
    """They come sooner than whole ones; counted, they let in a crowd of which nobody gets a whole answer."""
    gate = Gate(128, longest_s=5, clock=clock)
    answer(gate, clock, times=1, each_s=1.0)

    with gate.admit():  # so that the gate is never empty
        for _ in range(50):
            with gate.admit() as admission:
                clock.now_s += 0.05
                admission.is_whole = False
    kept = gate.room
    answer(gate, clock, times=1, each_s=1.0)

    assert kept == 2  # a whole answer in a second, then one in 2.5 seconds: 1.75 on average
    assert gate.room == 3


def test_long_without_a_whole_answer_is_soon_forgotten(clock: Clock):
    """An hour without the verifier counts as one answer that took as long as the patience is."""
    gate = Gate(128, longest_s=5, clock=clock)
    answer(gate, clock, times=20, each_s=0.5)

    with gate.admit():
        clock.now_s += 3600

    assert gate.room == 5


def test_idle_time_is_no_work(clock: Clock):
    """A night without visitors does not make the morning's first one wait alone."""
    gate = Gate(128, longest_s=5, clock=clock)
    answer(gate, clock, times=1, each_s=1.0)
    clock.now_s += 36_000
    answer(gate, clock, times=1, each_s=1.0)

    assert gate.room == 5
