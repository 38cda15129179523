"""Headers that editors need: which state a change refers to, and what undoes a deletion."""

import re
from typing import Annotated

from fastapi import Header, Response

from contracts.trash import TRASH_ID_HEADER
from core.gallery.deletions import Deletion

Expected = Annotated[
    str | None,
    Header(alias="If-Match", max_length=4000, description="ETag of what was read: 412 if it has changed since"),
]

_TAG = re.compile(r'(?:W/)?"([^"]*)"|([^\s,"]+)')


def entity_tag(tag: str) -> str:
    """Write an ETag."""
    return f'"{tag}"'


def read_tags(header: str | None) -> frozenset[str] | None:
    """Read ``If-Match``: the tags that will do; None where any will. Weak tags count: proxies weaken strong ones."""
    if header is None or header.strip() == "*":
        return None
    return frozenset(quoted or bare for quoted, bare in _TAG.findall(header))


def deletion_answer(deletion: Deletion | None) -> Response:
    """Answer a deletion; the header says what undoes it, where it can be undone."""
    headers = {TRASH_ID_HEADER: deletion.deletion_id} if deletion is not None else {}
    return Response(status_code=204, headers=headers)
