"""Language tags (BCP 47) of texts, and which text a reader of several languages gets."""

import re
from collections.abc import Collection, Sequence

from core.errors import InvalidRequest

# RFC 5646, section 2.1, without the grandfathered tags, which are all deprecated.
_TAG = re.compile(
    r"""
    (?: [a-z]{2,3}(?:-[a-z]{3}){0,3} | [a-z]{4,8} )   # language
    (?: -[a-z]{4} )?                                  # script
    (?: -(?:[a-z]{2}|[0-9]{3}) )?                     # region
    (?: -(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}) )*        # variants
    (?: -[a-wy-z0-9](?:-[a-z0-9]{2,8})+ )*            # extensions
    (?: -x(?:-[a-z0-9]{1,8})+ )?                      # private use
    | x(?:-[a-z0-9]{1,8})+
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_MOST_CHARACTERS = 35
_TRADITIONAL = frozenset({"HK", "MO", "TW"})


def check_language(tag: str) -> str:
    """Return a language tag in its usual spelling, as ``zh-Hant-TW``.

    Raises:
        InvalidRequest: it is not a tag of BCP 47.
    """
    if not isinstance(tag, str) or len(tag) > _MOST_CHARACTERS or not _TAG.fullmatch(tag):
        raise InvalidRequest(f"invalid language: {tag!r:.80}; give a tag of BCP 47, such as en, zh-Hans or pt-BR")
    first, *others = tag.lower().split("-")
    spelled, is_private = [first], first == "x"
    for part in others:
        is_private = is_private or len(part) == 1
        spelled.append(part if is_private else {2: part.upper(), 4: part.title()}.get(len(part), part))
    return "-".join(spelled)


def choose_language(available: Collection[str], wished: Sequence[str], own: str) -> str:
    """Choose the language of a text: for every wish the tag itself, its base language, then a variety of that.

    Args:
        available: tags of the texts besides the collection's own.
        wished: tags, the best first; ``*`` is any language.
        own: tag of the collection's own language, which serves where nothing else does. Where it is not known (empty),
            only the first wished language counts: the own text may be of any of the others.

    Returns:
        One of ``available``, or ``own``.
    """
    tags = {*available, own} - {""}
    for wish in wished:
        if wish == "*" or (not own and _base(wish) != _base(wished[0])):
            break
        related = [tag for tag in tags if _base(tag) == _base(wish)]
        if related:
            return min(related, key=lambda tag: _distance(tag, wish, own))
    return own


def _base(tag: str) -> str:
    return tag.lower().partition("-")[0]


def _distance(tag: str, wish: str, own: str) -> tuple[bool, bool, bool, bool, str]:
    """Order tags of one base language: the wish itself, its script, what it is a part of, the own, the others."""
    is_same, is_part = tag.lower() == wish.lower(), f"{wish}-".lower().startswith(f"{tag}-".lower())
    return not is_same, _script(tag) != _script(wish), not is_part, tag != own, tag


def _script(tag: str) -> str:
    """The script that a tag names; of Chinese also the one that its region writes."""
    parts = tag.split("-")[1:]
    named = next((part.title() for part in parts if len(part) == 4 and part.isalpha()), "")
    if named or _base(tag) != "zh":
        return named
    return "Hant" if _TRADITIONAL & {part.upper() for part in parts} else "Hans"
