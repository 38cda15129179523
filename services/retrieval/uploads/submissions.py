"""Uploaded files as what they are meant to become: photos with a name and a place, read when their turn comes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO
from uuid import uuid4

from contracts.images import MAX_PLACE_ID, AddFields
from core.errors import ImageTooLarge
from core.results import Place


@dataclass(frozen=True, slots=True)
class Submission:
    """One photo somebody wants in the gallery.

    Attributes:
        filename: the owner's name for it, shown in the outcome.
        read: gives its bytes; called in a worker thread; raises a ``SemanticMatchError`` that says why it is refused.
        place: what it shows; None makes it a place of its own.
        byte_size: how many bytes ``read`` will give at most.
    """

    filename: str
    read: Callable[[], bytes]
    place: Place | None
    byte_size: int


def submit_file(filename: str | None, file: BinaryIO, byte_size: int, max_bytes: int, fields: AddFields) -> Submission:
    """Take one uploaded file.

    Args:
        filename: as the browser sent it, which may be a path or nothing.
        file: at its beginning.
        byte_size: of the file.
        max_bytes: of the photo.
        fields: of the form.
    """
    name = shown_name(filename)
    if byte_size > max_bytes:
        return refuse(name, ImageTooLarge(f"too many bytes: {byte_size:,}; at most {max_bytes:,} are accepted"))
    return Submission(name, file.read, place_from_fields(fields, stem=PurePosixPath(name).stem), byte_size)


def refuse(filename: str, reason: Exception) -> Submission:
    """Take a file whose refusal is known before it is read."""

    def read() -> bytes:
        raise reason

    return Submission(filename, read, None, 0)


def place_from_fields(fields: AddFields, *, stem: str) -> Place | None:
    """What the form says that its photos show.

    Args:
        fields: of the form.
        stem: the file's name without extension; names the place where the fields describe one without naming it.
    """
    described = fields.description or fields.metadata or fields.latitude is not None or fields.longitude is not None
    if not (fields.place_id or fields.place_name or described):
        return None
    place_id = fields.place_id or _id_of(fields.place_name) or uuid4().hex
    return Place(
        place_id=place_id,
        name=fields.place_name or fields.place_id or stem,
        description=fields.description,
        metadata=fields.metadata or {},
        latitude=fields.latitude,
        longitude=fields.longitude,
    )


def _id_of(place_name: str | None) -> str | None:
    """The same name in a later upload means the same place, so that photos can be added one by one."""
    if place_name is None or len(place_name) <= MAX_PLACE_ID:
        return place_name
    digest = hashlib.sha256(place_name.encode()).hexdigest()[:16]
    return f"{place_name[: MAX_PLACE_ID - 17]}-{digest}"


def shown_name(filename: str | None) -> str:
    """The last part of a file name, free of anything that could disturb a page or a log."""
    name = PurePosixPath((filename or "").replace("\\", "/")).name
    printable = "".join(character for character in name if character.isprintable())
    return printable[-200:] or "photo"
