"""In which order the photos of a pair are asked about, and how often."""

from collections.abc import Sequence

import pytest

from core.errors import NoVerdict
from core.verifiers.prompting.questions import weigh_in_both_orders
from core.verifiers.prompting.replies import WeighedAnswer


class Scripted:
    """Knows the confidence of every pair, query first and candidate first; None: no verdict."""

    def __init__(self, first: Sequence[float | None], second: Sequence[float | None]) -> None:
        self.orders = (first, second)
        self.asked: list[tuple[list[int], bool]] = []

    def __call__(self, pairs: Sequence[int], candidate_first: bool) -> list[WeighedAnswer | NoVerdict]:
        """Answer, and note what was asked."""
        self.asked.append((list(pairs), candidate_first))
        known = [self.orders[candidate_first][pair] for pair in pairs]
        return [NoVerdict("unreadable") if value is None else WeighedAnswer(value, 1.0) for value in known]


def confidences(scripted: Scripted) -> list[float | None]:
    """Weigh all pairs in both orders."""
    answers = weigh_in_both_orders(scripted, len(scripted.orders[0]))
    return [answer.confidence if isinstance(answer, WeighedAnswer) else None for answer in answers]


def test_the_second_order_is_asked_about_the_best_two():
    """Five pairs cost seven questions, not ten."""
    scripted = Scripted([0.2, 0.9, 0.1, 0.6, 0.3], [1, 0.7, 1, 0.8, 1])

    assert confidences(scripted) == pytest.approx([0.2, 0.8, 0.1, 0.7, 0.3])
    assert scripted.asked == [([0, 1, 2, 3, 4], False), ([1, 3], True)]


def test_no_pair_wins_by_one_order_alone():
    """Where the best two lose by the second order, the pairs that are then the best are asked about too."""
    scripted = Scripted([0.7, 0.9, 0.1, 0.8, 0.3], [0.9, 0.1, 1, 0.2, 1])

    assert confidences(scripted) == pytest.approx([0.8, 0.5, 0.1, 0.5, 0.65])
    assert scripted.asked == [([0, 1, 2, 3, 4], False), ([1, 3], True), ([0, 4], True)]


def test_equal_pairs_are_treated_alike():
    """A photo that is listed twice is asked about in both orders twice, or not at all."""
    scripted = Scripted([0.6, 0.9, 0.6], [0.4, 0.9, 0.4])

    assert confidences(scripted) == pytest.approx([0.5, 0.9, 0.5])


def test_a_pair_without_a_verdict_has_none():
    """An unreadable answer in either order is no verdict; a pair without one is not asked about again."""
    scripted = Scripted([None, 0.9, 0.4], [0.9, None, 0.6])

    assert confidences(scripted) == [None, None, pytest.approx(0.5)]
    assert scripted.asked == [([0, 1, 2], False), ([1, 2], True)]
    assert confidences(Scripted([None], [0.5])) == [None]
    assert confidences(Scripted([], [])) == []
