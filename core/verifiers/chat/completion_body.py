"""Reads the body of a chat completion in the formats of different servers. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BackendUnavailable, NoVerdict

_ADVICE = (
    "vLLM and SGLang do, for models they run themselves (logprobs, top_logprobs); for a server that cannot, "
    "set answers_from to 'words'"
)
NO_LOGPROBS = f"the server gave no probabilities of its words; {_ADVICE}"
_ONE_LOGPROB = f"the server gave no probabilities but that of the word it chose; {_ADVICE}"


def first_choice(body: Any) -> dict[str, Any]:
    """Return the first choice of a chat completion.

    Raises:
        NoVerdict: the body is an error.
        BackendUnavailable: the body is not a chat completion.
    """
    try:
        choice = body["choices"][0]
        if isinstance(choice["message"], dict):
            return dict(choice)
    except (KeyError, IndexError, TypeError):
        pass
    message = body.get("error") if isinstance(body, dict) else None
    if message:
        message = message.get("message", message) if isinstance(message, dict) else message
        raise NoVerdict(f"the server's reply is an error: {str(message)[:300]}")
    raise BackendUnavailable("the server's reply is not a chat completion; check the URL, it ends with /v1")


def first_pieces(body: Any) -> tuple[str, dict[str, float | None]]:
    """Return the text of the first token, and the log-probabilities of the likeliest first tokens by text.

    A log-probability is None where the server writes null: JSON has no -inf for a probability of 0.
    """
    try:
        entry = _first_entry(body)
        chosen = _text_of(entry)
        listed = [*(entry.get("top_logprobs") or ()), entry]
        pieces: dict[str, float | None] = {}
        for piece in listed:
            logprob = piece["logprob"]
            pieces.setdefault(_text_of(piece), None if logprob is None else float(logprob))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BackendUnavailable(NO_LOGPROBS) from error
    # The probability of one word alone does not give that of the other.
    if len(pieces) < 2 or all(logprob is None for logprob in pieces.values()):
        raise BackendUnavailable(_ONE_LOGPROB)
    return chosen, pieces


def _first_entry(body: Any) -> dict[str, Any]:
    """Return the first token's entry in OpenAI's format: ``token``, ``logprob`` and ``top_logprobs``."""
    if isinstance(body, dict) and "completion_probabilities" in body:  # llama.cpp before it had OpenAI's format
        first = body["completion_probabilities"][0]
        listed = [_entry(piece["tok_str"], _log(piece["prob"])) for piece in first["probs"]]
        chosen = next(
            piece for piece in (*listed, _entry(first["content"], None)) if piece["token"] == first["content"]
        )
        return chosen | {"top_logprobs": listed}
    logprobs = first_choice(body)["logprobs"]
    if "content" in logprobs:
        first = logprobs["content"][0]
        return dict(first)
    # The format of OpenAI's older completions API, which Together and Fireworks still use.
    listed = [_entry(token, value) for token, value in logprobs["top_logprobs"][0].items()]
    return _entry(logprobs["tokens"][0], logprobs["token_logprobs"][0]) | {"top_logprobs": listed}


def _entry(token: str, logprob: float | None) -> dict[str, Any]:
    return {"token": token, "logprob": logprob}


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf


def _text_of(entry: Mapping[str, Any]) -> str:
    """Return a token as text, also from servers that write the vocabulary's form: ``Ġyes``, ``▁yes``, ``æĺ¯``."""
    token = str(entry["token"])
    if token.startswith("<0x"):  # a byte of a sentencepiece vocabulary
        return token
    if all(letter in _BYTE_OF for letter in token) and any(ord(letter) > 0x7F for letter in token):
        try:
            return bytes(_BYTE_OF[letter] for letter in token).decode("utf-8")
        except UnicodeDecodeError:
            pass  # it is plain text, or part of a character
    return token.replace("▁", " ")


def _byte_alphabet() -> dict[str, int]:
    """Map the characters of byte-level vocabularies to bytes (Radford et al. 2019, ``bytes_to_unicode``)."""
    plain: Sequence[int] = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + number): byte for number, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()
