"""Everything that can be asked of a gallery without changing it."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import EmptyGallery, InvalidRequest, UnknownCollection
from core.gallery.database import embeddings as vector_rows
from core.gallery.database import manifest
from core.gallery.database import places as place_rows
from core.gallery.database.images import ImageRows, count_by_collection, has_images
from core.gallery.database.port import Database
from core.gallery.photos.port import LostPhoto, PhotoStore
from core.gallery.values import DEFAULT_COLLECTION, CollectionSummary, ImagePage, PlacePage
from core.gallery.vectors.port import Lag, VectorStore
from core.imaging.decoding import ImageLimits, open_image
from core.results import Candidate, EncoderFingerprint, GalleryImage, LocalFeatures, Photo
from core.runtime.bounded_cache import BoundedCache


class GalleryReader:
    """The reading half of ``Gallery``. Each answer reflects what any process had committed when it was asked for.

    Attributes:
        folder: where everything lies, absolute.
        fingerprint: the encoder whose embeddings these are.
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
        """Compose the parts; callers use ``Gallery.open``."""
        self.folder = folder
        self.fingerprint = fingerprint
        self._database = database
        self._files = files
        self._images = ImageRows(files)
        self._features = BoundedCache[str, LocalFeatures](feature_cache_bytes, lambda features: features.byte_size)
        self._vectors = vectors

    @property
    def feature_cache(self) -> BoundedCache[str, LocalFeatures]:
        """What ``local_features`` keeps in memory, by image id."""
        return self._features

    @property
    def vector_lag(self) -> Lag | None:
        """How far the vector engine is behind, if vectors are in one that this process leads."""
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
        """Find the images whose embeddings are most similar, most similar first.

        Args:
            embedding: float32 [D], L2 norm 1, made by the gallery's encoder.
            collection: where to look.
            top_k: at most so many, >= 1.

        Returns:
            Candidates of rank 1, 2...

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
            seqs, similarities = self._vectors.search(connection, collection, query, top_k)
            if not len(seqs):
                raise _nothing_to_search(collection, count_by_collection(connection))
            images = self._images.by_seqs(connection, seqs.tolist())
        # An image deleted since the search of the vectors has no row any more, and one whose collection got another
        # name may be in none of this name.
        found = [
            (images[seq], similarity)
            for seq, similarity in zip(seqs.tolist(), similarities.clip(-1, 1).tolist(), strict=True)
            if seq in images and images[seq].collection == collection
        ]
        return [Candidate(image, similarity, rank) for rank, (image, similarity) in enumerate(found, start=1)]

    def check_collection(self, collection: str) -> None:
        """Say, without any vector, what ``search`` would find missing.

        Raises:
            EmptyGallery: there is no image at all.
            UnknownCollection: the collection holds none.
        """
        with self._database.reading() as connection:
            if not has_images(connection, collection):
                raise _nothing_to_search(collection, count_by_collection(connection))

    def calibration(self, collection: str = DEFAULT_COLLECTION) -> str | None:
        """The calibration on record for a collection, as it was stored; None if there is none."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT body FROM calibrations WHERE collection = ?", (collection,)).fetchone()
        return None if row is None else str(row[0])

    def count_places(self, collection: str = DEFAULT_COLLECTION) -> int:
        """How many places a collection has."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT count(*) FROM places WHERE collection = ?", (collection,)).fetchone()
        return int(row[0])

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
        """Every image of a collection, oldest first, page by page."""
        cursor = None
        while True:
            page = self.list_images(collection, cursor=cursor, limit=1000)
            yield from page.images
            cursor = page.next_cursor
            if cursor is None:
                return

    def places(
        self, collection: str | None = None, text: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> PlacePage:
        """List places by name; arguments and errors as ``list_images``, ``text`` within names and ids."""
        with self._database.reading() as connection:
            return place_rows.page_of_places(connection, collection, text, cursor, limit)

    def collections(self) -> list[CollectionSummary]:
        """List the collections that hold an image, by name."""
        with self._database.reading() as connection:
            return place_rows.collection_summaries(connection)

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
                stored = vector_rows.read_local_features(connection, missing)
            for image_id, features in stored.items():
                self._features.put(image_id, features)
            found.update(stored)
        return [found.get(image_id) for image_id in image_ids]

    def photos(self, images: Sequence[GalleryImage], limits: ImageLimits | None = None) -> list[Photo]:
        """Give gallery images to a verifier: their pixels are read on demand, their local features now.

        Args:
            images: of this gallery.
            limits: for decoding the originals.

        Returns:
            One photo per image, in their order. ``load`` raises what ``fetch_original`` raises, and InvalidImage for
            an original that cannot be decoded.
        """
        features = self.local_features([image.image_id for image in images])
        return [
            Photo(partial(self._load, image, limits), image.content_hash, known)
            for image, known in zip(images, features, strict=True)
        ]

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
        """Read what ``embeddings`` does, some thousand at a time, as they were when the reading began."""
        with self._database.reading() as connection:
            for _, image_ids, vectors in vector_rows.read_embeddings(connection, collection, self.fingerprint.dim):
                yield image_ids, vectors

    def original_path(self, image_id: str) -> Path:
        """Say where the original lies.

        Raises:
            UnknownImage: there is none of that id.
            GalleryUnavailable: as ``fetch_original``.
        """
        return self.fetch_original(self.get(image_id))

    def fetch_original(self, image: GalleryImage) -> Path:
        """Have the original of an image at hand on this machine, under ``image.path``.

        Raises:
            LostPhoto: it is gone, or is not as long as it was.
            GalleryUnavailable: the photos cannot be reached.
        """
        path = self._files.fetch_original(image.content_hash, image.media_type, image.byte_size)
        if path is None:
            raise LostPhoto(
                f"the gallery is damaged: {image.path} of image {image.image_id} is missing or torn; restore it"
            )
        return path

    def _load(self, image: GalleryImage, limits: ImageLimits | None) -> Image.Image:
        return open_image(self.fetch_original(image), limits=limits).image

    def preview_path(self, image_id: str) -> Path:
        """Say where the preview (a JPEG) lies; errors as ``original_path``."""
        content_hash = self.get(image_id).content_hash
        path = self._files.fetch_preview(content_hash)
        if path is None:
            lost = self._files.preview_path(content_hash)
            raise LostPhoto(f"the gallery is damaged: {lost} of image {image_id} is missing or torn")
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


def _nothing_to_search(collection: str, counts: dict[str, int]) -> EmptyGallery | UnknownCollection:
    if not counts:
        return EmptyGallery("the gallery holds no image yet; add some with POST /index/images or build_database.py")
    known = ", ".join(sorted(counts)[:20])
    return UnknownCollection(f"unknown collection: {collection[:100]!r}; known: {known}")
