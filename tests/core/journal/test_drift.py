"""Quiet while nothing changes, and plain about what does."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from core.calibration.calibration import Models, calibrate
from core.calibration.samples import Sample
from core.journal.calibrated import calibration_reference
from core.journal.drift import (
    MatchColumns,
    Reference,
    Share,
    kolmogorov_smirnov,
    population_stability,
    report_drift,
)

MONDAY = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
WEEK = 7 * 86_400.0


def some_weeks(seed: int, *weeks: tuple[int, float, float]) -> MatchColumns:
    """Weeks of (matches, share answered, shift of the scores); 80 % of the scores lie high, as real ones do."""
    rng = np.random.default_rng(seed)
    at, matched, score = [], [], []
    for number, (count, share, shift) in enumerate(weeks):
        at.append(np.sort(MONDAY + WEEK * (number + rng.random(count))))
        matched.append(rng.random(count) < share)
        score.append(np.where(rng.random(count) < 0.8, rng.beta(8, 1, count), rng.beta(1, 8, count)) - shift)
    matched_all = np.concatenate(matched)
    return MatchColumns(np.concatenate(at), matched_all, np.concatenate(score), np.full(len(matched_all), -1, np.int8))


def test_too_few_matches_are_said_to_be_too_few():
    """No verdict is drawn from a handful of photos, and it says how many are needed."""
    drift = report_drift(some_weeks(0, (50, 0.8, 0)), MONDAY + WEEK)

    assert (drift.state, drift.reference_source) == ("too_few", None)
    assert "50 so far; 200 are needed" in drift.en
    assert not drift.weeks[0].is_reference


def test_no_matches_at_all():
    """A collection nobody asked about has a report too."""
    assert report_drift(some_weeks(0, (0, 0.8, 0)), MONDAY).state == "too_few"


def test_steady_use_is_nothing_unusual():
    """Half a year of the same, small weeks and large, raises an alarm in at most one of fifty cases."""
    sizes = (250, 40, 60, 100, 400, 30, 80, 35, 1000, 50, 31, 200) * 2

    alarms = sum(
        report_drift(some_weeks(seed, *((size, 0.8, 0.0) for size in sizes)), MONDAY + 30 * WEEK).state == "unusual"
        for seed in range(50)
    )

    assert alarms <= 1


def test_a_fall_of_the_answers_is_said_in_numbers():
    """Fewer photos answered than before: the sentence says from what to what, in both languages."""
    drift = report_drift(some_weeks(1, (400, 0.8, 0), (200, 0.8, 0), (200, 0.5, 0)), MONDAY + 3 * WEEK)

    assert drift.state == "unusual"
    assert [week.answers_changed for week in drift.weeks] == [False, False, True]
    assert "In the week of 2026-06-15 the share of answered photos fell from 76% to 46% (200 photos)" in drift.en
    assert "下降" in drift.zh


def test_scores_that_moved_are_noticed_before_answers_change():
    """The same share answered at other scores is drift as well."""
    drift = report_drift(some_weeks(2, (400, 0.8, 0), (200, 0.8, 0.1)), MONDAY + 2 * WEEK)

    assert (drift.weeks[1].scores_changed, drift.weeks[1].answers_changed) == (True, False)
    assert "scores have moved" in drift.en


def test_a_calibration_set_is_the_reference_where_there_is_one():
    """Then the first week is judged as well."""
    reference = Reference("calibration", Share(160, 200), np.linspace(0, 1, 200))

    drift = report_drift(some_weeks(3, (300, 0.4, 0)), MONDAY + WEEK, reference)

    assert drift.reference_source == "calibration"
    assert drift.weeks[0].answers_changed


def test_the_week_that_is_not_over_says_so():
    """The present week is counted and marked."""
    drift = report_drift(some_weeks(4, (300, 0.8, 0), (40, 0.8, 0)), MONDAY + 1.9 * WEEK)

    assert [week.is_complete for week in drift.weeks] == [True, False]
    assert [week.is_reference for week in drift.weeks] == [True, False]


def test_feedback_counts_as_labels():
    """Precision is the share of right ones among commented answers, with its exact interval."""
    columns = some_weeks(5, (300, 0.8, 0))
    columns.right[:10] = (1, 1, 1, 1, 1, 1, 1, 1, 1, 0)

    precision = report_drift(columns, MONDAY + WEEK).precision

    assert (precision.count, precision.total) == (9, 10)
    assert precision.interval() == pytest.approx((0.5550, 0.9975), abs=1e-4)  # tables of Clopper and Pearson


def test_equal_samples_have_not_moved():
    """No distance, no shift."""
    values = np.linspace(0, 1, 100)

    assert kolmogorov_smirnov(values, values) == 1.0
    assert population_stability(values, values) == pytest.approx(0)


def test_photos_that_people_labelled_are_the_reference():
    """A calibration from labelled photos is what weeks are compared with; made photos and other models never are."""
    labelled = [Sample(score, score > 0, score > 0, "labelled") for score in np.linspace(-4, 6, 40).tolist()]
    made = [Sample(-5.0, False, False, "left out")] * 60
    matches = replace(some_weeks(0, (50, 0.8, 0)), encoder="e", verifier="v, asked in the style x")
    stored = calibrate(labelled + made, 0.1, Models("e", "v")).to_json()

    reference = calibration_reference(stored, matches)

    assert (reference.source, reference.answered.total, len(reference.scores)) == ("calibration", 40, 40)
    assert 0 < reference.answered.count < 40
    assert calibration_reference(stored, replace(matches, encoder="another")) is None
    assert calibration_reference(calibrate(made, 0.1, Models("e", "v")).to_json(), matches) is None
    assert calibration_reference(None, matches) is None
    assert calibration_reference("{}", matches) is None


def test_another_target_is_no_drift():
    """Weeks before and after the operator chose a stricter threshold are judged by one and the same."""
    columns = some_weeks(3, (200, 0.8, 0), (200, 0.8, 0))
    half = len(columns.at) // 2
    stricter = replace(columns, matched=columns.score > np.where(np.arange(len(columns.at)) < half, 0.2, 0.95))
    reference = Reference("calibration", Share(160, 200), some_weeks(4, (200, 0.8, 0)).score, 0.2)

    assert report_drift(stricter, MONDAY + 3 * WEEK, reference).state != "unusual"
