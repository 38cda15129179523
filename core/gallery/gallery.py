"""The durable reference images, their places and their vectors.

SQLite is the only truth. The vector index is rebuilt from it and follows every change; photos lie in files that are
written before the rows that name them are committed, and deleted after those are gone.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import numpy as np

from core.errors import GalleryUnavailable, InvalidImage, InvalidRequest, UnknownCollection
from core.gallery.database import embeddings as vector_rows
from core.gallery.database import manifest
from core.gallery.database import places as place_rows
from core.gallery.database.embeddings import seqs_of
from core.gallery.database.group_commit import GroupCommit
from core.gallery.database.images import contents_of, has_images, used_contents
from core.gallery.database.port import Connection, Database
from core.gallery.opening import check_for_reading, prepare_for_writing
from core.gallery.photos.port import LostPhoto, PhotoStore
from core.gallery.reader import GalleryReader
from core.gallery.storage import LOCAL, Storage, open_database, open_photos, open_vectors
from core.gallery.values import AddResult, CollectionSummary, ImageChange, NewImage, Unchanged, check_name, own_place
from core.gallery.vectors.port import Added, Removed, Renamed, VectorChange, VectorStore
from core.imaging.decoding import EXTENSIONS, encode_preview, open_image
from core.results import EncoderFingerprint, GalleryImage, Place

_FILES_AT_ONCE = 200  # deleted while others that write wait

_log = logging.getLogger(__name__)

_Hashed = tuple[NewImage, str]
"""An image and the sha256 of its bytes, hex."""


class Gallery(GalleryReader):
    """Images by collection and place: add, change, delete, and all that ``GalleryReader`` answers.

    Safe for several threads, and for several processes on one folder.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        files: PhotoStore,
        vectors: VectorStore,
        fingerprint: EncoderFingerprint,
        feature_cache_bytes: int,
    ) -> None:
        """Compose the parts; callers use ``open``."""
        super().__init__(folder, database, files, vectors, fingerprint, feature_cache_bytes)
        self._adds = GroupCommit[_Hashed, AddResult](self._add_all)

    @classmethod
    def open(
        cls,
        folder: Path,
        fingerprint: EncoderFingerprint | None,
        *,
        read_only: bool = False,
        feature_cache_bytes: int = 256 * 1024 * 1024,
        storage: Storage = LOCAL,
        load_vectors: bool = True,
    ) -> Self:
        """Open the gallery in ``folder``; a writer creates what is missing and loads the vectors.

        A reader loads them at its first search, for a process that only reads features needs none.

        Args:
            folder: of this gallery alone.
            fingerprint: the encoder in use; None takes whatever encoder the gallery was made with.
            read_only: refuse changes; the folder must hold a gallery. Changes of other processes are seen at once.
            feature_cache_bytes: memory for local features used recently.
            storage: where rows, photos and vectors are kept.
            load_vectors: False leaves them to a writer's first search too: one that only adds needs no memory for them.

        Raises:
            InvalidRequest: no such search device exists, or the photos of ``storage`` are another gallery's.
            BackendUnavailable: there is no GPU where one was asked for by name.
            EncoderMismatch: the gallery was made by another encoder.
            GalleryUnavailable: missing, locked, damaged, or of a newer version.
        """
        folder = folder.absolute()
        database = open_database(folder, storage, read_only=read_only)
        try:
            files = open_photos(folder, storage)
            if read_only:
                recorded = check_for_reading(database, fingerprint)
            else:
                recorded = prepare_for_writing(database, files, fingerprint, sweeping=storage.is_local)
            vectors = open_vectors(folder, storage, database, recorded)
            if load_vectors and not read_only:
                with database.reading() as connection:
                    vectors.catch_up(connection)
        except BaseException:
            database.close()
            raise
        gallery = cls(folder, database, files, vectors, recorded, feature_cache_bytes)
        _log.info("gallery %s opened: %d images, made by %s", folder, gallery.count(), recorded)
        return gallery

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the database and the vectors. Every later call raises GalleryUnavailable; closing twice is fine."""
        self._vectors.close()
        self._database.close()

    def add(self, images: Sequence[NewImage]) -> list[AddResult]:
        """Store images, all or none. When this returns they are on the disk and found by ``search``.

        Calls of several threads share their commits.

        A new place is made; of a known one only what it lacks (name, description...) is filled in.

        Returns:
            One result per image, in their order.

        Raises:
            InvalidRequest: a field is not acceptable; the message names it.
            GalleryUnavailable: nothing was stored.
        """
        for new in images:
            self._check_new(new)
        hashes = [hashlib.sha256(new.data).hexdigest() for new in images]
        return self._adds.submit(list(zip(images, hashes, strict=True)))

    def update(self, image_id: str, change: ImageChange) -> GalleryImage:
        """Change what an image shows, or what is on record of its place; all images of that place show the change.

        Returns:
            The image as it is now.

        Raises:
            UnknownImage: there is none of that id.
            InvalidRequest: a field is not acceptable; the message names it.
        """
        with self._database.writing() as connection:
            image = self._images.by_id(connection, image_id)
            former = place_rows.place_row_of(connection, image_id)
            current = former
            if not isinstance(change.place_id, Unchanged) and change.place_id != image.place.place_id:
                new_place = Place(change.place_id, name=change.place_id)
                current = place_rows.ensure_place(connection, image.collection, new_place)
                self._images.move(connection, image_id, current)
                place_rows.drop_place_without_images(connection, former)
            place_rows.change_place(connection, current, change)
            changed = self._images.by_id(connection, image_id)
            self._commit(connection)
        return changed

    def delete(self, image_id: str) -> None:
        """Forget an image: at once for searches, then its files unless another collection holds the same bytes.

        Raises:
            UnknownImage: there is none of that id.
        """
        with self._database.writing() as connection:
            image = self._images.by_id(connection, image_id)
            place = place_rows.place_row_of(connection, image_id)
            seq = self._images.delete(connection, image_id)
            place_rows.drop_place_without_images(connection, place)
            if not has_images(connection, image.collection):
                connection.execute("DELETE FROM calibrations WHERE collection = ?", (image.collection,))
            self._commit(connection, Removed(np.array([seq])))
        self._features.discard(image_id)
        self._remove_files([(image.content_hash, image.media_type)])

    def rename_collection(self, name: str, new_name: str) -> CollectionSummary:
        """Call a collection something else: at once for searches; its images, places and calibration stay.

        Raises:
            UnknownCollection: it holds no image.
            InvalidRequest: the new name is not acceptable, or is another collection's.
        """
        check_name("collection", new_name, 200)
        with self._database.writing() as connection:
            _refuse_unknown(connection, name)
            if new_name != name:
                if has_images(connection, new_name):
                    raise InvalidRequest(f"collection {new_name[:100]!r} exists already; give a name that is free")
                place_rows.rename_collection(connection, name, new_name)
                self._commit(connection, Renamed(name, new_name))
            return place_rows.collection_summary(connection, new_name)

    def delete_collection(self, name: str) -> int:
        """Forget all of a collection: at once for searches, then the files that no other collection holds.

        Returns:
            How many images it held.

        Raises:
            UnknownCollection: it holds none.
        """
        with self._database.writing() as connection:
            _refuse_unknown(connection, name)
            images = contents_of(connection, name)
            seqs = seqs_of(connection, name)
            place_rows.delete_collection(connection, name)
            self._commit(connection, Removed(seqs))
        for image_id, _, _ in images:
            self._features.discard(image_id)
        self._remove_files([(content_hash, media_type) for _, content_hash, media_type in images])
        return len(images)

    def store_calibration(self, collection: str, made_at: str, body: str | None) -> None:
        """Put a collection's calibration on record in place of an earlier one.

        Args:
            collection: must hold images.
            made_at: UTC, ISO 8601.
            body: text that ``calibration`` gives back; None removes what is on record.

        Raises:
            UnknownCollection: it holds none.
        """
        with self._database.writing() as connection:
            _refuse_unknown(connection, collection)
            connection.execute("DELETE FROM calibrations WHERE collection = ?", (collection,))
            if body is not None:
                connection.execute("INSERT INTO calibrations VALUES (?, ?, ?)", (collection, made_at, body))
            connection.execute("COMMIT")

    def preview_path(self, image_id: str) -> Path:
        """Say where the preview lies; one that is missing or torn is made again of its original.

        Raises:
            UnknownImage: there is none of that id.
            GalleryUnavailable: neither can be read.
        """
        try:
            return super().preview_path(image_id)
        except LostPhoto:
            if self._database.read_only:
                raise
        original = self.original_path(image_id)
        try:
            preview = encode_preview(open_image(original).image)
        except InvalidImage as exc:
            raise GalleryUnavailable(f"the gallery is damaged: {original} of image {image_id}: {exc}") from exc
        # Under the lock, so that no preview outlives an image deleted meanwhile.
        with self._database.writing() as connection:
            image = self._images.by_id(connection, image_id)
            self._files.replace([(self._files.preview_path(image.content_hash), preview)])
        _log.warning("the preview of image %s was missing or torn, and has been made again", image_id)
        return super().preview_path(image_id)

    def _add_all(self, images: Sequence[_Hashed]) -> list[AddResult]:
        results: list[AddResult] = []
        added: list[tuple[int, NewImage]] = []
        photos: list[tuple[str, bytes]] = []
        try:
            with self._database.writing() as connection:
                for new, content_hash in images:
                    known = self._images.by_content(connection, new.collection, content_hash)
                    if known is not None:
                        results.append(AddResult("duplicate", known))
                        continue
                    image_id = new.image_id or uuid4().hex
                    place = place_rows.ensure_place(connection, new.collection, new.place or own_place(new, image_id))
                    seq = self._images.insert(connection, new, image_id, content_hash, place)
                    vector_rows.insert_embedding(connection, seq, new.embedding)
                    if new.local_features is not None:
                        vector_rows.insert_local_features(connection, seq, new.local_features)
                    photos.append((self._files.original_path(content_hash, new.media_type), new.data))
                    photos.append((self._files.preview_path(content_hash), new.preview))
                    results.append(AddResult("added", self._images.by_id(connection, image_id)))
                    added.append((seq, new))
                if added:
                    self._files.store(photos)
                    self._commit(connection, *_additions(added))
        except GalleryUnavailable:
            if photos:  # they may lie there in part, and keep a full disk full
                self._remove_files([(content_hash, new.media_type) for new, content_hash in images])
            raise
        return results

    def _commit(self, connection: Connection, *changes: VectorChange) -> None:
        self._vectors.commit(connection, manifest.next_generation(connection), changes)

    def _remove_files(self, contents: Sequence[tuple[str, str]]) -> None:
        """Delete the files of those content hashes and media types that no image has."""
        try:
            for start in range(0, len(contents), _FILES_AT_ONCE):
                # The write lock keeps everybody from adding the same bytes between the question and the deed.
                with self._database.writing() as connection:
                    chunk = contents[start : start + _FILES_AT_ONCE]
                    used = used_contents(connection, {content_hash for content_hash, _ in chunk})
                    self._files.remove([each for each in chunk if each[0] not in used])
        except GalleryUnavailable as exc:
            _log.warning("files of no image stay for now: %s", exc)

    def _check_new(self, new: NewImage) -> None:
        check_name("collection", new.collection, 200)
        if new.media_type not in EXTENSIONS:
            raise InvalidRequest(f"invalid media type: {new.media_type!r}; give one of {', '.join(EXTENSIONS)}")
        self.check_embedding(new.embedding)


def _refuse_unknown(connection: Connection, collection: str) -> None:
    if not has_images(connection, collection):
        raise UnknownCollection(f"unknown collection: {collection[:100]!r}")


def _additions(added: Sequence[tuple[int, NewImage]]) -> Iterator[Added]:
    for collection in {new.collection for _, new in added}:
        of_collection = [(seq, new.embedding) for seq, new in added if new.collection == collection]
        seqs, embeddings = zip(*of_collection, strict=True)
        yield Added(collection, np.array(seqs, np.int64), np.stack(embeddings).astype(np.float32))
