"""The trash of a gallery: deletes so that it can be undone, restores, and deletes permanently.

Whatever goes is gone at once for every reader, of any process; see ``core.gallery.database.trash``.
"""

import time
from collections.abc import Sequence
from uuid import uuid4

import numpy as np

from core.errors import UnknownDeletion
from core.gallery.database import collections as collection_rows
from core.gallery.database import manifest, trash
from core.gallery.database import places as place_rows
from core.gallery.database.brandings import move_branding
from core.gallery.database.calibrations import rename_calibration
from core.gallery.database.embeddings import seqs_of
from core.gallery.database.images import ImageRows, contents_of, has_images
from core.gallery.database.port import Connection, Database
from core.gallery.database.recordings import read_recordings
from core.gallery.deletions import Deletion, DeletionKind, DeletionPage, trash_collection
from core.gallery.orphans import remove_unused
from core.gallery.photos.port import PhotoStore
from core.gallery.vectors.port import Added, Removed, Renamed, VectorChange, VectorStore
from core.results import LocalFeatures, Recording
from core.runtime.bounded_cache import BoundedCache

_RESTORED_AT_ONCE = 500  # images, in a transaction


class Trash:
    """What ``Gallery.trash`` is. Safe for several threads and processes, as the gallery is."""

    def __init__(
        self,
        database: Database,
        files: PhotoStore,
        vectors: VectorStore,
        features: BoundedCache[str, LocalFeatures],
    ) -> None:
        """Bind the gallery's parts; see there."""
        self._database = database
        self._files = files
        self._images = ImageRows(files)
        self._vectors = vectors
        self._features = features

    def put_image(self, image_id: str) -> Deletion:
        """Delete an image.

        Raises:
            UnknownImage: there is none of that id.
        """
        with self._database.writing() as connection:
            image = self._images.by_id(connection, image_id)
            seq = self._images.seq_of(connection, image_id)
            place_id, name = image.place.place_id, image.filename
            deletion = _deletion("image", image.collection, name, place_id, 1)
            self._trash_images(connection, deletion, [seq])
        return deletion

    def put_place(self, collection: str, place_id: str) -> Deletion:
        """Delete a place and all images that show it.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownPlace: the collection has none of that id.
        """
        with self._database.writing() as connection:
            row = place_rows.known_place(connection, collection, place_id)
            name = place_rows.place_summary(connection, row).place.name
            seqs = trash.seqs_of_place(connection, row)
            deletion = _deletion("place", collection, name, place_id, len(seqs))
            self._trash_images(connection, deletion, seqs)
        return deletion

    def put_collection(self, name: str) -> Deletion:
        """Delete all of a collection, its calibration included.

        Raises:
            UnknownCollection: there is none of that name.
        """
        with self._database.writing() as connection:
            collection_rows.refuse_unknown(connection, name)
            count = collection_rows.collection_summary(connection, name).images
            deletion = _deletion("collection", name, name, None, count)
            trash.record(connection, deletion)
            hidden = trash_collection(deletion.deletion_id)
            collection_rows.rename_collection(connection, name, hidden)
            self._commit(connection, Renamed(name, hidden))
        return deletion

    def page(
        self, collections: Sequence[str] | None = None, cursor: str | None = None, limit: int = 50
    ) -> DeletionPage:
        """List deletions, newest first.

        Args:
            collections: only in these; None for all.
            cursor: ``next_cursor`` of the page before; None for the first.
            limit: at most so many, [1, 1000].

        Raises:
            InvalidRequest: bad cursor or limit.
        """
        with self._database.reading() as connection:
            return trash.page(connection, collections, cursor, limit)

    def find(self, deletion_id: str) -> Deletion:
        """Read one deletion.

        Raises:
            UnknownDeletion: the trash holds none of that id.
        """
        with self._database.reading() as connection:
            return trash.find(connection, deletion_id)

    def restore(self, deletion_id: str) -> int:
        """Undo a deletion: its images are found again, under the ids and with the places that they had.

        A collection that is there by now keeps what it has, and a place that is there keeps its texts; what is missing
        comes back. A place that comes back hidden is hidden, also if there is one of its id by now. A photo that was
        added again in the meantime is not changed.

        Returns:
            How many images came back.

        Raises:
            UnknownDeletion: the trash holds none of that id.
        """
        hidden, restored = trash_collection(deletion_id), 0
        while True:
            with self._database.writing() as connection:
                deletion = trash.find(connection, deletion_id)
                target, changes, recordings = deletion.collection, list[VectorChange](), list[Recording]()
                is_over = True
                if deletion.kind == "collection" and not collection_rows.has_collection(connection, target):
                    collection_rows.rename_collection(connection, hidden, target)
                    count, changes = deletion.images, [Renamed(hidden, target)]
                else:
                    trash.give_back(connection, deletion)
                    seqs = trash.seqs_in(connection, hidden, _RESTORED_AT_ONCE)
                    count, changes, recordings = self._move(connection, seqs, target)
                    is_over = len(seqs) < _RESTORED_AT_ONCE
                if is_over:
                    trash.hand_over(connection, deletion)
                    trash.forget(connection, deletion_id)
                self._commit(connection, *changes)
            # Of a place that is there and has one of its own.
            remove_unused(self._database, self._files, recordings=recordings)
            restored += count
            if is_over:
                return restored

    def expired(self, before: float) -> list[str]:
        """List the ids of what was deleted then or earlier, seconds since 1970 UTC; oldest first."""
        with self._database.reading() as connection:
            return trash.ids(connection, None, None, before)

    def empty(
        self, *, deletion_id: str | None = None, collection: str | None = None, place_id: str | None = None
    ) -> list[str]:
        """Delete entries of the trash permanently; all entries without arguments.

        Args:
            deletion_id: only this entry.
            collection: only what belonged to this collection.
            place_id: only what belonged to this place of it.

        Returns:
            The ids of the deletions that cannot be undone any more.

        Raises:
            UnknownDeletion: the trash holds none of that id.
        """
        with self._database.reading() as connection:
            if deletion_id is not None:
                ids = [trash.find(connection, deletion_id).deletion_id]
            else:
                ids = trash.ids(connection, collection, place_id, None)
        self._empty(ids)
        return ids

    def _empty(self, deletion_ids: Sequence[str]) -> None:
        for deletion_id in deletion_ids:
            hidden = trash_collection(deletion_id)
            with self._database.writing() as connection:
                try:
                    trash.find(connection, deletion_id)
                except UnknownDeletion:  # restored, or emptied by another process, in the meantime
                    continue
                images = contents_of(connection, hidden)
                seqs = seqs_of(connection, hidden)
                recordings = read_recordings(connection, hidden)
                collection_rows.delete_collection(connection, hidden)
                trash.forget(connection, deletion_id)
                self._commit(connection, Removed(seqs))
            for image_id, _, _ in images:
                self._features.discard(image_id)
            remove_unused(self._database, self._files, [(image[1], image[2]) for image in images], recordings)

    def _trash_images(self, connection: Connection, deletion: Deletion, seqs: Sequence[int]) -> None:
        hidden = trash_collection(deletion.deletion_id)
        trash.record(connection, deletion)
        _, changes, _ = self._move(connection, seqs, hidden)
        if not has_images(connection, deletion.collection):
            rename_calibration(connection, deletion.collection, hidden)
        if not collection_rows.has_collection(connection, deletion.collection):
            move_branding(connection, deletion.collection, hidden)
        self._commit(connection, *changes)

    def _move(
        self, connection: Connection, seqs: Sequence[int], collection: str
    ) -> tuple[int, list[VectorChange], list[Recording]]:
        """Move images.

        Returns:
            How many, for some may be there already; what that changes of the vectors; recordings that may be unused.
        """
        new_seqs, embeddings, recordings = trash.move(connection, seqs, collection)
        changes: list[VectorChange] = [Removed(np.array(seqs, np.int64))]
        if len(new_seqs):
            changes.append(Added(collection, new_seqs, embeddings))
        return len(new_seqs), changes, recordings

    def _commit(self, connection: Connection, *changes: VectorChange) -> None:
        self._vectors.commit(connection, manifest.next_generation(connection), changes)


def _deletion(kind: DeletionKind, collection: str, name: str, place_id: str | None, images: int) -> Deletion:
    return Deletion(uuid4().hex, kind, collection, name, place_id, images, time.time())
