"""Turns the answers to a style's questions into verdicts, for local models and servers alike."""

import logging
from collections.abc import Sequence
from typing import Protocol

from core.results import Verdict
from core.verifiers.prompting.replies import OFF_FORMAT_MASS, WeighedAnswer
from core.verifiers.prompting.styles import PromptStyle

logger = logging.getLogger(__name__)

Dialogue = tuple[str, ...]
"""What is said about one pair after its photos were shown: asked, replied, asked, ..., ending with a question."""


class VisionLanguageModel(Protocol):
    """A model to which the K pairs of one query have been shown."""

    def weigh(self, dialogues: Sequence[Dialogue]) -> list[WeighedAnswer]:
        """Weigh yes against no as the next word of each of the K talks."""
        ...

    def reply(self, dialogues: Sequence[Dialogue], max_tokens: int) -> list[str]:
        """Continue each of the K talks in sentences."""
        ...


def ask_style(style: PromptStyle, model: VisionLanguageModel, count: int, *, explain: bool) -> list[Verdict]:
    """Ask what the style says about ``count`` pairs.

    Every verdict rests on the probabilities of one word. Sentences are generated only where the style wants them
    before the word, or the caller wants them after it; they then stand first in ``response``, and the word last.
    """
    reasons = [""] * count
    if style.reasons_first:
        reasons = model.reply([(style.reasons_cue,)] * count, style.max_reason_tokens)
        answers = model.weigh([(style.reasons_cue, text, style.cue) for text in reasons])
    else:
        answers = model.weigh([(style.cue,)] * count)
    words = [style.answer(answer.confidence) for answer in answers]
    if explain and not style.reasons_first:
        reasons = model.reply([(style.cue, word, style.reasons_cue) for word in words], style.max_reason_tokens)
    _report_mass(style, answers)
    return [
        Verdict(
            is_match=style.accepts(answer.confidence),
            confidence=answer.confidence,
            response=f"{text}\n{style.answer_label}{word}" if text else word,
        )
        for answer, word, text in zip(answers, words, reasons, strict=True)
    ]


def _report_mass(style: PromptStyle, answers: Sequence[WeighedAnswer]) -> None:
    """Tell the operator when a model does not answer in the style's words: its confidences then mean little."""
    lowest = min(answer.mass for answer in answers)
    logger.debug("style %s: P(yes) + P(no) of %d pairs is at least %.3f", style.name, len(answers), lowest)
    if lowest < OFF_FORMAT_MASS:
        logger.warning(
            "style %s: P(yes) + P(no) fell to %.3f; the model answers off format, try another style or model",
            style.name,
            lowest,
        )
