"""The languages that a caller's browser or phone asks for."""

import re

_RANGE = re.compile(r"\*|[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_MOST = 20


def wished_languages(accept_language: str | None) -> list[str]:
    """Read an ``Accept-Language`` header (RFC 9110, section 12.5.4): the wished languages, the best first.

    >>> wished_languages("fr;q=0.5, zh-CN, en;q=0")
    ['zh-CN', 'fr']
    """
    weighed: list[tuple[float, str]] = []
    for wish in (accept_language or "").split(",")[:_MOST]:
        tag, _, parameter = wish.partition(";")
        weight = _weight(parameter)
        if weight > 0 and _RANGE.fullmatch(tag.strip()):
            weighed.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda pair: -pair[0])]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
