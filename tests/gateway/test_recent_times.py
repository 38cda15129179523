"""How long the last answers took."""

from gateway.match.recent_times import RecentTimes


def test_half_and_nearly_all_answers_are_summed_up():
    """The median, and what 95 of 100 did not exceed, of every stage that there was."""
    times = RecentTimes()
    for spent in range(1, 101):
        times.note({"encode": spent, "total": 2 * spent})
    times.note({"total": 1})

    assert times.summary() == {"encode": {"median": 50, "p95": 95}, "total": {"median": 100, "p95": 190}}


def test_only_the_last_answers_count():
    """What was slow yesterday is not shown today."""
    times = RecentTimes(most=2)
    for spent in (900, 10, 20):
        times.note({"total": spent})

    assert (times.count, times.summary()) == (2, {"total": {"median": 15, "p95": 20}})
