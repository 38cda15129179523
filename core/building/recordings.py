"""Recordings in folders and archives: their names there, and what is checked before they are stored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from core.building.manifest_rows import ManifestRow
from core.building.manifest_texts import RECORDING_COLUMN
from core.building.manifests import MANIFEST
from core.errors import (
    ImageTooLarge,
    InvalidImage,
    InvalidRequest,
    UnsupportedAudio,
)
from core.gallery import Gallery
from core.gallery.audio import ACCEPTED_AUDIO, AUDIO_EXTENSIONS, read_recording
from core.gallery.values import NewRecording
from core.results import Recording

RECORDINGS_FOLDER = "audio"
"""Of an exported archive."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordingFile:
    """A file that a manifest names as a recording.

    Attributes:
        read: returns its bytes; raises InvalidImage where it cannot be read, and ImageTooLarge.
    """

    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class DescribedPlace:
    """A place, and what a row of a manifest says of it.

    Attributes:
        place_id: of the place.
        row: of the manifest.
        recordings: the files that came with the manifest, by the paths that the row has.
    """

    place_id: str
    row: ManifestRow
    recordings: Mapping[str, RecordingFile] = field(default_factory=dict)


def recording_cell(row: ManifestRow, tag: str) -> str:
    """Name the cell of a recording in the language ``tag``, for messages."""
    return f"{MANIFEST}, line {row.line}: {RECORDING_COLUMN}.{tag} {row.recordings[tag][:200]!r}"


def recording_path(recording: Recording) -> str:
    """Return the path of a recording in an exported archive, which tells its content."""
    return f"{RECORDINGS_FOLDER}/{recording.content_hash}{AUDIO_EXTENSIONS[recording.media_type]}"


class RecordingCheck:
    """Checks the recordings that a manifest names, file by file; only one is in memory at a time."""

    def __init__(self, gallery: Gallery, collection: str) -> None:
        """Bind the collection that has the places, or will have them."""
        self._gallery = gallery
        self._collection = collection
        self._known: dict[RecordingFile, Recording | InvalidImage | UnsupportedAudio] = {}
        self._by_hash: dict[str, Recording] | None = None

    def of_place(self, rows: Iterable[DescribedPlace]) -> dict[str, NewRecording]:
        """Return the recordings of one place by language tag; of several rows, the first with a file counts.

        A recording of the collection that is named by its content, as in an exported archive, need not come again.

        Raises:
            UnsupportedAudio: a file is not a recording of an accepted kind; the message names the row.
            ImageTooLarge: a file is larger than is accepted.
            InvalidRequest: a file is not there.
        """
        found = dict[str, NewRecording]()
        for described in rows:
            for tag, path in described.row.recordings.items():
                if tag not in found:
                    found[tag] = self._find(described.recordings.get(path), path, recording_cell(described.row, tag))
        return found

    def _find(self, file: RecordingFile | None, path: str, cell: str) -> NewRecording:
        if file is not None:
            return NewRecording(path, self._read(file, cell), file.read)
        stored = self._stored(path)
        if stored is None:
            raise InvalidRequest(f"{cell} is not there; send it with the manifest, or leave the cell empty")
        return NewRecording(path, stored, partial(self._gallery.recordings.read, stored))

    def _read(self, file: RecordingFile, cell: str) -> Recording:
        """Describe a file; one that several places name is read once."""
        if file not in self._known:
            try:
                self._known[file] = read_recording(file.read())
            except (InvalidImage, UnsupportedAudio) as error:
                self._known[file] = error.with_traceback(None)  # which would keep the bytes in memory
        known = self._known[file]
        if isinstance(known, Recording):
            return known
        if isinstance(known, ImageTooLarge):
            raise ImageTooLarge(f"{cell}: {known}")
        raise UnsupportedAudio(f"{cell}: {known}; accepted: {ACCEPTED_AUDIO}")

    def _stored(self, path: str) -> Recording | None:
        """Find a recording of the collection that is named by its content, as in an exported archive."""
        if self._by_hash is None:
            stored = self._gallery.recordings.of_collection(self._collection)
            self._by_hash = {recording.content_hash: recording for recording in stored}
        return self._by_hash.get(PurePosixPath(path).stem)
