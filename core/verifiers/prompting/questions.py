"""Turns the answers to a style's questions into verdicts, for local models and servers alike."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from core.errors import NoVerdict
from core.results import Verdict
from core.verifiers.prompting.replies import WeighedAnswer, average
from core.verifiers.prompting.styles import PromptStyle

logger = logging.getLogger(__name__)

Dialogue = tuple[str, ...]
"""The texts after a pair's photos: question, reply, question, ...; the last one is a question."""


WeighPairs = Callable[[Sequence[int], bool], Sequence[WeighedAnswer | NoVerdict]]

_ASKED_AGAIN = 2
# Two photos of one content get confidences that differ by rounding.
_AS_LIKELY = 1e-4


class VisionLanguageModel(Protocol):
    """A model that has got the photos of the K pairs of one query."""

    @property
    def shown(self) -> Sequence[int]:
        """Number of photos of every candidate, K numbers >= 1."""
        ...

    def weigh(self, dialogues: Sequence[Dialogue]) -> Sequence[WeighedAnswer | NoVerdict]:
        """Weigh yes against no as the next word of the K dialogues; ``NoVerdict`` for a pair without an answer."""
        ...

    def reply(self, dialogues: Sequence[Dialogue], max_tokens: int) -> Sequence[str | NoVerdict]:
        """Generate the next turn of the K dialogues; ``NoVerdict`` for a pair that the model refuses."""
        ...


def ask_style(style: PromptStyle, model: VisionLanguageModel, *, explain: bool) -> list[Verdict | None]:
    """Ask the style's question about the model's K pairs.

    A verdict is computed from the probabilities of one word. Sentences are generated only if the style asks for them
    before the word, or the caller wants them after it; in ``response`` the sentences come first and the word last.

    Returns:
        K verdicts; None for a pair without a verdict.

    Raises:
        NoVerdict: no pair got a verdict.
    """
    cues = [style.question(photos) for photos in model.shown]
    reasons: Sequence[str | NoVerdict] = [""] * len(cues)
    if style.reasons_first:
        reasons = model.reply([(style.reasons_cue,)] * len(cues), style.max_reason_tokens)
        sentences = ["" if isinstance(text, NoVerdict) else text for text in reasons]
        answers = model.weigh([(style.reasons_cue, text, cue) for text, cue in zip(sentences, cues, strict=True)])
    else:
        answers = model.weigh([(cue,) for cue in cues])
    if explain and not style.reasons_first:
        words = [style.answer(0.0 if isinstance(answer, NoVerdict) else answer.confidence) for answer in answers]
        reasons = model.reply(
            [(cue, word, style.reasons_cue) for cue, word in zip(cues, words, strict=True)], style.max_reason_tokens
        )
    verdicts = [_verdict(style, answer, text) for answer, text in zip(answers, reasons, strict=True)]
    failures = [reply for reply in (*answers, *reasons) if isinstance(reply, NoVerdict)]
    if failures and not any(verdicts):
        raise failures[0]
    for failure in failures:
        logger.warning("style %s: a pair is left out: %s", style.name, failure)
    return verdicts


def weigh_in_both_orders(weigh: WeighPairs, count: int) -> list[WeighedAnswer | NoVerdict]:
    """Weigh all pairs with the query first, and the likeliest also with the candidate first; average the two.

    The second order is asked about two pairs at a time, and those that are as likely, until the likeliest of all pairs
    has been asked about in both.

    Args:
        weigh: from indices of pairs, and whether the candidate comes first, to their answers.
        count: of pairs.
    """
    answers = list(weigh(range(count), False))
    left = {pair for pair, answer in enumerate(answers) if isinstance(answer, WeighedAnswer)}
    while left:
        ranked = sorted(range(count), key=lambda pair: -_confidence(answers[pair]))
        if ranked[0] not in left:
            break
        remaining = [_confidence(answers[pair]) for pair in ranked if pair in left]
        least = remaining[:_ASKED_AGAIN][-1] - _AS_LIKELY
        again = [pair for pair in ranked if pair in left and _confidence(answers[pair]) >= least]
        for pair, answer in zip(again, weigh(again, True), strict=True):
            answers[pair] = average([answers[pair], answer])
        left.difference_update(again)
    return answers


def ask_reasons(style: PromptStyle, model: VisionLanguageModel, *, is_match: bool) -> str:
    """Let the model write why its only pair matches, or does not.

    Raises:
        NoVerdict: the model refuses the pair.
    """
    word = style.answer(1.0 if is_match else 0.0)
    cue = style.question(model.shown[0])
    dialogue = (style.reasons_cue,) if style.reasons_first else (cue, word, style.reasons_cue)
    (text,) = model.reply([dialogue], style.max_reason_tokens)
    if isinstance(text, NoVerdict):
        raise text
    return text


def _confidence(answer: WeighedAnswer | NoVerdict) -> float:
    return answer.confidence if isinstance(answer, WeighedAnswer) else -1.0


def _verdict(style: PromptStyle, answer: WeighedAnswer | NoVerdict, reasons: str | NoVerdict) -> Verdict | None:
    if isinstance(answer, NoVerdict) or (isinstance(reasons, NoVerdict) and style.reasons_first):
        return None
    word = style.answer(answer.confidence)
    text = "" if isinstance(reasons, NoVerdict) else reasons
    return Verdict(
        is_match=style.accepts(answer.confidence),
        confidence=answer.confidence,
        response=f"{text}\n{style.answer_label}{word}" if text else word,
        reasons=text,
    )
