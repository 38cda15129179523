"""The durable reference images, their places and their vectors.

The database is the only truth. The vector store follows every change of it and can be rebuilt from it. Photos are
written before the rows that name them are committed, and deleted after those rows are gone.
"""

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import (
    CollectionExists,
    EmptyGallery,
    GalleryUnavailable,
    InvalidImage,
    InvalidRequest,
    SemanticMatchError,
    UnknownCollection,
    UnknownImage,
)
from core.gallery.branding import Branding, check_branding
from core.gallery.database import collections as collection_rows
from core.gallery.database import embeddings as embedding_rows
from core.gallery.database import manifest, place_changes
from core.gallery.database import places as place_rows
from core.gallery.database import trash as trash_rows
from core.gallery.database import verifier_features as verifier_rows
from core.gallery.database.brandings import delete_branding, read_branding, write_branding
from core.gallery.database.calibrations import delete_calibration, read_calibration, write_calibration
from core.gallery.database.group_commit import GroupCommit
from core.gallery.database.images import ImageRows, count_by_collection, has_images, is_free
from core.gallery.database.port import Connection, Database
from core.gallery.deletions import is_trash
from core.gallery.languages import check_language
from core.gallery.opening import check_for_reading, prepare_for_writing
from core.gallery.orphans import remove_unused
from core.gallery.photos.port import LostPhoto, PhotoStore
from core.gallery.recordings import Recordings
from core.gallery.storage import LOCAL, Storage, open_database, open_photos, open_vectors
from core.gallery.tags import image_tag, place_tag, refuse_changed
from core.gallery.trash import Trash
from core.gallery.validation import check_name, check_new_collection, is_ambiguous_collection
from core.gallery.values import (
    DEFAULT_COLLECTION,
    AddResult,
    CollectionSummary,
    ImageChange,
    ImagePage,
    NewImage,
    NewRecording,
    PlaceCorrection,
    PlaceCorrections,
    PlacePage,
    PlaceSummary,
    Unchanged,
    own_place,
)
from core.gallery.vectors.port import Added, Lag, Removed, Renamed, VectorChange, VectorStore
from core.imaging.copies import PREVIEW_SIDE, encode_preview, read_preview
from core.imaging.decoding import EXTENSIONS, LONGEST_SIDE, ImageLimits, open_image
from core.results import Candidate, EncoderFingerprint, GalleryImage, LocalFeatures, Photo, Place, Recording
from core.runtime.bounded_cache import BoundedCache

logger = logging.getLogger(__name__)

_Hashed = tuple[NewImage, str]
"""An image and the sha256 of its bytes, hex."""


class Gallery:
    """Images by collection and place, their photos and their vectors.

    Safe for several threads, and for several processes on one folder. Each answer reflects what any process had
    committed when it was asked for.

    Attributes:
        folder: where everything lies, absolute.
        fingerprint: the encoder whose embeddings these are.
        preview_side: longest side of the previews that are made from now on, pixels.
        trash: deletes so that it can be undone, and undoes.
        recordings: what visitors listen to.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        files: PhotoStore,
        vectors: VectorStore,
        fingerprint: EncoderFingerprint,
        feature_cache_bytes: int,
        preview_side: int,
    ) -> None:
        """Take the opened parts; callers use ``open``."""
        self.preview_side = preview_side
        self.folder = folder
        self.fingerprint = fingerprint
        self._database = database
        self._files = files
        self._images = ImageRows(files)
        self._features = BoundedCache[str, LocalFeatures](feature_cache_bytes, lambda features: features.byte_size)
        self._vectors = vectors
        self.trash = Trash(database, files, vectors, self._features)
        self.recordings = Recordings(database, files, vectors)
        self._adds = GroupCommit[_Hashed, AddResult](self._add_all)

    @classmethod
    def open(
        cls,
        folder: Path,
        fingerprint: EncoderFingerprint | None,
        *,
        read_only: bool = False,
        feature_cache_bytes: int = 16 * 1024 * 1024,
        storage: Storage = LOCAL,
        load_vectors: bool = True,
        preview_side: int = PREVIEW_SIDE,
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
            preview_side: longest side of previews made from now on, pixels; those made before stay as they are.

        Raises:
            InvalidRequest: no such search device exists, the photos of ``storage`` are another gallery's, or previews
                cannot have this side.
            BackendUnavailable: there is no GPU where one was asked for by name.
            EncoderMismatch: the gallery was made by another encoder.
            GalleryUnavailable: missing, locked, damaged, or of a newer version.
        """
        if not PREVIEW_SIDE <= preview_side <= LONGEST_SIDE:
            raise InvalidRequest(f"previews of {preview_side} pixels; accepted: {PREVIEW_SIDE} to {LONGEST_SIDE}")
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
        gallery = cls(folder, database, files, vectors, recorded, feature_cache_bytes, preview_side)
        logger.info("gallery %s opened: %d images, made by %s", folder, gallery.count(), recorded)
        return gallery

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and the vector store. Later calls raise GalleryUnavailable; closing twice is fine."""
        self._vectors.close()
        self._database.close()

    @property
    def feature_cache(self) -> BoundedCache[str, LocalFeatures]:
        """The local features in memory, by image id."""
        return self._features

    @property
    def vector_lag(self) -> Lag | None:
        """How far the vector engine is behind the database; None where this process does not keep one in sync."""
        return self._vectors.lag

    @property
    def generation(self) -> int:
        """How many changes have been committed so far, by any process."""
        with self._database.reading() as connection:
            return manifest.read_generation(connection)

    def search(
        self,
        embedding: NDArray[np.float32],
        collection: str = DEFAULT_COLLECTION,
        top_k: int = 5,
    ) -> list[Candidate]:
        """Find the images whose embeddings are most similar, most similar first; never of a hidden place.

        Args:
            embedding: float32 [D], L2 norm 1, made by the gallery's encoder.
            collection: where to look.
            top_k: at most so many, >= 1.

        Returns:
            Candidates of rank 1, 2...; none where all places are hidden.

        Raises:
            InvalidRequest: ``top_k`` < 1, or an embedding of another length.
            EmptyGallery: there is no image at all.
            UnknownCollection: the collection holds none.
            GalleryUnavailable: not all vectors can be searched at the moment.
        """
        if top_k < 1:
            raise InvalidRequest(f"invalid top_k: {top_k}; give 1 or more")
        query = self.check_embedding(embedding)
        with self._database.reading() as connection:
            if is_trash(collection):
                raise _nothing_to_search(connection, collection)
            seqs, similarities = self._search_shown(connection, collection, query, top_k)
            images = self._images.by_seqs(connection, seqs.tolist())
        # Since the vectors were searched, an image may have been deleted or its place hidden, and the name may have
        # become another collection's.
        found = [
            (image, similarity)
            for seq, similarity in zip(seqs.tolist(), similarities.clip(-1, 1).tolist(), strict=True)
            if (image := images.get(seq)) and image.collection == collection and not image.place.is_hidden
        ]
        return [Candidate(image, similarity, rank) for rank, (image, similarity) in enumerate(found, start=1)]

    def check_collection(self, collection: str) -> None:
        """Raise what ``search`` would raise for a missing collection, without a vector.

        Raises:
            EmptyGallery: there is no image at all.
            UnknownCollection: the collection holds none.
        """
        with self._database.reading() as connection:
            if is_trash(collection) or not has_images(connection, collection):
                raise _nothing_to_search(connection, collection)

    def find_collection(self, name: str) -> str:
        """Return the name that a collection with images has now; ``name`` may be a former one.

        Raises:
            EmptyGallery: there is no image at all.
            UnknownCollection: there is no such collection, or it holds no image.
        """
        with self._database.reading() as connection:
            if not is_trash(name):
                if has_images(connection, name):
                    return name
                current = collection_rows.current_name(connection, name)
                if has_images(connection, current):
                    return current
            raise _nothing_to_search(connection, name)

    def current_name(self, name: str) -> str:
        """Return the name that a collection has now; ``name`` may be a former one, or one of no collection."""
        with self._database.reading() as connection:
            return collection_rows.current_name(connection, name)

    def check_collection_exists(self, collection: str) -> None:
        """Let pass only a collection that exists, with images or without.

        Raises:
            UnknownCollection: it does not.
        """
        with self._database.reading() as connection:
            if not collection_rows.has_collection(connection, collection):
                raise _unknown(collection, collection_rows.collection_summaries(connection))

    def calibration(self, collection: str = DEFAULT_COLLECTION) -> str | None:
        """Return the stored calibration of a collection, as text; None if there is none."""
        with self._database.reading() as connection:
            return read_calibration(connection, collection)

    def language(self, collection: str = DEFAULT_COLLECTION) -> str:
        """Return the language tag of a collection's names and descriptions; empty where it is not known."""
        with self._database.reading() as connection:
            return collection_rows.read_language(connection, collection)

    def branding(self, collection: str = DEFAULT_COLLECTION) -> Branding:
        """Read how a collection, by its present or a former name, presents its museum; empty where nobody has said.

        Raises:
            UnknownCollection: there is no such collection.
        """
        with self._database.reading() as connection:
            collection = collection_rows.current_name(connection, collection)
            collection_rows.refuse_unknown(connection, collection)
            return read_branding(connection, collection)

    def count_places(self, collection: str = DEFAULT_COLLECTION) -> int:
        """How many places of a collection answers can name: all but the hidden ones."""
        with self._database.reading() as connection:
            return collection_rows.count_places(connection, collection)

    def get(self, image_id: str) -> GalleryImage:
        """Read one image.

        Raises:
            UnknownImage: there is none of that id.
        """
        with self._database.reading() as connection:
            return self._images.by_id(connection, image_id)

    def find_by_content(self, collection: str, content_hash: str) -> GalleryImage | None:
        """Read the image of a collection whose original has this sha256 (hex), if there is one."""
        with self._database.reading() as connection:
            return self._images.by_content(connection, collection, content_hash)

    def list_images(
        self,
        collection: str | None = None,
        place_id: str | None = None,
        text: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ImagePage:
        """List images, oldest first.

        Args:
            collection: only of this one.
            place_id: only those that show it.
            text: only those whose file name or place name contains it; case counts for non-ASCII letters alone.
            cursor: ``next_cursor`` of the page before; None for the first.
            limit: at most so many, [1, 1000].

        Raises:
            InvalidRequest: bad cursor or limit.
        """
        with self._database.reading() as connection:
            return self._images.page(connection, collection, place_id, text, cursor, limit)

    def all_images(self, collection: str) -> Iterator[GalleryImage]:
        """Read every image of a collection, oldest first, page by page."""
        page = self.list_images(collection, limit=1000)
        yield from page.images
        while page.next_cursor is not None:
            page = self.list_images(collection, cursor=page.next_cursor, limit=1000)
            yield from page.images

    def place(self, collection: str, place_id: str, *, with_hidden: bool = True) -> PlaceSummary:
        """Read one place, by the name of its collection or a former one.

        Args:
            collection: that has the place.
            place_id: of the place.
            with_hidden: False: a hidden place counts as none.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownPlace: it has no such place.
        """
        with self._database.reading() as connection:
            collection = collection_rows.current_name(connection, collection)
            row = place_rows.known_place(connection, collection, place_id, with_hidden=with_hidden)
            return place_rows.place_summary(connection, row)

    def places(
        self,
        collection: str | None = None,
        text: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        is_hidden: bool | None = None,
    ) -> PlacePage:
        """List places by name.

        Arguments and errors as ``list_images``; ``text`` within their texts and facts; ``is_hidden`` lists only hidden
        places, or only the others.
        """
        with self._database.reading() as connection:
            dialect = self._database.dialect
            return place_rows.page_of_places(connection, dialect, collection, text, cursor, limit, is_hidden)

    def all_places(self, collection: str) -> Iterator[PlaceSummary]:
        """Read every place of a collection, by name, page by page."""
        page = self.places(collection, limit=1000)
        yield from page.places
        while page.next_cursor is not None:
            page = self.places(collection, cursor=page.next_cursor, limit=1000)
            yield from page.places

    def collections(self, *, with_hidden: bool = True) -> list[CollectionSummary]:
        """List the collections that exist, by name, those that were created and hold no image as well.

        Args:
            with_hidden: False: hidden places and their images are not counted.
        """
        with self._database.reading() as connection:
            return collection_rows.collection_summaries(connection, with_hidden=with_hidden)

    def count(self, collection: str | None = None) -> int:
        """Count the images, of one collection or of all."""
        with self._database.reading() as connection:
            counts = count_by_collection(connection)
        return sum(counts.values()) if collection is None else counts.get(collection, 0)

    def local_features(self, image_ids: Sequence[str]) -> list[LocalFeatures | None]:
        """Read local features, those used recently from memory.

        Returns:
            One entry per id, in their order; None where nothing is stored (or no such image exists).
        """
        found = {image_id: features for image_id in image_ids if (features := self._features.get(image_id)) is not None}
        missing = [image_id for image_id in image_ids if image_id not in found]
        if missing:
            with self._database.reading() as connection:
                stored = embedding_rows.read_local_features(connection, missing)
            for image_id, features in stored.items():
                self._features.put(image_id, features)
            found.update(stored)
        return [found.get(image_id) for image_id in image_ids]

    def photos(self, images: Sequence[GalleryImage], limits: ImageLimits | None = None) -> list[Photo]:
        """Turn gallery images into photos for a verifier: local features are read now, pixels on demand.

        Args:
            images: of this gallery.
            limits: for decoding the originals.

        Returns:
            One photo per image, in their order. ``load`` and ``reduced`` raise what ``load_original`` raises.
        """
        features = self.local_features([image.image_id for image in images])
        return [
            Photo(
                partial(self.load_original, image, limits),
                image.content_hash,
                known,
                partial(self._verifier_features_of, image.content_hash),
                image.place.place_id,
                partial(self.load_reduced, image, limits=limits),
            )
            for image, known in zip(images, features, strict=True)
        ]

    def verifier_features(self, content_hashes: Sequence[str], extractor: str) -> list[LocalFeatures | None]:
        """Read the features that an extractor, given by name, made of photos, those used recently from memory.

        Returns:
            One entry per content hash, in their order; None where none are stored.
        """
        found = {
            key: known for key in content_hashes if (known := self._features.get(f"{extractor} {key}")) is not None
        }
        missing = [key for key in content_hashes if key not in found]
        if missing:
            with self._database.reading() as connection:
                stored = verifier_rows.read(connection, missing, extractor)
            for key, features in stored.items():
                self._features.put(f"{extractor} {key}", features)
            found |= stored
        return [found.get(key) for key in content_hashes]

    def _verifier_features_of(self, content_hash: str, extractor: str) -> LocalFeatures | None:
        return self.verifier_features([content_hash], extractor)[0]

    def without_verifier_features(
        self, extractor: str, *, after_seq: int = 0, before_seq: int = 2**62, limit: int = 16
    ) -> list[tuple[int, GalleryImage]]:
        """List images whose photos have no features of an extractor yet, newest first.

        Args:
            extractor: by name.
            after_seq: only images with a larger seq.
            before_seq: only images with a smaller seq, to go on where an earlier list ended.
            limit: at most so many images, >= 1.

        Returns:
            The seq of each image, and the image.
        """
        with self._database.reading() as connection:
            seqs = verifier_rows.seqs_without(connection, extractor, after_seq, before_seq, limit)
            images = self._images.by_seqs(connection, seqs)
        return [(seq, images[seq]) for seq in seqs if seq in images]

    def count_verifier_features(self, extractor: str) -> tuple[int, int]:
        """Count the photos, and those of them that have features of an extractor."""
        with self._database.reading() as connection:
            return verifier_rows.count(connection, extractor)

    def load_original(self, image: GalleryImage, limits: ImageLimits | None = None) -> Image.Image:
        """Decode the original of an image: upright, RGB.

        Raises:
            InvalidImage: it cannot be decoded.
            LostPhoto: it is gone, or is not as long as it was.
            GalleryUnavailable: the photos cannot be reached.
        """
        return open_image(self.fetch_original(image), limits=limits).image

    def load_reduced(self, image: GalleryImage, side: int, *, limits: ImageLimits | None = None) -> Image.Image:
        """Decode an image for a reader of ``side`` pixels, from its preview if that is large enough.

        Raises:
            InvalidImage: as ``load_original``, like the following.
            LostPhoto: neither is there.
            GalleryUnavailable: the photos cannot be reached.
        """
        wanted = min(side, max(image.width, image.height))
        path = self._files.fetch_preview(image.content_hash)
        preview = read_preview(path, wanted) if path is not None else None
        return preview or open_image(self.fetch_original(image), max_side=side, limits=limits).image

    def store_verifier_features(self, content_hash: str, features: LocalFeatures) -> None:
        """Keep what an extractor made of a photo, as long as an image holds the photo."""
        with self._database.writing() as connection:
            verifier_rows.write(connection, content_hash, features)
            connection.execute("COMMIT")

    def embeddings(self, collection: str = DEFAULT_COLLECTION) -> tuple[list[str], NDArray[np.float32]]:
        """Read all embeddings of a collection, oldest image first.

        Returns:
            N image ids, and float32 [N, D].
        """
        chunks = list(self.embedding_chunks(collection))
        image_ids = [image_id for ids, _ in chunks for image_id in ids]
        empty = np.empty((0, self.fingerprint.dim), np.float32)
        return image_ids, np.concatenate([empty, *(vectors for _, vectors in chunks)])

    def embedding_chunks(self, collection: str = DEFAULT_COLLECTION) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Read what ``embeddings`` returns in chunks, as of the moment when the reading began."""
        with self._database.reading() as connection:
            for _, image_ids, vectors in embedding_rows.read_embeddings(connection, collection, self.fingerprint.dim):
                yield image_ids, vectors

    def original_path(self, image_id: str) -> Path:
        """Return the path of the original.

        Raises:
            UnknownImage: there is none of that id.
            GalleryUnavailable: as ``fetch_original``.
        """
        return self.fetch_original(self.get(image_id))

    def fetch_original(self, image: GalleryImage) -> Path:
        """Make the original of an image available on this machine, at ``image.path``.

        Raises:
            LostPhoto: it is gone, or is not as long as it was.
            GalleryUnavailable: the photos cannot be reached.
        """
        path = self._files.fetch_original(image.content_hash, image.media_type, image.byte_size)
        if path is None:
            raise LostPhoto(
                f"the gallery is damaged: {image.path} of image {image.image_id} is missing or damaged; restore it"
            )
        return path

    def check_embedding(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the embedding, float32 [D] and contiguous.

        Raises:
            InvalidRequest: another length, or not of L2 norm 1.
        """
        if embedding.shape != (self.fingerprint.dim,):
            raise InvalidRequest(
                f"invalid embedding: shape {embedding.shape}; this gallery's are [{self.fingerprint.dim}]"
            )
        # NaN fails the comparison as well.
        if not abs(float(np.linalg.norm(embedding)) - 1) < 1e-2:
            raise InvalidRequest("invalid embedding: its L2 norm is not 1")
        return np.ascontiguousarray(embedding, np.float32)

    def preview_path(self, image_id: str) -> Path:
        """Return the path of the preview; one that is missing or torn is made again from its original.

        Raises:
            UnknownImage: there is none of that id.
            GalleryUnavailable: neither can be read.
        """
        try:
            return self._fetch_preview(image_id)
        except LostPhoto:
            if self._database.read_only:
                raise
        original = self.original_path(image_id)
        try:
            preview = encode_preview(open_image(original).image, max_side=self.preview_side)
        except InvalidImage as exc:
            raise GalleryUnavailable(f"the gallery is damaged: {original} of image {image_id}: {exc}") from exc
        # Under the lock, so that no preview outlives an image deleted meanwhile.
        with self._database.writing() as connection:
            image = self._images.by_id(connection, image_id)
            self._files.replace([(self._files.preview_path(image.content_hash), preview)])
        logger.warning("the preview of image %s was missing or damaged, and has been made again", image_id)
        return self._fetch_preview(image_id)

    def add(self, images: Sequence[NewImage]) -> list[AddResult]:
        """Store images, all or none. When this returns, they are on the disk and ``search`` finds them.

        Calls of several threads share their commits. A new place is created; a known one only gets the fields that it
        lacks (name, description...). A photo in the trash of its collection is taken out of the trash: it gets its id
        again, and shows what ``images`` say.

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

    def update(self, image_id: str, change: ImageChange, *, expected: Collection[str] | None = None) -> GalleryImage:
        """Change the place of an image, or the fields of its place, which all images of that place share.

        A new place is hidden if the image's former one was.

        Args:
            image_id: of the image.
            change: what is to be different.
            expected: the image's ``core.gallery.tags.image_tag`` must be one of these; None changes it in any case.

        Returns:
            The image as it is now.

        Raises:
            UnknownImage: there is none of that id.
            ChangedMeanwhile: it is not as expected.
            InvalidRequest: a field is not acceptable; the message names it.
        """
        with self._database.writing() as connection:
            image = self._images.by_id(connection, image_id)
            refuse_changed(expected, image_tag(image))
            former = place_rows.place_row_of(connection, image_id)
            current, recordings = former, list[Recording]()
            if not isinstance(change.place_id, Unchanged) and change.place_id != image.place.place_id:
                place_id = check_name("place_id", change.place_id, 200)  # named as such, not as the place's name
                new_place = Place(place_id, name=place_id, is_hidden=image.place.is_hidden)
                current = place_rows.ensure_place(connection, image.collection, new_place)
                self._images.move(connection, image_id, current)
                recordings = place_rows.drop_place_without_images(connection, former)
            place_changes.change_place(connection, current, change)
            changed = self._images.by_id(connection, image_id)
            self._commit(connection)
        remove_unused(self._database, self._files, recordings=recordings)
        return changed

    def move_images(
        self, collection: str, place_id: str, *, images: Sequence[str] = (), places: Sequence[str] = ()
    ) -> tuple[PlaceSummary, int]:
        """Let images show another place, all or none. Places that no image shows any more are gone.

        Of places that are moved as a whole, the texts and recordings in languages that the place lacks are kept. A new
        place is hidden if everything that it gets was.

        Args:
            collection: that all of them belong to.
            place_id: what they are to show; made if it is new.
            images: ids of images.
            places: ids of places, all of whose images are moved.

        Returns:
            The place, and how many images show it now that showed another one.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownImage: it has no such image.
            UnknownPlace: it has no such place.
            InvalidRequest: the id of the place is not acceptable, or nothing is to be moved.
        """
        place_id = check_name("place_id", place_id, 200)
        if not (images or places):
            raise InvalidRequest("nothing to move; give images or places")
        with self._database.writing() as connection:
            collection_rows.refuse_unknown(connection, collection)
            merged = [place_rows.known_place(connection, collection, place) for place in places]
            former = set(merged)
            moved = {image_id for row in former for image_id in self._images.ids_of_place(connection, row)}
            for image_id in images:
                if self._images.by_id(connection, image_id).collection != collection:
                    raise UnknownImage(f"image {image_id!r} is not in collection {collection[:100]!r}")
                former.add(place_rows.place_row_of(connection, image_id))
                moved.add(image_id)
            is_hidden = all(place_rows.place_summary(connection, row).place.is_hidden for row in former)
            new_place = Place(place_id, name=place_id, is_hidden=is_hidden)
            target = place_rows.ensure_place(connection, collection, new_place)
            for row in merged:
                texts = place_rows.place_summary(connection, row).place.texts
                place_rows.merge_place(connection, collection, Place(place_id, name=place_id, texts=texts))
            moved -= set(self._images.ids_of_place(connection, target))
            for image_id in moved:
                self._images.move(connection, image_id, target)
            recordings = list[Recording]()
            for row in former - {target}:
                recordings += place_rows.drop_place_without_images(connection, row)
            summary = place_rows.place_summary(connection, target)
            if moved:
                self._commit(connection)
        remove_unused(self._database, self._files, recordings=recordings)
        return summary, len(moved)

    def correct_places(
        self,
        collection: str,
        changes: Mapping[str, ImageChange],
        recordings: Mapping[str, Mapping[str, NewRecording]] = MappingProxyType({}),
        *,
        dry_run: bool = False,
    ) -> PlaceCorrections:
        """Update texts and recordings of existing places, if they differ from the stored ones.

        Args:
            collection: where the places are.
            changes: by place id; ``ImageChange.place_id`` means nothing here.
            recordings: of these places, by place id and language tag. Those of further places, which are to be changed
                later, are not deleted.
            dry_run: say what would change, and change nothing.

        Raises:
            GalleryUnavailable: nothing was stored.
        """
        corrections, unknown, refused = list[PlaceCorrection](), list[str](), list[InvalidRequest]()
        stored = list[Recording]()
        try:
            with self._database.writing() as connection:
                for place_id, change in changes.items():
                    new = recordings.get(place_id, {})
                    try:
                        corrected = place_changes.correct_place(connection, collection, place_id, change, new)
                    except InvalidRequest as error:  # before anything of the place is written
                        refused.append(InvalidRequest(f"place {place_id[:200]!r}: {error}"))
                        continue
                    if corrected is None:
                        unknown.append(place_id)
                    elif not corrected.is_empty:
                        corrections.append(corrected)
                if corrections and not dry_run:
                    for given in chain.from_iterable(corrected.recordings.values() for corrected in corrections):
                        stored.append(given.recording)
                        self.recordings.store(given)
                    self._commit(connection)
        except SemanticMatchError:
            remove_unused(self._database, self._files, recordings=stored)
            raise
        if not dry_run:
            replaced = {former for corrected in corrections for former in corrected.replaced_recordings}
            wanted = {new.recording for of_place in recordings.values() for new in of_place.values()}
            remove_unused(self._database, self._files, recordings=replaced - wanted)
        return PlaceCorrections(tuple(corrections), tuple(unknown), tuple(refused))

    def change_place(
        self, collection: str, place_id: str, change: ImageChange, *, expected: Collection[str] | None = None
    ) -> PlaceSummary:
        """Change a place.

        Args:
            collection: that it belongs to.
            place_id: of the place.
            change: what is to be different; its own ``place_id`` is not looked at.
            expected: the place's ``core.gallery.tags.place_tag`` must be one of these; None changes it in any case.

        Returns:
            The place as it is now.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownPlace: it has no such place.
            ChangedMeanwhile: it is not as expected.
            InvalidRequest: a field is not acceptable; the message names it.
        """
        with self._database.writing() as connection:
            row = place_rows.known_place(connection, collection, place_id)
            refuse_changed(expected, place_tag(place_rows.place_summary(connection, row).place))
            place_changes.change_place(connection, row, change)
            changed = place_rows.place_summary(connection, row)
            self._commit(connection)
        return changed

    def delete(self, image_id: str) -> None:
        """Delete an image permanently: at once for searches, then its files, unless other images have the same bytes.

        ``trash.put_image`` deletes so that it can be undone.

        Raises:
            UnknownImage: there is none of that id.
        """
        with self._database.writing() as connection:
            image = self._images.by_id(connection, image_id)
            place = place_rows.place_row_of(connection, image_id)
            seq = self._images.delete(connection, image_id)
            recordings = place_rows.drop_place_without_images(connection, place)
            if not has_images(connection, image.collection):
                delete_calibration(connection, image.collection)
            if not collection_rows.has_collection(connection, image.collection):
                delete_branding(connection, image.collection)
            self._commit(connection, Removed(np.array([seq])))
        self._features.discard(image_id)
        remove_unused(self._database, self._files, [(image.content_hash, image.media_type)], recordings)

    def rename_collection(self, name: str, new_name: str) -> CollectionSummary:
        """Rename a collection, at once for searches; its images, places and calibration stay.

        ``current_name`` finds it by its former name too, until there is another collection of that name.

        Raises:
            UnknownCollection: it holds no image.
            InvalidRequest: the new name is not acceptable, or is another collection's.
        """
        new_name = new_name if new_name == name else check_new_collection(new_name)
        with self._database.writing() as connection:
            collection_rows.refuse_unknown(connection, name)
            if new_name != name:
                if collection_rows.has_collection(connection, new_name):
                    raise InvalidRequest(f"collection {new_name[:100]!r} exists already; give another name")
                collection_rows.rename_collection(connection, name, new_name)
                collection_rows.record_former_name(connection, name, new_name)
                trash_rows.rename_collection(connection, name, new_name)
                self._commit(connection, Renamed(name, new_name))
            return collection_rows.collection_summary(connection, new_name)

    def store_language(self, name: str, language: str) -> CollectionSummary:
        """Store the language of a collection's names and descriptions.

        Args:
            name: of the collection.
            language: a tag of BCP 47; empty where it is not known.

        Raises:
            UnknownCollection: there is no such collection.
            InvalidRequest: the tag is not acceptable.
        """
        tag = check_language(language) if language else ""
        with self._database.writing() as connection:
            collection_rows.refuse_unknown(connection, name)
            collection_rows.write_language(connection, name, tag)
            self._commit(connection)
            return collection_rows.collection_summary(connection, name)

    def create_collection(self, name: str, language: str = "") -> CollectionSummary:
        """Make a collection that holds no image yet.

        Args:
            name: of the collection.
            language: tag of the language of its names and descriptions (BCP 47); empty where it is not known.

        Raises:
            CollectionExists: there is one of that name.
            InvalidRequest: the name or the tag is not acceptable.
        """
        name = check_new_collection(name)
        tag = check_language(language) if language else ""
        with self._database.writing() as connection:
            if collection_rows.has_collection(connection, name):
                raise CollectionExists(f"collection {name[:100]!r} exists already; give a name that is free")
            collection_rows.create_collection(connection, name)
            collection_rows.write_language(connection, name, tag)
            self._commit(connection)
        return CollectionSummary(name, 0, 0, tag)

    def delete_place(self, collection: str, place_id: str) -> int:
        """Delete a place and its images permanently, including its entries in the trash.

        Returns:
            How many images showed it.

        Raises:
            UnknownCollection: there is no such collection.
            UnknownPlace: it has no such place.
        """
        deletion = self.trash.put_place(collection, place_id)
        self.trash.empty(collection=collection, place_id=place_id)
        return deletion.images

    def delete_collection(self, name: str) -> int:
        """Delete a collection permanently: at once for searches, then the files that no other collection has.

        What of it is in the trash goes as well.

        Returns:
            How many images it held.

        Raises:
            UnknownCollection: there is none of that name.
        """
        deletion = self.trash.put_collection(name)
        self.trash.empty(collection=name)
        return deletion.images

    def store_calibration(self, collection: str, made_at: str, body: str | None) -> None:
        """Store a collection's calibration in place of an earlier one.

        Args:
            collection: must hold images.
            made_at: UTC, ISO 8601.
            body: text that ``calibration`` returns; None deletes the stored one.

        Raises:
            UnknownCollection: it holds none.
        """
        with self._database.writing() as connection:
            if is_trash(collection) or not has_images(connection, collection):
                raise UnknownCollection(f"unknown collection: {collection[:100]!r}")
            if body is None:
                delete_calibration(connection, collection)
            else:
                write_calibration(connection, collection, made_at, body)
            connection.execute("COMMIT")

    def change_branding(self, collection: str, change: Mapping[str, Any]) -> Branding:
        """Change how a collection presents its museum.

        Args:
            collection: with images or without.
            change: new values by the names of ``Branding``'s fields.

        Returns:
            All fields.

        Raises:
            UnknownCollection: there is no such collection.
            InvalidRequest: a value is not acceptable.
        """
        with self._database.writing() as connection:
            collection_rows.refuse_unknown(connection, collection)
            branding = check_branding(replace(read_branding(connection, collection), **change))
            write_branding(connection, collection, branding)
            connection.execute("COMMIT")
        return branding

    def _search_shown(
        self, connection: Connection, collection: str, query: NDArray[np.float32], top_k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Search the vectors, deeper where images of hidden places are among the nearest.

        Returns:
            seqs int64 [K] and similarities float32 [K], descending.

        Raises:
            EmptyGallery: there is no image at all.
            UnknownCollection: the collection holds none.
        """
        hidden = place_rows.hidden_seqs(connection, collection)
        depth = top_k + min(top_k, len(hidden))
        while True:
            seqs, similarities = self._vectors.search(connection, collection, query, depth)
            if not len(seqs):
                raise _nothing_to_search(connection, collection)
            is_shown = ~np.isin(seqs, hidden)
            if is_shown.sum() >= top_k or len(seqs) < depth:
                return seqs[is_shown][:top_k], similarities[is_shown][:top_k]
            depth *= 4

    def _fetch_preview(self, image_id: str) -> Path:
        content_hash = self.get(image_id).content_hash
        path = self._files.fetch_preview(content_hash)
        if path is None:
            lost = self._files.preview_path(content_hash)
            raise LostPhoto(f"the gallery is damaged: {lost} of image {image_id} is missing or damaged")
        return path

    def _add_all(self, images: Sequence[_Hashed]) -> list[AddResult]:
        results: list[AddResult] = []
        added: list[tuple[int, NewImage]] = []
        removed: list[int] = []
        recordings: list[Recording] = []
        photos: list[tuple[str, bytes]] = []
        try:
            with self._database.writing() as connection:
                for new, content_hash in images:
                    known = self._images.by_content(connection, new.collection, content_hash)
                    if known is not None:
                        results.append(AddResult("duplicate", known))
                        continue
                    former_id, former, taken, dropped = trash_rows.take(connection, new.collection, content_hash)
                    given_id = new.image_id if new.image_id and is_free(connection, new.image_id) else None
                    image_id = former_id or given_id or uuid4().hex
                    shown = new.place or own_place(new, image_id)
                    former = former if former is not None and former.place_id == shown.place_id else None
                    shown = replace(shown, is_hidden=shown.is_hidden or (former is not None and former.is_hidden))
                    place = place_rows.ensure_place(connection, new.collection, shown)
                    if former is not None:
                        place_rows.merge_place(connection, new.collection, former)
                    seq = self._images.insert(connection, new, image_id, content_hash, place)
                    embedding_rows.insert_embedding(connection, seq, new.embedding)
                    if new.local_features is not None:
                        embedding_rows.insert_local_features(connection, seq, new.local_features)
                    photos.append((self._files.original_path(content_hash, new.media_type), new.data))
                    photos.append((self._files.preview_path(content_hash), new.preview))
                    results.append(AddResult("added", self._images.by_id(connection, image_id)))
                    added.append((seq, new))
                    removed += taken
                    recordings += dropped
                if added:
                    self._files.store(photos)
                    taken_out = [Removed(np.array(removed, np.int64))] if removed else []
                    self._commit(connection, *taken_out, *_additions(added))
        except GalleryUnavailable:
            if photos:  # some may have been written, and would keep a full disk full
                remove_unused(self._database, self._files, [(image, new.media_type) for new, image in images])
            raise
        remove_unused(self._database, self._files, recordings=recordings)
        return results

    def _commit(self, connection: Connection, *changes: VectorChange) -> None:
        self._vectors.commit(connection, manifest.next_generation(connection), changes)

    def _check_new(self, new: NewImage) -> None:
        check_name("collection", new.collection, 200)
        if is_ambiguous_collection(new.collection):  # one that was made by an earlier version may grow
            with self._database.reading() as connection:
                if not collection_rows.has_collection(connection, new.collection):
                    check_new_collection(new.collection)
        if new.media_type not in EXTENSIONS:
            raise InvalidRequest(f"invalid media type: {new.media_type!r}; give one of {', '.join(EXTENSIONS)}")
        self.check_embedding(new.embedding)


def _additions(added: Sequence[tuple[int, NewImage]]) -> Iterator[Added]:
    for collection in {new.collection for _, new in added}:
        of_collection = [(seq, new.embedding) for seq, new in added if new.collection == collection]
        seqs, embeddings = zip(*of_collection, strict=True)
        yield Added(collection, np.array(seqs, np.int64), np.stack(embeddings).astype(np.float32))


def _nothing_to_search(connection: Connection, collection: str) -> EmptyGallery | UnknownCollection:
    summaries = collection_rows.collection_summaries(connection)
    if not any(summary.images for summary in summaries):
        return EmptyGallery("the gallery holds no image yet; add some with POST /index/images or build_database.py")
    if any(summary.name == collection and not summary.images for summary in summaries):  # else it was renamed just now
        return EmptyGallery(f"collection {collection[:100]!r} holds no image yet; add some with POST /index/images")
    return _unknown(collection, summaries)


def _unknown(collection: str, summaries: Sequence[CollectionSummary]) -> UnknownCollection:
    known = ", ".join(summary.name for summary in summaries[:20]) or "none"
    return UnknownCollection(f"unknown collection: {collection[:100]!r}; known: {known}")
