"""Removes this process's secrets from log lines and answers, which may quote a library that quotes a key."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr

HIDDEN = "***"

_LEAST_LENGTH = 6  # shorter values would hide parts of ordinary words
_NAMED_SECRET = re.compile(r"key|token|password|passwd|secret|credential|authorization|proxy", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"://(?P<user>[^/@:\s]*)(?::(?P<password>[^/@\s]*))?@")
_FROM_ENVIRONMENT = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "MODELSCOPE_API_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PGPASSWORD",
    "OTEL_EXPORTER_OTLP_HEADERS",
)

_known: set[str] = set()
# Every secret in plain, Python and JSON notation, the longest secret first. Computed when a secret is added, because
# every log line uses it.
_spellings: tuple[str, ...] = ()
_lock = Lock()


def keep_secret(*values: str) -> None:
    """Hide these values from now on, also without the blanks around them."""
    global _spellings
    with _lock:
        _known.update(text for value in values for text in (value, value.strip()) if len(text.strip()) >= _LEAST_LENGTH)
        _spellings = tuple(
            dict.fromkeys(
                spelling
                for secret in sorted(_known, key=len, reverse=True)
                for spelling in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])
            )
        )


def keep_settings_secret(settings: Mapping[str, Any]) -> None:
    """Hide the secrets of settings: secret fields, passwords in URLs, and options with a secret's name."""
    keep_secret(*_secrets_in(settings), *(os.environ.get(name, "") for name in _FROM_ENVIRONMENT))


def without_secrets(text: str) -> str:
    """Replace every known secret, and every password in a URL, by ``***``."""
    for spelling in _spellings:
        text = text.replace(spelling, HIDDEN)
    return _IN_ADDRESS.sub(f"://{HIDDEN}@", text)


def _secrets_in(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield from _secrets_in(value.get_secret_value(), "secret")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets_in(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets_in(inner, name)
    elif isinstance(value, str):
        address = _IN_ADDRESS.search(value)
        if address is not None:
            password = address["password"] or address["user"]
            yield from (password, unquote(password))
        elif _NAMED_SECRET.search(name) and "://" not in value and not name.endswith("_file"):
            yield value
