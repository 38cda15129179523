"""The photos of an upload: a name, a place, and a function that reads the bytes later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import BinaryIO, Literal
from uuid import uuid4

from contracts.images import AddFields
from core.building.file_names import normal_path
from core.building.grouping import place_id_of_name
from core.building.manifest_rows import ManifestRow
from core.building.recordings import RecordingFile
from core.building.upload_plan import UploadNote
from core.errors import ImageTooLarge
from core.gallery.validation import storable
from core.results import Place

Taken = Literal["form", "manifest", "folder", "photo"]


@dataclass(frozen=True, slots=True)
class Submission:
    """One photo to add to the gallery.

    Attributes:
        filename: the owner's name for it, shown in the outcome.
        read: returns its bytes; called in a worker thread; raises a ``SemanticMatchError`` if the photo is refused.
        place: what it shows; None makes it a place of its own.
        byte_size: most bytes that ``read`` returns.
        row: the manifest's row of the photo.
        is_named: whether the owner named the place, by the form, a folder or a manifest.
        recordings: files that came with the manifest, by the paths that its rows have.
    """

    filename: str
    read: Callable[[], bytes]
    place: Place | None
    byte_size: int
    row: ManifestRow | None = None
    is_named: bool = False
    recordings: Mapping[str, RecordingFile] = field(default_factory=dict)


@dataclass(slots=True)
class Upload:
    """The content of a form.

    Attributes:
        submissions: in the order sent.
        taken: how photos were grouped into exhibits, per archive and for all other files.
        notes: assumptions that were made.
        corrections: rows of a manifest without any photo, and the files of its recordings as in ``Submission``: texts
            and recordings of existing places.
    """

    submissions: list[Submission] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    notes: list[UploadNote] = field(default_factory=list)
    corrections: list[tuple[ManifestRow, Mapping[str, RecordingFile]]] = field(default_factory=list)

    def add(self, other: "Upload") -> None:
        """Add the content of another file of the form."""
        self.submissions += other.submissions
        self.taken += other.taken
        self.notes += other.notes
        self.corrections += other.corrections

    @property
    def grouping(self) -> Taken:
        """How photos were grouped, for the reply; if in several ways, the one that joins most photos."""
        ranked: Sequence[Taken] = ("manifest", "form", "folder")
        return next((submission for submission in ranked if submission in self.taken), "photo")


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
    """Make a submission of an uploaded file.

    Args:
        filename: from the browser; may be a path or None.
        file: at its beginning.
        byte_size: of the file.
        max_bytes: largest size of a photo.
        place: what it shows.
        row: the manifest's row of the photo.
        is_named: whether the owner named the place.
    """
    name = shown_name(filename)
    if byte_size > max_bytes:
        return refuse(name, ImageTooLarge(f"too many bytes: {byte_size:,}; at most {max_bytes:,} are accepted"))
    return Submission(name, file.read, place, byte_size, row, is_named)


def refuse(filename: str, reason: Exception) -> Submission:
    """Make a submission that will be refused with ``reason``."""

    def read() -> bytes:
        raise reason

    return Submission(filename, read, None, 0)


def names_place(fields: AddFields) -> bool:
    """Tell whether the form names the place of its photos."""
    return bool(fields.place_id or fields.place_name)


def place_from_fields(fields: AddFields, *, stem: str) -> Place | None:
    """Return the place that the form gives its photos; None if it gives none.

    Args:
        fields: of the form.
        stem: the file's name without extension; the name of a place that the form describes but does not name.
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
    """Return the place of a photo in a folder: the form's place, or the folder's place with the form's description."""
    if folder is None or names_place(fields):
        return place_from_fields(fields, stem=stem)
    named = fields.model_copy(update={"place_id": folder.place_id, "place_name": folder.name})
    return place_from_fields(named, stem=stem)


def place_of_row(fields: AddFields, row: ManifestRow) -> Place | None:
    """Return the place of a photo in a manifest; the form fills the fields that the row leaves empty."""
    if row.named_place:
        return row.place()
    values = {
        "description": row.description,
        "metadata": row.metadata,
        "latitude": row.latitude,
        "longitude": row.longitude,
    }
    given = {name: value for name, value in values.items() if value not in ("", {}, None)}
    place = place_from_fields(fields.model_copy(update=given), stem=PurePosixPath(row.file).stem)
    if row.is_hidden:
        return replace(place, is_hidden=True) if place is not None else row.place()
    return place


def shown_name(filename: str | None) -> str:
    """Return the last part of a file name, without characters that are unsafe in a page or a log."""
    name = PurePosixPath(normal_path(filename or "")).name
    return storable(name, "")[-200:] or "photo"


def sent_path(filename: str | None) -> str:
    """Return the path of a file that was sent in a folder, else its name."""
    path = normal_path(filename or "")
    parts = PurePosixPath(path).parts
    is_inside = parts and not path.startswith("/") and ".." not in parts and not parts[0].endswith(":")
    return path if is_inside else path.rpartition("/")[2]
