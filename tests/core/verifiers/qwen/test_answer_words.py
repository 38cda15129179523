"""How answer words are looked up in a vocabulary: all spellings alike, in as few tokens as they take."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.errors import InvalidRequest
from core.verifiers.prompting.styles import PromptStyle, load_styles
from core.verifiers.qwen.answer_words import AnswerTokens

SIMPLE = load_styles()["simple"]
# What Qwen's vocabulary has of these words, and what it cuts them into otherwise.
WHOLE = (
    "yes",
    "Yes",
    "YES",
    "no",
    "No",
    "NO",
    " yes",
    " no",
    "ja",
    "Ja",
    "oui",
    "non",
    "Non",
    " sí",
    "si",
    "是",
    "否",
    "不",
)
PARTS = ("ne", "in", "Ne", "JA", "NE", "IN", "O", "ui", "UI", "N", "ON", "S", "s", "í", "Í", "は", "い", "え", "的")
IDS = {piece: number for number, piece in enumerate((*WHOLE, *PARTS))}


def encode(text: str) -> Sequence[int]:
    """The longest pieces first; letters that are no piece are one token each."""
    tokens = []
    while text:
        piece = max((word for word in IDS if text.startswith(word)), key=len, default=text[0])
        tokens.append(IDS[piece] if piece in IDS else 1000 + ord(piece))
        text = text[len(piece) :]
    return tokens


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
    assert set(english.yes) == ids("yes", "Yes", "YES", " yes")
    assert set(english.no) == ids("no", "No", "NO", " no")


def test_words_of_several_tokens_are_scored_whole():
    """German, the documentation's own example: nein is no token, and counts as all of its tokens together."""
    answers = AnswerTokens.of(style("ja", "nein"), encode)
    assert set(answers.yes) == ids("ja", "Ja")
    assert set(answers.no) == ids("nein", "Nein")
    assert answers.beginnings() == [(), *sorted({tuple(encode("ne")), tuple(encode("Ne"))})]


@pytest.mark.parametrize(("yes", "no"), [("oui", "non"), ("sí", "no"), ("はい", "いいえ")])
def test_no_answer_is_without_a_spelling_that_the_other_has(yes: str, no: str):
    """Each answer can be written in lower case and capitalised, whether or not the vocabulary has it as a token."""
    answers = AnswerTokens.of(style(yes, no), encode)
    assert ids(yes, yes.capitalize()) <= set(answers.yes)
    assert ids(no, no.capitalize()) <= set(answers.no)


def test_capitals_count_for_both_or_for_none():
    """OUI is no token where NON would be one: neither counts."""
    answers = AnswerTokens.of(style("oui", "no"), encode)
    assert not ids("NO") & set(answers.no)


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
        ("indubitably", "no", "no single token.*'indubitably' in more than 3; choose shorter words"),
        ("ja", "keinesfalls", "'keinesfalls' in more than 3"),
        ("xs", "xsno", "begins both with the same token"),
    ],
)
def test_lopsided_sets_are_refused(yes: str, no: str, message: str):
    """Where one answer could not win, or could be mistaken for the other, the style is refused by name."""
    with pytest.raises(InvalidRequest, match=f"style own answers with {yes} or {no}.*{message}"):
        AnswerTokens.of(style(yes, no), encode)
