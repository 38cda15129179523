"""Uploaded files as what they are meant to become: photos with a name and a place, read when their turn comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO, Literal
from uuid import uuid4

from contracts.images import AddFields
from core.building.file_names import normal_path
from core.building.grouping import place_id_of_name
from core.building.manifests import ManifestRow
from core.building.upload_plan import UploadNote
from core.errors import ImageTooLarge
from core.gallery.validation import storable
from core.results import Place

Taken = Literal["form", "manifest", "folder", "photo"]


@dataclass(frozen=True, slots=True)
class Submission:
    """One photo somebody wants in the gallery.

    Attributes:
        filename: the owner's name for it, shown in the outcome.
        read: gives its bytes; called in a worker thread; raises a ``SemanticMatchError`` that says why it is refused.
        place: what it shows; None makes it a place of its own.
        byte_size: how many bytes ``read`` will give at most.
        row: of the manifest that names it.
        is_named: whether the id of its place is one that the owner gave, by the form, a folder or a manifest.
    """

    filename: str
    read: Callable[[], bytes]
    place: Place | None
    byte_size: int
    row: ManifestRow | None = None
    is_named: bool = False


@dataclass(slots=True)
class Upload:
    """What a form holds.

    Attributes:
        submissions: in the order sent.
        taken: what decided which photos show the same exhibit, for one archive or all loose files.
        notes: what was assumed.
        corrections: rows of a manifest that came without any photo: texts of places that are there.
    """

    submissions: list[Submission] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    notes: list[UploadNote] = field(default_factory=list)
    corrections: list[ManifestRow] = field(default_factory=list)

    def add(self, other: "Upload") -> None:
        """Join what another file of the form holds."""
        self.submissions += other.submissions
        self.taken += other.taken
        self.notes += other.notes
        self.corrections += other.corrections

    @property
    def grouping(self) -> Taken:
        """What decided, for the reply: of several, the one that joins most."""
        ranked: Sequence[Taken] = ("manifest", "form", "folder")
        return next((each for each in ranked if each in self.taken), "photo")


def submit_file(
    filename: str | None,
    file: BinaryIO,
    byte_size: int,
    max_bytes: int,
    place: Place | None,
    row: ManifestRow | None = None,
    *,
    is_named: bool = False,
) -> Submission:
    """Take one uploaded file.

    Args:
        filename: as the browser sent it, which may be a path or nothing.
        file: at its beginning.
        byte_size: of the file.
        max_bytes: of the photo.
        place: what it shows.
        row: of the manifest that names it.
        is_named: whether the owner named the place.
    """
    name = shown_name(filename)
    if byte_size > max_bytes:
        return refuse(name, ImageTooLarge(f"too many bytes: {byte_size:,}; at most {max_bytes:,} are accepted"))
    return Submission(name, file.read, place, byte_size, row, is_named)


def refuse(filename: str, reason: Exception) -> Submission:
    """Take a file whose refusal is known before it is read."""

    def read() -> bytes:
        raise reason

    return Submission(filename, read, None, 0)


def names_place(fields: AddFields) -> bool:
    """Whether the form says which place its photos show."""
    return bool(fields.place_id or fields.place_name)


def place_from_fields(fields: AddFields, *, stem: str) -> Place | None:
    """What the form says that its photos show.

    Args:
        fields: of the form.
        stem: the file's name without extension; names the place where the fields describe one without naming it.
    """
    described = fields.description or fields.metadata or fields.latitude is not None or fields.longitude is not None
    if not (names_place(fields) or described):
        return None
    place_id = fields.place_id or (place_id_of_name(fields.place_name) if fields.place_name else uuid4().hex)
    return Place(
        place_id=place_id,
        name=fields.place_name or fields.place_id or stem,
        description=fields.description,
        metadata=fields.metadata or {},
        latitude=fields.latitude,
        longitude=fields.longitude,
    )


def place_in_folder(fields: AddFields, folder: Place | None, *, stem: str) -> Place | None:
    """What a photo shows: what the form names goes before its folder, and describes the folder's place."""
    if folder is None or names_place(fields):
        return place_from_fields(fields, stem=stem)
    named = fields.model_copy(update={"place_id": folder.place_id, "place_name": folder.name})
    return place_from_fields(named, stem=stem)


def place_of_row(fields: AddFields, row: ManifestRow) -> Place | None:
    """What a photo shows by its manifest, whose open fields the form fills."""
    if row.names_place:
        return row.place()
    said = {
        "description": row.description,
        "metadata": row.metadata,
        "latitude": row.latitude,
        "longitude": row.longitude,
    }
    given = {name: value for name, value in said.items() if value not in ("", {}, None)}
    return place_from_fields(fields.model_copy(update=given), stem=PurePosixPath(row.file).stem)


def shown_name(filename: str | None) -> str:
    """The last part of a file name, free of anything that could disturb a page or a log."""
    name = PurePosixPath(normal_path(filename or "")).name
    return storable(name, "")[-200:] or "photo"


def sent_path(filename: str | None) -> str:
    """The path by which a file was sent, where it is one inside a folder; else its name."""
    path = normal_path(filename or "")
    parts = PurePosixPath(path).parts
    is_inside = parts and not path.startswith("/") and ".." not in parts and not parts[0].endswith(":")
    return path if is_inside else path.rpartition("/")[2]
