"""Tokens of a conversation for Qwen-VL, with placeholders for photos."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from core.errors import BackendUnavailable
from core.verifiers.prompting.styles import PromptStyle, Shown, Turn, compose
from core.verifiers.qwen.visual_tokens import VisualTokens

Piece = tuple[int, ...] | VisualTokens
"""A run of text tokens, or a photo."""

_PHOTO = "<|image_pad|>"
_MOST_TEXTS = 128


class ConversationWriter:
    """Renders turns through the model's own chat template and tokenizer."""

    def __init__(self, tokenizer: Any, style: PromptStyle) -> None:
        """Check the tokenizer's chat template with ``style``.

        Raises:
            BackendUnavailable: the chat template does not accept photos.
        """
        self._tokenizer = tokenizer
        # A style's conversations differ in their photos alone, so nearly all of them have been encoded before.
        self._encoded = lru_cache(_MOST_TEXTS)(self._encode_turns)
        advice = "give an instruction-tuned Qwen-VL with its chat template"
        try:
            text = self._render(compose(style, style.cue))
        except (ValueError, TemplateError) as error:
            raise BackendUnavailable(f"the model's chat template cannot be used: {error}; {advice}") from error
        if text.count(_PHOTO) != 2:
            raise BackendUnavailable(f"the model's chat template shows no photos; {advice}")

    def write(self, turns: Sequence[Turn], photos: Mapping[Shown, Sequence[VisualTokens]]) -> list[Piece]:
        """Write the conversation as text, photo, text, photo, text, up to the start of the model's reply.

        Args:
            turns: the conversation.
            photos: of the query and of the candidate, as many as the turns show.
        """
        left = {shown: iter(of_shown) for shown, of_shown in photos.items()}
        order = [next(left[part]) for turn in turns for part in turn.parts if isinstance(part, Shown)]
        first, *texts = self._encoded(tuple(turns))
        pieces: list[Piece] = [first]
        for photo, text in zip(order, texts, strict=True):
            pieces += [photo, text]
        return pieces

    def encode(self, text: str) -> tuple[int, ...]:
        """Encode a text to tokens."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def read(self, tokens: Sequence[int]) -> str:
        """Decode a reply's tokens to text."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text.strip()

    def _encode_turns(self, turns: tuple[Turn, ...]) -> tuple[tuple[int, ...], ...]:
        """Encode the texts before, between and after the photos."""
        # Every photo has special tokens on both sides, so every text can be encoded alone.
        return tuple(self.encode(text) for text in self._render(turns).split(_PHOTO))

    def _render(self, turns: Sequence[Turn]) -> str:
        messages = [{"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in turns]
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        # A thinking model's template opens a <think> block. It is closed here, so that the next token is the answer's.
        return f"{text}\n</think>\n\n" if text.rstrip().endswith("<think>") else text


def _content(part: str | Shown) -> dict[str, str]:
    if isinstance(part, Shown):
        return {"type": "image"}
    # A reply that contains the text of a special token must not be encoded as that token.
    return {"type": "text", "text": part.replace("<|", "< |")}
