"""The tokens of a style's answer words in a model's vocabulary: usually one, in some vocabularies two or three."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.errors import InvalidRequest
from core.verifiers.prompting.replies import spellings
from core.verifiers.prompting.styles import PromptStyle

MOST_TOKENS = 3
"""Most tokens of an answer word; every token after the first costs one more forward pass."""

Tokens = tuple[int, ...]

_CASES: tuple[Callable[[str], str], ...] = (str, str.lower, lambda word: word.lower().capitalize())


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """The token sequences of yes and of no. None of them is a prefix of another.

    Attributes:
        yes: sequences of 1 to ``MOST_TOKENS`` tokens.
        no: the same for no.
    """

    yes: tuple[Tokens, ...]
    no: tuple[Tokens, ...]

    @classmethod
    def of(cls, style: PromptStyle, encode: Callable[[str], Sequence[int]]) -> "AnswerTokens":
        """Collect the spellings of the style's answer words that are one token, or if there are none, several tokens.

        With ``exact_words`` there is one spelling of every word: the style's.

        Args:
            style: the style whose words are encoded.
            encode: from a word to its tokens.

        Raises:
            InvalidRequest: one answer needs too many tokens in a spelling in which the other does not, so it could
                never win; or both begin with the same tokens.
        """
        yes, no = (_Answer.of(words, encode, exact=style.exact_words) for words in (style.yes, style.no))
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
        # In some vocabularies only one of YES and NO is a single token; upper case counts for both or for neither.
        loud = (yes.loud, no.loud) if yes.loud and no.loud else (set(), set())
        return cls(_shortest(yes.written | loud[0]), _shortest(no.written | loud[1]))

    def beginnings(self) -> list[Tokens]:
        """List the prefixes after which a token of an answer follows, the empty one first."""
        return sorted({tokens[:length] for tokens in (*self.yes, *self.no) for length in range(len(tokens))})


@dataclass(frozen=True, slots=True)
class _Answer:
    """One of the two answers.

    Attributes:
        written: tokens of the words in lower case, capitalised and as in the style.
        loud: tokens of the words in upper case, if that is one token.
        too_long: the cases in which every word of the style has too many tokens, by one spelling.
    """

    written: set[Tokens]
    loud: set[Tokens]
    too_long: list[str]

    @classmethod
    def of(cls, words: Sequence[str], encode: Callable[[str], Sequence[int]], *, exact: bool) -> "_Answer":
        if exact:
            alone = {tokens for word in words if len(tokens := tuple(encode(word))) <= MOST_TOKENS}
            return cls(alone, set(), [] if alone else [words[0]])
        single = {tokens for word in spellings(words) if len(tokens := tuple(encode(word))) == 1}
        loud = {tokens for text in _spaced(map(str.upper, words)) if len(tokens := tuple(encode(text))) == 1}
        written, too_long = set(single), []
        for case in _CASES:
            spelled = [(case(word), tuple(encode(case(word)))) for word in words]
            if any(len(tokens) == 1 for _, tokens in spelled):
                continue
            short = {tokens for _, tokens in spelled if len(tokens) <= MOST_TOKENS}
            written |= short
            too_long += [] if short else [spelled[0][0]]
        quiet = {tuple(encode(text)) for case in _CASES for text in _spaced(map(case, words))}
        return cls(written - (loud - quiet), loud - quiet, too_long)


def _spaced(words: Iterable[str]) -> Iterator[str]:
    """Give every word alone and behind a space, which most vocabularies join to it."""
    for word in words:
        yield from (word, f" {word}")


def _shortest(written: Iterable[Tokens]) -> tuple[Tokens, ...]:
    """Remove sequences with a prefix in the list: the prefix's probability includes theirs."""
    all_of = set(written)
    return tuple(
        sorted(tokens for tokens in all_of if not any(tokens[:length] in all_of for length in range(1, len(tokens))))
    )
