"""How answer words are looked up in Qwen's vocabulary: all spellings alike, in as few tokens as they take."""

import base64
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from core.errors import InvalidRequest
from core.verifiers.prompting.styles import PromptStyle, load_styles
from core.verifiers.qwen.answer_words import AnswerTokens

SIMPLE = load_styles()["simple"]
REPOSITORY = Path(__file__).parents[4]
_TABLE = json.loads((REPOSITORY / "tests" / "tables" / "qwen_vocabulary.json").read_text(encoding="utf-8"))
TOKENS = {base64.b64decode(piece): token for piece, token in _TABLE["tokens"].items()}


def encode(text: str) -> Sequence[int]:
    """Byte-pair encoding with the part of Qwen's real vocabulary that the words of this file need."""
    assert text.strip().lower() in _TABLE["words"], f"{text!r} is not among the words of the table"
    pieces = [bytes([byte]) for byte in text.encode()]
    while True:
        joined = [first + second for first, second in pairwise(pieces)]
        place = min(range(len(joined)), key=lambda number: TOKENS.get(joined[number], math.inf), default=None)
        if place is None or joined[place] not in TOKENS:
            return [TOKENS[piece] for piece in pieces]
        pieces[place : place + 2] = [joined[place]]


def style(yes: str | tuple[str, ...], no: str | tuple[str, ...]) -> PromptStyle:
    listed = [(words,) if isinstance(words, str) else words for words in (yes, no)]
    return replace(SIMPLE, name="own", yes=listed[0], no=listed[1])


def ids(*words: str) -> set[tuple[int, ...]]:
    return {tuple(encode(word)) for word in words}


def test_words_of_one_token_take_one_pass():
    """The built-in English and Chinese words need nothing beyond the first token."""
    for words in (style("yes", "no"), style(("是", "是的"), ("否", "不是", "不"))):
        answers = AnswerTokens.of(words, encode)
        assert answers.beginnings() == [()]
    english = AnswerTokens.of(style("yes", "no"), encode)
    assert set(english.yes) == ids("yes", "Yes", "YES", " yes", " Yes", " YES")
    assert set(english.no) == ids("no", "No", "NO", " no", " No", " NO")


def test_words_of_several_tokens_are_scored_whole(tmp_path: Path):
    """German, the documentation's own example: nein is no token, and counts as all of its tokens together."""
    documented = (REPOSITORY / "docs" / "prompt-styles.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", documented, re.DOTALL)
    (tmp_path / "styles.toml").write_text(example, encoding="utf-8")
    answers = AnswerTokens.of(load_styles(tmp_path / "styles.toml")["german"], encode)
    assert set(answers.yes) == ids("ja", "Ja", " ja", " Ja")
    assert set(answers.no) == ids("nein", "Nein")
    assert [len(word) for word in answers.no] == [2, 2]
    assert answers.beginnings() == [(), *sorted(word[:1] for word in answers.no)]


@pytest.mark.parametrize(
    ("yes", "no"),
    [("oui", "non"), ("sí", "no"), ("sì", "no"), ("sim", "não"), ("да", "нет"), ("はい", "いいえ"), ("네", "아니요")],
)
def test_no_answer_is_without_a_spelling_that_the_other_has(yes: str, no: str):
    """Each answer can be written in lower case and capitalised, whether or not the vocabulary has it as a token."""
    answers = AnswerTokens.of(style(yes, no), encode)
    assert ids(yes, yes.capitalize()) <= set(answers.yes)
    assert ids(no, no.capitalize()) <= set(answers.no)


def test_capitals_count_for_both_or_for_none():
    """OUI is no token where NON would be one: neither counts."""
    answers = AnswerTokens.of(style("oui", "no"), encode)
    assert not ids("NO", " NO") & set(answers.no)


def test_a_word_that_another_begins_counts_once():
    """The probability of its first token holds the longer word's."""
    answers = AnswerTokens.of(style(("xs", "xsí"), "no"), encode)
    assert ids("xs") <= set(answers.yes)
    assert not ids("xsí") & set(answers.yes)


def test_exact_words_have_one_spelling():
    """A reranker is trained on these two tokens; other spellings would add what nobody trained."""
    answers = AnswerTokens.of(replace(style("yes", "no"), exact_words=True), encode)
    assert (set(answers.yes), set(answers.no)) == (ids("yes"), ids("no"))


@pytest.mark.parametrize(
    ("yes", "no", "message"),
    [
        ("indisputably", "no", "no single token.*'indisputably' in more than 3; choose shorter words"),
        ("ja", "unwiderlegbar", "'unwiderlegbar' in more than 3"),
        ("xs", "xsno", "begins both with the same token"),
    ],
)
def test_lopsided_sets_are_refused(yes: str, no: str, message: str):
    """Where one answer could not win, or could be mistaken for the other, the style is refused by name."""
    with pytest.raises(InvalidRequest, match=f"style own answers with {yes} or {no}.*{message}"):
        AnswerTokens.of(style(yes, no), encode)
