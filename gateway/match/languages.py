"""Chooses the supported language that a visitor's browser prefers."""

from typing import get_args

from contracts.verification import Language

_SPOKEN: tuple[Language, ...] = get_args(Language)


def preferred_language(accept_language: str | None) -> Language:
    """Choose by an ``Accept-Language`` header (RFC 9110, section 12.5.4); English if it has no supported one.

    >>> preferred_language("fr, zh-CN;q=0.8, en;q=0.5")
    'zh'
    """
    weighed: list[tuple[float, Language]] = []
    for wish in (accept_language or "").split(","):
        tag, _, parameter = wish.partition(";")
        language = next((spoken for spoken in _SPOKEN if tag.strip().lower().split("-")[0] == spoken), None)
        if language is not None:
            weighed.append((_weight(parameter), language))
    weight, language = max(weighed, key=lambda choice: choice[0], default=(0.0, _SPOKEN[0]))
    return language if weight > 0 else _SPOKEN[0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
