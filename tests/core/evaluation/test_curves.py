"""Curves, calibration, confusions and places, from outcomes small enough to count by hand."""

import math

import pytest

from core.evaluation import curves
from core.evaluation.outcomes import QueryOutcome


def outcome(true_place, final_place, confidence, *, matched=None, labelled=True, retrieved=(), error=""):
    given = confidence >= 0.5 if matched is None else matched
    return QueryOutcome("q.jpg", labelled, true_place, "", retrieved, final_place, given, confidence, 0.5, {}, error)


OUTCOMES = [
    outcome("a", "a", 0.95, retrieved=("a", "b", "c")),
    outcome("a", "b", 0.6, retrieved=("b", "a", "c")),
    outcome("b", "b", 0.2, retrieved=("c", "d", "b")),
    outcome("c", None, 0.0, error="damaged"),
    outcome(None, "a", 0.7),
    outcome(None, "a", 0.1),
    outcome(None, "b", 1.0, labelled=False),
]


def test_recall_grows_with_the_candidates():
    """Recall@k counts places within the first k; a photo that cannot be read was not found either."""
    assert curves.recall_curve(OUTCOMES, 4) == [0.25, 0.5, 0.75, 0.75]
    assert curves.recall_curve(OUTCOMES[4:], 4) == []


@pytest.mark.parametrize(
    ("threshold", "right", "wrong", "false", "precision"),
    [
        (0.0, 0.5, 0.25, 1.0, 0.4),
        (0.5, 0.25, 0.25, 0.5, 1 / 3),
        (0.65, 0.25, 0.0, 0.5, 0.5),
        (0.9, 0.25, 0.0, 0.0, 1.0),
    ],
)
def test_a_threshold_trades_answers_for_errors(threshold, right, wrong, false, precision):
    """Each threshold has the shares that an answer from this confidence on would have given."""
    point = curves.threshold_curve(OUTCOMES)[round(100 * threshold)]

    assert point.threshold == threshold
    assert (point.right, point.wrong_place, point.false_accepts) == (right, wrong, false)
    assert point.precision == pytest.approx(precision)


def test_no_answer_has_no_precision():
    """Above every confidence nothing is answered: a share of nothing, not one of zero."""
    assert math.isnan(curves.threshold_curve(OUTCOMES)[100].precision)


def test_the_calibration_error_is_the_weighed_distance():
    """Bins hold labelled, readable queries; ECE weighs each bin's distance by its count."""
    diagram = curves.reliability_of(OUTCOMES)

    assert [(tenth.low, tenth.count) for tenth in diagram.bins] == [(0.1, 1), (0.2, 1), (0.6, 1), (0.7, 1), (0.9, 1)]
    assert (diagram.bins[-1].confidence, diagram.bins[-1].right) == (0.95, 1.0)
    distances = [0.1, 0.8, 0.6, 0.7, 0.05]
    assert diagram.error == pytest.approx(sum(distances) / 5)


def test_full_confidence_is_in_the_last_bin():
    """A confidence of 1 belongs to the bin that ends there."""
    assert curves.reliability_of([outcome("a", "a", 1.0)]).bins[-1].low == 0.9
    assert math.isnan(curves.reliability_of([]).error)


def test_confusions_say_what_was_taken_for_what():
    """Wrong first candidates are paired, answered ones first; strangers count only where they were answered."""
    found = curves.confusions([*OUTCOMES, outcome("d", "e", 0.1), outcome("d", "e", 0.2)])

    assert found == [
        curves.Confusion(None, "a", 1, 1),
        curves.Confusion("a", "b", 1, 1),
        curves.Confusion("d", "e", 2, 0),
    ]


def test_places_are_listed_worst_first():
    """Each place's queries are right, wrong or missed, and counted as retrieved where it was a candidate."""
    figures = curves.by_place([*OUTCOMES, outcome("e", "e", 0.9, retrieved=("e",))])

    assert [figure.place_id for figure in figures] == ["b", "c", "a", "e"]
    assert figures[0] == curves.PlaceFigures("b", 1, right=0, wrong_place=0, missed=1, retrieved=1)
    assert figures[2] == curves.PlaceFigures("a", 2, right=1, wrong_place=1, missed=0, retrieved=2)
