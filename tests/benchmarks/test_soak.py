"""The soak test's verdict can fail, and says why."""

from collections import Counter

import pytest

from benchmarks.mixed_traffic import HUNG_UP
from benchmarks.processes import Sample
from benchmarks.soak import Watched, errors, growth, least

FLAT = Sample(0, "verifier", 500, 20, 9)


def watched(rest: Sample, at_work_mb: float = 800) -> Watched:
    """Four minutes from the first rest, which is ``FLAT``, to the last; the first stint takes 800 MB at work."""
    stints = [[Sample(100, "verifier", 800, 30, 9)], [Sample(200, "verifier", at_work_mb, 30, 9)]]
    return Watched(stints, [FLAT, Sample(120, "verifier", 500, 20, 9), rest])


def test_what_stays_as_it_was_is_flat():
    """Nothing is found wrong with a process that ends as it began, give or take what allocators do."""
    assert growth(watched(Sample(240, "verifier", 502, 20, 9), at_work_mb=850)) == []


@pytest.mark.parametrize(
    ("rest", "growing"),
    [
        (Sample(240, "verifier", 510, 20, 9), "rss_mb"),
        (Sample(240, "verifier", 500, 30, 9), "files"),
        (Sample(240, "verifier", 500, 20, 19), "threads"),
    ],
)
def test_what_grows_from_rest_to_rest_is_named(rest, growing):
    """Memory, files and threads have a bar each."""
    (failure,) = growth(watched(rest))
    assert failure.startswith(f"verifier: {growing} rises")


def test_needing_more_at_work_is_growth_too():
    """Memory that is given back at rest and yet grows under traffic ends a process as surely."""
    (failure,) = growth(watched(Sample(240, "verifier", 500, 20, 9), at_work_mb=1000))
    assert "1000 MB at work after 800" in failure


def test_a_rest_is_judged_by_the_least_that_was_seen():
    """What was still being given back when the rest began does not count."""
    assert least([Sample(1, "gateway", 90, 40, 7), Sample(2, "gateway", 80, 12, 7)]) == [
        Sample(2, "gateway", 80, 12, 7)
    ]


def test_server_errors_and_silence_are_errors_and_refusals_are_not():
    """503 and 504 are an overloaded machine's answers; anything else of the kind, or none, is an error."""
    honest = {("match", "200"): 9, ("match", "503"): 2, ("add", "504"): 1, ("add", "415"): 1, ("hang_up", HUNG_UP): 3}
    assert errors(Counter(honest), 0) == []
    wrong = Counter({**honest, ("match", "500"): 1, ("add", "ReadError"): 2})
    assert errors(wrong, 1) == ["1 x match 500", "2 x add ReadError", "1 tracebacks in the log"]
