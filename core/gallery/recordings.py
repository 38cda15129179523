"""The recordings that visitors listen to: one for each place and language, stored beside the photos.

A place names its recordings, and they go wherever it goes: into the trash and back, to another place that it is merged
with, into backups. A recording is deleted when no place names it any more, in the trash neither.
"""

from contextlib import suppress
from typing import BinaryIO

from core.errors import GalleryUnavailable, InvalidRequest, UnknownRecording
from core.gallery.audio import read_recording
from core.gallery.database import manifest, trash
from core.gallery.database import places as place_rows
from core.gallery.database.collections import current_name
from core.gallery.database.port import Database
from core.gallery.database.recordings import read_recordings, write_recording
from core.gallery.languages import check_language
from core.gallery.orphans import remove_unused
from core.gallery.photos.port import LostPhoto, PhotoStore
from core.gallery.values import NewRecording, PlaceSummary
from core.gallery.vectors.port import VectorStore
from core.results import PlaceText, Recording


class Recordings:
    """What ``Gallery.recordings`` is. Safe for several threads and processes, as the gallery is."""

    def __init__(self, database: Database, files: PhotoStore, vectors: VectorStore) -> None:
        """Bind the gallery's parts; see there."""
        self._database = database
        self._files = files
        self._vectors = vectors

    def put(self, collection: str, place_id: str, language: str, data: bytes) -> PlaceSummary:
        """Store the recording of a place in one language, in place of an earlier one.

        Args:
            collection: that the place belongs to.
            place_id: of the place.
            language: tag (BCP 47) of what is spoken; the collection's own language is one of them.
            data: the whole file.

        Returns:
            The place as it is now. When this returns, the recording is on the disk.

        Raises:
            UnsupportedAudio: it is not a recording of an accepted kind.
            UnknownCollection: there is no such collection.
            UnknownPlace: it has no such place.
            InvalidRequest: the language is no tag, or the place has texts in too many.
            GalleryUnavailable: nothing was stored.
        """
        tag, recording, is_written = check_language(language), read_recording(data), False
        try:
            with self._database.writing() as connection:
                row = place_rows.known_place(connection, collection, place_id)
                former = write_recording(connection, row, tag, recording)
                is_written = True
                self._files.store([(self._files.original_path(recording.content_hash, recording.media_type), data)])
                summary = place_rows.place_summary(connection, row)
                self._vectors.commit(connection, manifest.next_generation(connection), ())
        except GalleryUnavailable:
            if is_written:  # at least a part, which would keep a full disk full
                remove_unused(self._database, self._files, recordings=[recording])
            raise
        if former is not None:
            remove_unused(self._database, self._files, recordings=[former])
        return summary

    def store(self, new: NewRecording) -> None:
        """Write the file of a recording, in the transaction that writes the row of its place.

        Raises:
            InvalidRequest: it has changed since it was described.
            GalleryUnavailable: it was not stored, or only a part.
        """
        data, recording = new.read(), new.recording
        if read_recording(data) != recording:
            raise InvalidRequest(f"{new.name[:200]!r} has changed while it was read; send it again")
        self._files.store([(self._files.original_path(recording.content_hash, recording.media_type), data)])

    def remove(self, collection: str, place_id: str, language: str) -> None:
        """Delete the recording of a place in one language, with its transcript, permanently.

        Photos of the place that come back from the trash later do not bring it back.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownPlace: it has no such place.
            UnknownRecording: the place has none in that language.
            InvalidRequest: the language is no tag.
        """
        tag = check_language(language)
        with self._database.writing() as connection:
            row = place_rows.known_place(connection, collection, place_id)
            former = write_recording(connection, row, tag, None)
            if former is None:
                raise _unknown(place_id, tag)
            copies = trash.copies_of_place(connection, collection, place_id)
            others = [write_recording(connection, copy, tag, None) for copy in copies]
            self._vectors.commit(connection, manifest.next_generation(connection), ())
        gone = [former, *(other for other in others if other is not None)]
        remove_unused(self._database, self._files, recordings=gone)

    def open(
        self, collection: str, place_id: str, language: str, *, with_hidden: bool = True
    ) -> tuple[Recording, BinaryIO]:
        """Open a recording; one that is replaced meanwhile is opened as it is then.

        Args:
            collection: that has the place, by its name or a former one.
            place_id: of the place.
            language: tag (BCP 47) of what is spoken.
            with_hidden: False: a hidden place counts as none.

        Returns:
            The recording, and its file, which no deletion interrupts.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownPlace: it has no such place.
            UnknownRecording: the place has none in that language, or it has just been deleted.
            InvalidRequest: the language is no tag.
            LostPhoto: it is gone, or not as long as it was.
            GalleryUnavailable: the photo store cannot be reached.
        """
        tag, lost = check_language(language), None
        while True:
            recording = self._find(collection, place_id, tag, with_hidden)
            path = self._files.fetch_original(recording.content_hash, recording.media_type, recording.byte_size)
            if path is not None:
                with suppress(FileNotFoundError):
                    return recording, path.open("rb")
            if recording == lost:  # still the place's: not deleted or replaced since it was found
                raise LostPhoto(
                    f"the gallery is damaged: the recording of place {place_id[:100]!r} in {tag} is missing or "
                    "damaged; restore it from a backup, or delete it"
                )
            lost = recording

    def of_collection(self, collection: str) -> set[Recording]:
        """Read which recordings the places of a collection have."""
        with self._database.reading() as connection:
            return read_recordings(connection, collection)

    def read(self, recording: Recording) -> bytes:
        """Read a recording that a place has.

        Raises:
            LostPhoto: it is gone, or not as long as it was.
            GalleryUnavailable: the photo store cannot be reached.
        """
        path = self._files.fetch_original(recording.content_hash, recording.media_type, recording.byte_size)
        with suppress(FileNotFoundError):
            if path is not None:
                return path.read_bytes()
        raise LostPhoto(f"recording {recording.content_hash} is missing or damaged, or has just been deleted")

    def _find(self, collection: str, place_id: str, tag: str, with_hidden: bool) -> Recording:
        with self._database.reading() as connection:
            row = place_rows.known_place(
                connection, current_name(connection, collection), place_id, with_hidden=with_hidden
            )
            recording = place_rows.read_texts(connection, row).get(tag, PlaceText()).recording
        if recording is None:
            raise _unknown(place_id, tag)
        return recording


def _unknown(place_id: str, tag: str) -> UnknownRecording:
    return UnknownRecording(f"place {place_id[:100]!r} has no recording in {tag}")
