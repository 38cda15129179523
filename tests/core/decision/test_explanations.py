"""The sentences that explain an answer."""

import numpy as np
import pytest

from core.decision.explanations import ExplainedPair, Reason, explain
from core.results import Correspondences, Verdict

RANDOM = np.random.default_rng(3)


def judged(
    name: str, points: int | None, *, is_match: bool = False, similarity: float = 0.5, rotation: int = 0, said=""
):
    found = None
    if points is not None:
        grid = RANDOM.uniform(0, 1, (points, 2)).astype(np.float32)
        found = Correspondences(grid, grid, rotation)
    return ExplainedPair(f"id of {name}", name, similarity, Verdict(is_match, 0.9 if is_match else 0.1, said, found))


def said(reasons, language="en") -> str:
    return " ".join(reason.say(language) for reason in reasons)


def test_an_answer_is_explained_by_its_numbers():
    """Points, how much of the photo they cover, the turn, and how far behind the next place is."""
    explanation = explain([judged("Vase", 132, is_match=True, rotation=90), judged("Bowl", 4)], matched=True)

    assert said(explanation.reasons) == (
        "132 points agree in one plane. The next place, Bowl, has 4. "
        "What agrees covers 100 % of the collection's photo. The photo was turned by 90 degrees to compare."
    )
    assert said(explanation.reasons, "zh") == (
        "132 个点在同一平面上吻合。 其次是“Bowl”，有 4 个吻合点。 吻合区域占图库照片的 100%。 "
        "比对时将照片旋转了 90 度。"
    )
    assert said(explanation.pair_reasons[1]) == "Only 4 points agree."


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (judged("Bowl", 10, is_match=True), True),
        (judged("Bowl", 60), True),
        (judged("Bowl", 19), False),
        (judged("Vase", 60, is_match=True), False),
    ],
)
def test_a_place_that_looks_alike_is_named(other: ExplainedPair, alike: bool):
    """Another place with half of the points, or accepted as well, is a reason to doubt; another view is none."""
    explanation = explain([judged("Vase", 100, is_match=True), other], matched=True)

    assert (Reason("alike", {"place": "Bowl"}) in explanation.reasons) is alike


def test_what_the_overall_look_would_have_said_is_told():
    """Verification that overturned retrieval's order says so."""
    explanation = explain([judged("Vase", 90, is_match=True), judged("Bowl", 3, similarity=0.8)], matched=True)

    assert "By its overall look alone, Bowl would come first." in said(explanation.reasons)


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (0, "The nearest is Vase. No points agree. That is too little to be sure."),
        (1, "The nearest is Vase. Only 1 point agrees. That is too little to be sure."),
    ],
)
def test_a_refusal_is_explained(points: int, sentence: str):
    """No answer names the nearest place and what was missing."""
    assert said(explain([judged("Vase", points)], matched=False).reasons) == sentence


def test_a_language_model_speaks_for_itself():
    """Where there are no points, the verifier's own words are the reason, braces and all."""
    words = "Both show the {left} wing.\nAnswer: yes"

    explanation = explain([judged("Vase", None, is_match=True, said=words), judged("Bowl", None)], matched=True)

    assert said(explanation.reasons) == words
    assert said(explanation.reasons, "zh") == words
    assert explanation.regions == (None, None)


def test_a_place_given_below_its_verifiers_threshold_is_no_refusal():
    """An operator's lower threshold decides: the answer's points are not called too few."""
    assert explain([judged("Vase", 12)], matched=True).reasons[0].key == "scene"


def test_nothing_to_compare_with_is_said():
    """An answer without candidates has a reason too."""
    assert said(explain([], matched=False).reasons) == "There was nothing to compare with."
