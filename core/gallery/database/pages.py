"""Pieces of paged listings: cursors that survive changes between pages, and literal text search."""

import base64
import binascii
import json
from typing import Any

from core.errors import InvalidRequest
from core.gallery.database.port import Dialect
from core.gallery.deletions import trash_collection

MAX_PAGE = 1000


def check_limit(limit: int) -> int:
    """Return ``limit`` if a page may be that long.

    Raises:
        InvalidRequest: it may not.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"invalid limit: {limit}; give 1 to {MAX_PAGE}")
    return limit


def write_cursor(*key: Any) -> str:
    """Write the sort key of a page's last row as an opaque token for URLs."""
    return base64.urlsafe_b64encode(json.dumps(key, ensure_ascii=False).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *types: type) -> list[Any]:
    """Read what ``write_cursor`` wrote.

    Args:
        cursor: the token.
        types: of the key's parts.

    Raises:
        InvalidRequest: it is none of ours, or of another listing.
    """
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(types) or not all(map(_storable, key)):
        raise InvalidRequest(f"invalid cursor: {cursor[:80]!r}; pass next_cursor of the page before, unchanged")
    return key


def _storable(part: Any) -> bool:
    """Whether the database can compare with it: 64-bit integers and Unicode text."""
    if isinstance(part, int):
        return abs(part) < 2**63
    return not isinstance(part, str) or not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in part)


def contains(column: str) -> str:
    r"""Write the condition that ``column`` contains a text, given as its ``like_pattern``; case does not count."""
    return rf"lower({column}) LIKE ? ESCAPE '\'"


def contains_within(dialect: Dialect, column: str) -> str:
    """Write the condition that a text within a column of JSON contains a text, as ``contains`` does."""
    return f"EXISTS (SELECT 1 FROM ({dialect.texts_within(column)}) AS found WHERE {contains('found.value')})"


def outside_trash(column: str) -> str:
    """Write the condition that ``column`` names no collection of ``core.gallery.deletions.trash_collection``."""
    return f"substr({column}, 1, 1) <> '{trash_collection('')}'"


def like_pattern(text: str) -> str:
    r"""Write a lower-case LIKE pattern (with ``ESCAPE '\'``) for "contains ``text``" that takes % and _ literally."""
    # Not by the database's lower(): what that does to a bare value depends on the server's locale.
    lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    escaped = lowered.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
