"""Conversations and replies in the chat-completions format of vLLM, SGLang and others. No HTTP here."""

import base64
import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from core.errors import BackendUnavailable
from core.verifiers.prompting.replies import WeighedAnswer, spellings, weigh
from core.verifiers.prompting.styles import PromptStyle, Shown, Turn

_JPEG_QUALITY = 92

NO_LOGPROBS = (
    "the server returned no probabilities; vLLM and SGLang do, for models they run themselves "
    "(logprobs, top_logprobs); for a server that cannot, set answers_from to 'words'"
)


def encode_data_uri(image: Image.Image, max_pixels: int) -> str:
    """Write a photo as a JPEG data URI, reduced to at most about ``max_pixels``."""
    shrink = min(1.0, math.sqrt(max_pixels / (image.width * image.height)))
    if shrink < 1:
        size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    stream = BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def to_messages(turns: Sequence[Turn], data_uris: Mapping[Shown, str]) -> list[dict[str, Any]]:
    """Give the conversation as ``messages``; turns without photos are plain texts, which every server takes."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        content: Any = [_content(part, data_uris) for part in turn.parts]
        if not any(isinstance(part, Shown) for part in turn.parts):
            content = "".join(part["text"] for part in content)
        messages.append({"role": turn.role, "content": content})
    return messages


def read_text(body: Any) -> str:
    """Give the text of a reply.

    Raises:
        BackendUnavailable: the body is no chat completion.
    """
    text = _first_choice(body).get("message", {}).get("content")
    if not isinstance(text, str):
        raise BackendUnavailable("the server's reply holds no text; is it a chat-completions endpoint?")
    return text.strip()


def weigh_first_word(body: Any, style: PromptStyle) -> WeighedAnswer:
    """Weigh yes against no from the likeliest first words of a reply.

    An answer that is not among them is at most as likely as the least likely one that is, and is counted as that. If
    neither answer is among them, the model said something else, which is no yes: confidence 0, mass 0.

    Raises:
        BackendUnavailable: the reply has no probabilities.
    """
    likeliest = _first_logprobs(body)
    yes, no = (
        [logprob for token, logprob in likeliest if token.strip() in {word.strip() for word in spellings(words)}]
        for words in (style.yes, style.no)
    )
    if not yes and not no:
        return WeighedAnswer(confidence=0.0, mass=0.0)
    least = min(logprob for _, logprob in likeliest)
    return weigh(yes or [least], no or [least])


def _content(part: str | Shown, data_uris: Mapping[Shown, str]) -> dict[str, Any]:
    if isinstance(part, Shown):
        return {"type": "image_url", "image_url": {"url": data_uris[part]}}
    return {"type": "text", "text": part}


def _first_logprobs(body: Any) -> list[tuple[str, float]]:
    try:
        entries = _first_choice(body)["logprobs"]["content"][0]["top_logprobs"]
        likeliest = [(str(entry["token"]), float(entry["logprob"])) for entry in entries]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BackendUnavailable(NO_LOGPROBS) from error
    # One word alone says nothing about the other.
    if len(likeliest) < 2:
        raise BackendUnavailable(NO_LOGPROBS)
    return likeliest


def _first_choice(body: Any) -> dict[str, Any]:
    try:
        choice = body["choices"][0]
    except (KeyError, IndexError, TypeError) as error:
        raise BackendUnavailable(
            "the server's reply is not a chat completion; check the URL, it ends with /v1"
        ) from error
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise BackendUnavailable("the server's reply is not a chat completion; check the URL, it ends with /v1")
    return choice
