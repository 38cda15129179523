"""Headers of changes: ETag and If-Match for concurrent edits, and the id that undoes a deletion."""

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
    """Read ``If-Match``: the accepted tags, or None for any. Weak tags count too, because proxies weaken tags."""
    if header is None or header.strip() == "*":
        return None
    return frozenset(quoted or bare for quoted, bare in _TAG.findall(header))


def deletion_answer(deletion: Deletion | None) -> Response:
    """Answer a deletion; a header has the id that undoes it, unless it is permanent."""
    headers = {TRASH_ID_HEADER: deletion.deletion_id} if deletion is not None else {}
    return Response(status_code=204, headers=headers)
