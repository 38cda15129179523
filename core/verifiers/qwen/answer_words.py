"""How a model's vocabulary writes a style's answer words: in one token as a rule, in two or three where need be."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from core.errors import InvalidRequest
from core.verifiers.prompting.replies import spellings
from core.verifiers.prompting.styles import PromptStyle

MOST_TOKENS = 3
"""Of an answer word: each beyond the first takes a forward pass more."""

Tokens = tuple[int, ...]

_CASES: tuple[Callable[[str], str], ...] = (str, str.lower, lambda word: word.lower().capitalize())


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """The ways to write yes, and those to write no. None begins with another.

    Attributes:
        yes: tokens, 1 to ``MOST_TOKENS`` of each.
        no: likewise.
    """

    yes: tuple[Tokens, ...]
    no: tuple[Tokens, ...]

    @classmethod
    def of(cls, style: PromptStyle, encode: Callable[[str], Sequence[int]]) -> "AnswerTokens":
        """Look the style's answer words up: in every spelling that is one token, and where none is, in several.

        Args:
            style: whose words.
            encode: from a word to its tokens.

        Raises:
            InvalidRequest: one of the answers takes more tokens than allowed in a spelling in which the other does
                not, so that it could not win; or both begin with the same tokens.
        """
        yes, no = (_Answer.of(words, encode) for words in (style.yes, style.no))
        answers = (
            f"prompt style {style.name} answers with {'/'.join(style.yes)} or {'/'.join(style.no)}, and this model"
        )
        for mine, other in ((yes, no), (no, yes)):
            if mine.too_long:
                raise InvalidRequest(
                    f"{answers} has no single token for one of them and writes {mine.too_long[0]!r} in more than "
                    f"{MOST_TOKENS}; choose shorter words"
                )
            if any(tokens[: len(short)] == short for tokens in mine.written for short in other.written):
                raise InvalidRequest(f"{answers} begins both with the same token; choose words that begin differently")
        # Capitals throughout are a token in some vocabularies for one of two words; they count for both or for none.
        loud = (yes.loud, no.loud) if yes.loud and no.loud else (set(), set())
        return cls(_shortest(yes.written | loud[0]), _shortest(no.written | loud[1]))

    def beginnings(self) -> list[Tokens]:
        """Whatever has been said when a token of an answer is still to come, nothing first."""
        return sorted({tokens[:length] for tokens in (*self.yes, *self.no) for length in range(len(tokens))})


@dataclass(frozen=True, slots=True)
class _Answer:
    """One of the two answers.

    Attributes:
        written: in lower case, capitalised and as the style writes it.
        loud: in capitals, where that is one token.
        too_long: spellings in one of these cases for which no word of the style is short enough.
    """

    written: set[Tokens]
    loud: set[Tokens]
    too_long: list[str]

    @classmethod
    def of(cls, words: Sequence[str], encode: Callable[[str], Sequence[int]]) -> "_Answer":
        single = {tokens for word in spellings(words) if len(tokens := tuple(encode(word))) == 1}
        loud = {tokens for word in words if len(tokens := tuple(encode(word.upper()))) == 1}
        written, too_long = set(single), []
        for case in _CASES:
            spelled = [(case(word), tuple(encode(case(word)))) for word in words]
            if any(len(tokens) == 1 for _, tokens in spelled):
                continue
            short = {tokens for _, tokens in spelled if len(tokens) <= MOST_TOKENS}
            written |= short
            too_long += [] if short else [spelled[0][0]]
        quiet = {tuple(encode(case(word))) for case in _CASES for word in words}
        return cls(written - (loud - quiet), loud - quiet, too_long)


def _shortest(written: Iterable[Tokens]) -> tuple[Tokens, ...]:
    """Without those that another one begins: its probability holds theirs."""
    all_of = set(written)
    return tuple(sorted(each for each in all_of if not any(each[:length] in all_of for length in range(1, len(each)))))
