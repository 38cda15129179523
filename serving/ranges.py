"""``Range`` requests: the part of a file that a player asks for (RFC 9110, section 14)."""

import re
from collections.abc import Mapping

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def requested_range(headers: Mapping[str, str], etag: str, size: int) -> range | None:
    """Return the positions of the bytes that a request asks for.

    Args:
        headers: of the request.
        etag: of the file, with its quotes.
        size: of the file, bytes.

    Returns:
        The part of the file; None for all of it: where no range, several ranges, or no byte of the file is named, or
        the file is not the one that ``If-Range`` names.
    """
    found = _ONE_RANGE.fullmatch(headers.get("range", ""))
    if found is None or headers.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    if first:
        return range(size)[int(first) : int(last) + 1 if last else None] or None
    return range(size)[-int(last) :] if last.strip("0") else None
