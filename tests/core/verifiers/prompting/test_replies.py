"""What models say, and what it means."""

import math

import pytest

from core.verifiers.prompting.replies import WeighedAnswer, average, read_answer, spellings, weigh
from core.verifiers.prompting.styles import load_styles

STYLES = load_styles()


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("yes", True),
        ("No", False),
        ("Yes.", True),
        ("**Yes**", True),
        ("“No.”", False),
        ("'yes'", True),
        ("yes, both show the same gate", True),
        ("No — the statue in the second photo holds a scroll.", False),
        ("Answer: yes", True),
        ("**Answer:** No", False),
        ("The roofs agree, and yes, so do the lions.\nAnswer: no", False),
        ("Answer: yes\nOn reflection:\nAnswer: no", False),
        ("answer:NO", False),
        ('{"answer": "yes"}', True),
        ('{"match": "no", "reason": "yes it looks alike"}', False),
        ("<think>No, wait. Yes?</think>\n\nno", False),
        ("The first shows a gate, the second the same gate from behind. Yes", True),
        ("Yesterday's light", None),
        ("Nothing can be made out", None),
        ("I am not sure", None),
        ("", None),
        ("   ", None),
        ("<think>yes", None),
        ("?!", None),
    ],
)
def test_words_are_read(text: str, meaning: bool | None):
    """The answer is found in the forms in which models give it, and nowhere else."""
    assert read_answer(text, STYLES["simple"]) is meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("是", True),
        ("否。", False),
        ("“是”", True),
        ("是的，两张照片是同一处。", True),
        ("不是同一处", False),
        ("不，台座不同。", False),
        ("答案：否", False),
        ("屋檐一致，匾额也一致。\n答案：是", True),
        ("无法判断", None),
    ],
)
def test_chinese_words_are_read(text: str, meaning: bool | None):
    """Chinese answers are read without spaces to end a word at, and 不是 is never read as 是."""
    assert read_answer(text, STYLES["chinese"]) is meaning


def test_spellings_cover_case_and_space():
    """An answer word is looked for in every case and with the space some tokenizers put before it."""
    assert set(spellings(["yes"])) == {"yes", "Yes", "YES", " yes", " Yes", " YES"}
    assert set(spellings(["是"])) == {"是", " 是"}


@pytest.mark.parametrize(
    ("yes", "no", "confidence", "mass"),
    [
        ([math.log(0.6)], [math.log(0.2)], 0.75, 0.8),
        ([math.log(0.3), math.log(0.3)], [math.log(0.1), math.log(0.1)], 0.75, 0.8),
        ([0.0], [-math.inf], 1.0, 1.0),
        ([-math.inf, math.log(0.5)], [math.log(0.5)], 0.5, 1.0),
        ([-800.0], [-801.0], 1 / (1 + math.exp(-1)), 0.0),
        ([-1000.0], [0.0], 0.0, 1.0),
    ],
)
def test_probabilities_are_weighed(yes: list[float], no: list[float], confidence: float, mass: float):
    """Confidence is yes against no over all spellings, however small the probabilities."""
    answer = weigh(yes, no)
    assert answer.confidence == pytest.approx(confidence, abs=1e-12)
    assert answer.mass == pytest.approx(mass, abs=1e-12)


def test_orders_are_averaged_as_probabilities():
    """One very sure order does not outvote the other, and the smaller mass is the one reported."""
    answer = average([WeighedAnswer(1.0, 0.9), WeighedAnswer(0.2, 0.4)])
    assert answer == WeighedAnswer(pytest.approx(0.6), 0.4)
