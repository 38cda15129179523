"""Turns the answers to a style's questions into verdicts, for local models and servers alike."""

import logging
from collections.abc import Sequence
from typing import Protocol

from core.errors import NoVerdict
from core.results import Verdict
from core.verifiers.prompting.replies import WeighedAnswer
from core.verifiers.prompting.styles import PromptStyle

logger = logging.getLogger(__name__)

Dialogue = tuple[str, ...]
"""The texts after a pair's photos: question, reply, question, ...; the last one is a question."""


class VisionLanguageModel(Protocol):
    """A model that has got the photos of the K pairs of one query."""

    def weigh(self, dialogues: Sequence[Dialogue]) -> Sequence[WeighedAnswer | NoVerdict]:
        """Weigh yes against no as the next word of the K dialogues; ``NoVerdict`` for a pair without an answer."""
        ...

    def reply(self, dialogues: Sequence[Dialogue], max_tokens: int) -> Sequence[str | NoVerdict]:
        """Generate the next turn of the K dialogues; ``NoVerdict`` for a pair that the model refuses."""
        ...


def ask_style(style: PromptStyle, model: VisionLanguageModel, count: int, *, explain: bool) -> list[Verdict | None]:
    """Ask the style's question about ``count`` pairs.

    A verdict is computed from the probabilities of one word. Sentences are generated only if the style asks for them
    before the word, or the caller wants them after it; in ``response`` the sentences come first and the word last.

    Returns:
        K verdicts; None for a pair without a verdict.

    Raises:
        NoVerdict: no pair got a verdict.
    """
    reasons: Sequence[str | NoVerdict] = [""] * count
    if style.reasons_first:
        reasons = model.reply([(style.reasons_cue,)] * count, style.max_reason_tokens)
        sentences = ["" if isinstance(text, NoVerdict) else text for text in reasons]
        answers = model.weigh([(style.reasons_cue, text, style.cue) for text in sentences])
    else:
        answers = model.weigh([(style.cue,)] * count)
    if explain and not style.reasons_first:
        words = [style.answer(0.0 if isinstance(answer, NoVerdict) else answer.confidence) for answer in answers]
        reasons = model.reply([(style.cue, word, style.reasons_cue) for word in words], style.max_reason_tokens)
    verdicts = [_verdict(style, answer, text) for answer, text in zip(answers, reasons, strict=True)]
    failures = [reply for reply in (*answers, *reasons) if isinstance(reply, NoVerdict)]
    if failures and not any(verdicts):
        raise failures[0]
    for failure in failures:
        logger.warning("style %s: a pair is left out: %s", style.name, failure)
    return verdicts


def ask_reasons(style: PromptStyle, model: VisionLanguageModel, *, is_match: bool) -> str:
    """Let the model write why its only pair matches, or does not.

    Raises:
        NoVerdict: the model refuses the pair.
    """
    word = style.answer(1.0 if is_match else 0.0)
    dialogue = (style.reasons_cue,) if style.reasons_first else (style.cue, word, style.reasons_cue)
    (text,) = model.reply([dialogue], style.max_reason_tokens)
    if isinstance(text, NoVerdict):
        raise text
    return text


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
