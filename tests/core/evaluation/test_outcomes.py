import math

import pytest

from core.evaluation.outcomes import QueryOutcome, by_source, summarise


def outcome(true_place, final_place, matched, *, labelled=True, retrieved=(), source="", error="", **timings):
    return QueryOutcome(
        "q.jpg", labelled, true_place, source, retrieved, final_place, matched, 0.7, 0.5, timings, error
    )


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        (outcome("a", "a", True), "right"),
        (outcome("a", "b", True), "wrong place"),
        (outcome("a", "a", False), "missed"),
        (outcome(None, "b", True), "false accept"),
        (outcome(None, "b", False), "rightly refused"),
        (outcome(None, "b", True, labelled=False), "unlabelled"),
        (outcome("a", None, False, error="damaged"), "unreadable"),
    ],
)
def test_every_case_has_its_word(query, verdict):
    """Each combination of truth and answer is named."""
    assert query.verdict == verdict


def test_shares_count_only_what_they_speak_of():
    """Recall counts queries of gallery places, false accepts those of nothing; unlabelled ones count nowhere."""
    summary = summarise(
        [
            outcome("a", "a", True, retrieved=("a", "b")),
            outcome("b", "a", True, retrieved=("a", "c", "b")),
            outcome("c", "c", False, retrieved=("x", "c")),
            outcome("d", None, False, retrieved=("x",), error="damaged"),
            outcome(None, "a", True),
            outcome(None, "a", False),
            outcome(None, "a", True, labelled=False),
        ]
    )

    assert (summary.in_gallery, summary.out_of_gallery) == (4, 2)
    assert (summary.recall_at_1, summary.recall_at_5) == (0.25, 0.75)
    assert (summary.final_top1, summary.right, summary.wrong_place) == (0.5, 0.25, 0.25)
    assert summary.false_accepts == 0.5


def test_a_share_of_nothing_is_nan():
    """Without unknown queries there is no false-accept rate, rather than one of zero."""
    assert math.isnan(summarise([outcome("a", "a", True)]).false_accepts)


def test_sources_are_summarised_apart():
    """Each source has its own figures, the one with most queries first."""
    parts = by_source([outcome("a", "a", True, source="x"), *[outcome("a", "b", True, source="y")] * 2])

    assert list(parts) == ["y", "x"]
    assert (parts["x"].right, parts["y"].right) == (1.0, 0.0)


def test_stage_times_are_medians():
    """One slow query does not move the stage times."""
    timed = [outcome("a", "a", True, verify=ms) for ms in (10, 11, 5000)]

    assert summarise(timed).median_ms == {"verify": 11}
