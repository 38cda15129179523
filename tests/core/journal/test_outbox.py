"""Events that are to be sent, as every replica sees them."""

from pathlib import Path

import pytest
from databases import on_both_databases

from core.gallery import Storage
from core.journal import Outbox, UsageDatabase, WaitingEvent
from core.journal import outbox as module
from core.journal.outbox import KEPT_S, LEASE_S

pytestmark = on_both_databases

NOW = 1_700_000_000.0


@pytest.fixture
def outbox(database: UsageDatabase) -> Outbox:
    """Nothing waits."""
    return Outbox(database)


def test_an_event_waits_until_it_is_received(outbox: Outbox, tmp_path: Path, storage: Storage):
    """Also after a restart; received, it is gone."""
    outbox.put("a", "{}", NOW)
    later = UsageDatabase(tmp_path, storage)

    assert Outbox(later).take(NOW + 1) == WaitingEvent("a", "{}", tries=1)
    Outbox(later).remove("a")
    assert (Outbox(later).take(NOW + LEASE_S + 2), Outbox(later).next_due()) == (None, None)
    later.close()


def test_the_event_that_has_been_due_longest_comes_first(outbox: Outbox):
    """An event that is being sent is not taken by another replica, unless the first one died."""
    for number, event_id in enumerate("cab"):
        outbox.put(event_id, "{}", NOW + number)

    taken = [outbox.take(NOW + 3) for _ in range(4)]

    assert [event and event.event_id for event in taken] == ["c", "a", "b", None]
    assert outbox.next_due() == NOW + 3 + LEASE_S
    assert outbox.take(NOW + 3 + LEASE_S) == WaitingEvent("a", "{}", tries=2)


def test_a_failure_postpones_an_event(outbox: Outbox):
    """It comes again at its time, after longer and longer pauses, but at least every hour."""
    outbox.put("a", "{}", NOW)
    outbox.take(NOW)
    outbox.postpone("a", NOW + 5)

    assert outbox.take(NOW + 4) is None
    assert outbox.take(NOW + 5).tries == 2
    assert [WaitingEvent("a", "{}", tries).pause_s for tries in (1, 2, 3, 6, 1000)] == [5, 20, 80, 3600, 3600]


def test_an_event_is_given_up_after_a_day(outbox: Outbox):
    """Whoever could not be reached for so long does not get a flood of old news."""
    outbox.put("old", "{}", NOW)
    outbox.put("new", "{}", NOW + 10)

    assert outbox.give_up(NOW + KEPT_S + 1) == 1
    assert outbox.take(NOW + KEPT_S + 1).event_id == "new"


def test_the_oldest_events_give_way(outbox: Outbox, monkeypatch: pytest.MonkeyPatch):
    """The outbox is bounded, and says how many it has given up."""
    monkeypatch.setattr(module, "MOST_WAITING", 2)

    given_up = [outbox.put(event_id, "{}", NOW + number) for number, event_id in enumerate("cab")]

    assert given_up == [0, 0, 1]
    assert [outbox.take(NOW + 9).event_id for _ in range(2)] == ["a", "b"]


def test_what_was_noted_is_there_the_next_time(outbox: Outbox):
    """Until it is no longer wanted."""
    assert outbox.noted("health default") is None
    for value in ("1", "2"):
        outbox.note("health default", value)
    outbox.note("health other", "3")

    outbox.forget_notes({"health default"})

    assert (outbox.noted("health default"), outbox.noted("health other")) == ("2", None)
