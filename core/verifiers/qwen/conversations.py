"""Tokens of a conversation for Qwen-VL, with placeholders for photos."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from core.errors import BackendUnavailable
from core.verifiers.prompting.styles import PromptStyle, Shown, Turn, compose
from core.verifiers.qwen.visual_tokens import VisualTokens

Piece = tuple[int, ...] | VisualTokens
"""A run of text tokens, or a photo."""

_PHOTO = "<|image_pad|>"


class ConversationWriter:
    """Renders turns through the model's own chat template and tokenizer."""

    def __init__(self, tokenizer: Any, style: PromptStyle) -> None:
        """Try the tokenizer on ``style``.

        Raises:
            BackendUnavailable: its chat template takes no photos.
        """
        self._tokenizer = tokenizer
        advice = "give an instruction-tuned Qwen-VL with its chat template"
        try:
            text = self._render(compose(style, style.cue))
        except (ValueError, TemplateError) as error:
            raise BackendUnavailable(f"the model's chat template cannot be used: {error}; {advice}") from error
        if text.count(_PHOTO) != 2:
            raise BackendUnavailable(f"the model's chat template shows no photos; {advice}")

    def write(self, turns: Sequence[Turn], photos: Mapping[Shown, VisualTokens]) -> list[Piece]:
        """Give the conversation as text, photo, text, photo, text, ending where the model begins to speak."""
        order = [part for turn in turns for part in turn.parts if isinstance(part, Shown)]
        texts = self._render(turns).split(_PHOTO)
        # Special tokens stand on both sides of every photo, so the texts' tokens do not depend on each other.
        pieces: list[Piece] = [self.encode(texts[0])]
        for shown, text in zip(order, texts[1:], strict=True):
            pieces += [photos[shown], self.encode(text)]
        return pieces

    def encode(self, text: str) -> tuple[int, ...]:
        """Give a text's tokens."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def read(self, tokens: Sequence[int]) -> str:
        """Give a reply's text."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text.strip()

    def _render(self, turns: Sequence[Turn]) -> str:
        messages = [{"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in turns]
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        # A thinking model's template opens its thoughts; closed at once, the next token is the answer's.
        return f"{text}\n</think>\n\n" if text.rstrip().endswith("<think>") else text


def _content(part: str | Shown) -> dict[str, str]:
    if isinstance(part, Shown):
        return {"type": "image"}
    # A reply that spells a special token must not be read back as one.
    return {"type": "text", "text": part.replace("<|", "< |")}
