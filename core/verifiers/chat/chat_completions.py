"""Conversations and replies in the chat-completions format of vLLM, SGLang and others. No HTTP here."""

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from core.errors import BackendUnavailable, NoVerdict
from core.verifiers.chat.completion_body import first_choice, first_pieces
from core.verifiers.prompting.replies import WeighedAnswer, require_mass, weigh
from core.verifiers.prompting.styles import PromptStyle, Shown, Turn

_JPEG_QUALITY = 92
LEAST_SIDE = 32
"""Pixels. Models cut photos into tiles of 28 or 32 pixels; some servers fail on a photo narrower than one tile."""
_MOST_ASPECT = 100  # Qwen's processors refuse more than 200

_TOKEN_IDS = (
    "the reply cannot be read: the server writes its words as numbers; start it without --return-tokens-as-token-ids"
)
_THOUGHTS = (
    "; the model thinks before it answers: switch that off in the server, or with "
    'request_options {"chat_template_kwargs": {"enable_thinking": false}}'
)


def encode_data_uri(image: Image.Image, max_pixels: int) -> str:
    """Encode a photo as a JPEG data URI: reduced to about ``max_pixels``, or enlarged to ``LEAST_SIDE``."""
    shrink = min(1.0, math.sqrt(max_pixels / (image.width * image.height)))
    width, height = max(1, round(image.width * shrink)), max(1, round(image.height * shrink))
    if min(width, height) < LEAST_SIDE:
        grow = LEAST_SIDE / min(width, height)
        width, height = max(LEAST_SIDE, round(width * grow)), max(LEAST_SIDE, round(height * grow))
        width, height = min(width, _MOST_ASPECT * LEAST_SIDE), min(height, _MOST_ASPECT * LEAST_SIDE)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    stream = BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def to_messages(turns: Sequence[Turn], data_uris: Mapping[Shown, Sequence[str]]) -> list[dict[str, Any]]:
    """Build the ``messages`` of a conversation. Turns without photos are plain strings, which every server accepts.

    Args:
        turns: the conversation.
        data_uris: photos of the query and of the candidate, as many as the turns show.
    """
    left = {shown: iter(uris) for shown, uris in data_uris.items()}
    messages: list[dict[str, Any]] = []
    for turn in turns:
        content: Any = [_content(part, left) for part in turn.parts]
        if not any(isinstance(part, Shown) for part in turn.parts):
            content = "".join(part["text"] for part in content)
        messages.append({"role": turn.role, "content": content})
    return messages


def read_text(body: Any) -> str:
    """Read the text of a reply.

    Raises:
        NoVerdict: the text is empty; a thinking model may have used up all tokens before its answer.
        BackendUnavailable: the body is not a chat completion.
    """
    message = first_choice(body)["message"]
    text = message.get("content")
    if isinstance(text, list):  # parts, as some servers reply
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if isinstance(text, str) and text.strip():
        return text.strip()
    if message.get("reasoning_content") or message.get("reasoning"):
        raise NoVerdict(
            "the reply cannot be read: the model was still thinking when it had to end; switch thinking off in the "
            'server, or with request_options {"chat_template_kwargs": {"enable_thinking": false}}'
        )
    if isinstance(text, str):
        raise NoVerdict("the reply cannot be read: it is empty")
    raise BackendUnavailable("the server's reply holds no text; is it a chat-completions endpoint?")


def weigh_first_word(body: Any, style: PromptStyle) -> WeighedAnswer:
    """Weigh yes against no by the log-probabilities of a reply's first word.

    A server lists only the likeliest words. An answer that is not listed is at most as likely as the last one listed,
    and counts as that.

    Raises:
        NoVerdict: yes and no are both unlikely, or a probability is not a number.
        BackendUnavailable: the reply has no probabilities.
    """
    chosen, pieces = first_pieces(body)
    if any(piece.startswith("token_id:") for piece in pieces):
        raise NoVerdict(_TOKEN_IDS)
    logprobs = [logprob for logprob in pieces.values() if logprob is not None]
    if any(math.isnan(logprob) or logprob == math.inf for logprob in logprobs):
        raise NoVerdict("the server's probabilities are no numbers (NaN or infinity)")
    instead = f"; it began with {chosen[:20]!r}{_THOUGHTS if 'think' in chosen.casefold() else ''}"
    read: Callable[[str], str] = str if style.exact_words else _bare
    yes, no = (
        [logprob for piece, logprob in pieces.items() if logprob is not None and read(piece) in spelled]
        for spelled in ({read(word) for word in words} for words in (style.yes, style.no))
    )
    if not yes and not no:
        return require_mass(WeighedAnswer(confidence=0.0, mass=0.0), instead)
    least = min(logprobs)
    answer = weigh(yes or [least], no or [least])
    # Only listed answers count here: the upper bound of an unlisted one does not show that it was likely.
    listed = math.fsum(math.exp(min(logprob, 0.0)) for logprob in (*yes, *no))
    weighed = WeighedAnswer(answer.confidence, min(listed, 1.0))
    return weighed if style.exact_words else require_mass(weighed, instead)


def is_greedy(body: Any) -> bool:
    """Tell whether the chosen word has all of the probability, as from servers that compute it after sampling."""
    _, pieces = first_pieces(body)
    numbers = [math.exp(min(logprob, 0.0)) for logprob in pieces.values() if logprob is not None]
    return max(numbers) == 1.0 and math.fsum(numbers) == 1.0


def _bare(piece: str) -> str:
    """Strip blanks, quotes, asterisks and full stops around a word, and lower its case."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", piece).casefold()


def _content(part: str | Shown, left: Mapping[Shown, Iterator[str]]) -> dict[str, Any]:
    if isinstance(part, Shown):
        return {"type": "image_url", "image_url": {"url": next(left[part])}}
    return {"type": "text", "text": part}
