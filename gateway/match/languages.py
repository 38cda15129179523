"""Chooses the supported language that a visitor's browser prefers."""

from typing import get_args

from contracts.verification import Language
from serving.languages import wished_languages

_SPOKEN: tuple[Language, ...] = get_args(Language)


def preferred_language(accept_language: str | None) -> Language:
    """Choose by an ``Accept-Language`` header; English if it has no supported one.

    >>> preferred_language("fr, zh-CN;q=0.8, en;q=0.5")
    'zh'
    """
    wished = (tag.lower().split("-")[0] for tag in wished_languages(accept_language))
    return next((spoken for base in wished for spoken in _SPOKEN if spoken == base), _SPOKEN[0])
