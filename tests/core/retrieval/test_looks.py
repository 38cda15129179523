"""Looks that an idle processor takes ahead: needed or not, they change no answer."""

from collections.abc import Callable, Iterator
from threading import Barrier, Event, get_ident

import pytest

from core.errors import UnknownCollection
from core.results import LocalFeatures, Look
from core.retrieval import looks
from core.retrieval.looks import Looks

LOOKS = [Look(LocalFeatures((), f"look {number}")) for number in range(4)]


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    monkeypatch.setattr(looks, "count_cores", lambda: 2)


class Taken:
    """Gives looks, and notes which thread took them."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.began = Event()

    def give(self, failing_at: int | None = None) -> Iterator[Look]:
        for number, look in enumerate(LOOKS):
            if number == failing_at:
                raise ValueError("no such picture")
            self.threads.append(get_ident())
            self.began.set()
            yield look


def all_of(further: Looks) -> list[Look]:
    return [taken[0] for taken in iter(further.next, None)]


def during(taken: Taken) -> Callable[[], str]:
    """Work that lasts until a look was taken."""

    def work() -> str:
        assert taken.began.wait(60)
        return "done"

    return work


def test_looks_taken_ahead_keep_their_order_and_none_is_lost():
    """A second thread takes the first while there is work, and this thread takes the others."""
    taken = Taken()

    with Looks(taken.give()) as further:
        assert further.take_during(during(taken), budget_s=60) == "done"
        assert get_ident() not in taken.threads
        assert all_of(further) == LOOKS


def test_a_look_says_what_it_cost():
    """So that the budget counts it where it is used, not where it was taken."""

    def busy() -> Iterator[Look]:
        began = looks.work_time()
        while looks.work_time() - began < 0.05:
            pass
        yield LOOKS[0]

    with Looks(busy()) as further:
        _, cost = further.next()

    assert 0.05 <= cost < 1


@pytest.mark.parametrize("budget_s", [0.0, -1.0])
def test_without_a_budget_none_is_taken_ahead(budget_s):
    """No work is left for looks."""
    taken = Taken()

    with Looks(taken.give()) as further:
        assert further.take_during(lambda: "done", budget_s=budget_s) == "done"

    assert not taken.threads


def test_no_look_is_taken_ahead_of_another_search(monkeypatch):
    """Two searches take a processor each, as on a machine with one core; looks ahead might be for nothing."""
    taken = Taken()

    with Looks(iter(())), Looks(taken.give()) as further:
        further.take_during(lambda: None, budget_s=60)
    monkeypatch.setattr(looks, "count_cores", lambda: 1)
    with Looks(taken.give()) as further:
        further.take_during(lambda: None, budget_s=60)

    assert not taken.threads


def test_a_look_that_fails_ahead_fails_only_who_needs_it():
    """The answer that needs no look is given; later, the look fails as it would have without haste."""
    taken = Taken()

    with Looks(taken.give(failing_at=1)) as further:
        assert further.take_during(during(taken), budget_s=60) == "done"
        assert further.next()[0] == LOOKS[0]
        with pytest.raises(ValueError, match="no such picture"):
            further.next()


def test_after_work_that_fails_the_next_search_is_served():
    """The second thread ends its look, and takes those of the next search."""
    both = Barrier(2, timeout=60)

    def cancelled() -> None:
        both.wait()
        raise UnknownCollection("no such collection")

    def meeting() -> Iterator[Look]:
        both.wait()
        yield from LOOKS

    with pytest.raises(UnknownCollection), Looks(meeting()) as further:
        further.take_during(cancelled, budget_s=60)

    taken = Taken()
    with Looks(taken.give()) as further:
        assert further.take_during(during(taken), budget_s=60) == "done"
        assert all_of(further) == LOOKS
