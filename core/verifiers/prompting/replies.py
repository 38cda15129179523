"""Reads the confidence from a model's answer probabilities, or from its text. Pure functions."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import NoVerdict
from core.verifiers.prompting.styles import PromptStyle

LEAST_MASS = 0.5
"""Least probability of all answer words together; below it another word is likelier, and yes against no is noise."""


@dataclass(frozen=True, slots=True)
class WeighedAnswer:
    """A model's probabilities of yes and no.

    Attributes:
        confidence: P(yes) / (P(yes) + P(no)), [0, 1].
        mass: P(yes) + P(no), [0, 1]; small if another word is likelier than both.
    """

    confidence: float
    mass: float


def weigh(yes: Sequence[float], no: Sequence[float]) -> WeighedAnswer:
    """Weigh yes against no, over all spellings of both.

    Args:
        yes: natural logarithms of the spellings' probabilities, at least one; -inf is a probability of 0.
        no: the same for no.

    Raises:
        NoVerdict: one of them is NaN or +inf, or all are -inf.
    """
    if not all(value < math.inf for value in (*yes, *no)):  # NaN is not below anything
        raise NoVerdict(
            "the model's probabilities are no numbers (NaN or infinity); in float16 such models overflow: choose the "
            "dtype bfloat16 or float32"
        )
    log_yes, log_no = _log_sum(yes), _log_sum(no)
    if max(log_yes, log_no) == -math.inf:
        raise NoVerdict("the model gives neither yes nor no any probability")
    mass = math.exp(min(log_yes, 0.0)) + math.exp(min(log_no, 0.0))
    return WeighedAnswer(confidence=_sigmoid(log_yes - log_no), mass=min(mass, 1.0))


def require_mass(answer: WeighedAnswer, instead: str = "") -> WeighedAnswer:
    """Return ``answer`` if its mass is large enough.

    Args:
        answer: of one pair.
        instead: added to the error's message, e.g. the likeliest word.

    Raises:
        NoVerdict: another word than yes or no is likelier.
    """
    if answer.mass >= LEAST_MASS:
        return answer
    raise NoVerdict(
        f"the reply cannot be read: yes and no together have a probability of {answer.mass:.3f}, "
        f"and a verdict needs {LEAST_MASS:g}{instead}; try another prompt style or model"
    )


def average(answers: Sequence[WeighedAnswer | NoVerdict]) -> WeighedAnswer | NoVerdict:
    """Average the answers about one pair in several orders; ``NoVerdict`` if one of them is.

    Probabilities are averaged, not logits, so that one very confident order does not dominate.
    """
    weighed: list[WeighedAnswer] = []
    for answer in answers:
        if isinstance(answer, NoVerdict):
            return answer
        weighed.append(answer)
    return WeighedAnswer(
        confidence=sum(answer.confidence for answer in weighed) / len(weighed),
        mass=min(answer.mass for answer in weighed),
    )


def spellings(words: Sequence[str]) -> list[str]:
    """List the spellings of the answer words: lower, capitalised and upper case, with and without a leading space."""
    cases = dict.fromkeys(
        case for word in words for case in (word, word.lower(), word.lower().capitalize(), word.upper())
    )
    return [space + case for case in cases for space in ("", " ")]


def read_answer(text: str, style: PromptStyle) -> bool | None:
    """Find the answer in a model's text, for servers without probabilities.

    Looks first at the last line with the style's answer label, then at the first word, then at the last one.

    Returns:
        True for yes, False for no, None if the text has neither.
    """
    text = re.sub(r"<think>.*?(</think>|$)", "", text, flags=re.DOTALL)
    text = re.sub(r"<\|[^|<>]*\|>", "", text).strip()  # special tokens, such as <|begin_of_box|>
    labelled = re.findall(rf"{re.escape(style.answer_label.strip())}\W*(.+)", text, flags=re.IGNORECASE)
    starts = [*labelled[-1:], text]
    for start in starts:
        answer = _leading_answer(start, style)
        if answer is not None:
            return answer
    words = re.findall(r"\w+", text)
    return _leading_answer(words[-1], style) if words else None


def _leading_answer(text: str, style: PromptStyle) -> bool | None:
    """Read the answer word at the beginning of a text, after any quotes, asterisks, braces and JSON key."""
    text = re.sub(r'^\W*(?:"?\w+"\s*:\s*)?\W*', "", text).casefold()
    # Longer words first: a "no" that begins with the letters of a "yes" (是, 是否) must not be read as it.
    words = [(word.casefold(), True) for word in style.yes] + [(word.casefold(), False) for word in style.no]
    for word, meaning in sorted(words, key=lambda entry: -len(entry[0])):
        following = text[len(word) : len(word) + 1]
        # Scripts with spaces end a word at a non-letter; Chinese does not, and "是的，" must be read as "是".
        if text.startswith(word) and not (following.isalnum() and following.isascii()):
            return meaning
    return None


def _log_sum(values: Sequence[float]) -> float:
    peak = max(values)
    if peak == -math.inf:
        return peak
    return peak + math.log(sum(math.exp(value - peak) for value in values))


def _sigmoid(value: float) -> float:
    # exp of a large positive number overflows, exp of a large negative one does not.
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
