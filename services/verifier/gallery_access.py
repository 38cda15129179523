"""Read-only access to the retrieval service's gallery, which may not exist yet."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TypeVar

from PIL import Image

from core.errors import GalleryError, GalleryUnavailable, InvalidImage, SemanticMatchError, UnknownImage
from core.gallery import Gallery, Storage
from core.gallery.photos.port import LostPhoto
from core.gallery.storage import LOCAL
from core.imaging.decoding import ImageLimits
from core.results import GalleryImage, Photo

Answer = TypeVar("Answer")

# Some 40 photos: a match compares a handful, and photos deleted elsewhere stay here until they are evicted.
_FEATURE_CACHE_BYTES = 8 * 1024 * 1024


class UnusableCandidate(GalleryError):
    """A candidate's original is missing, damaged or over the limits. The gallery is faulty, not the request.

    Attributes:
        image_id: of the candidate.
    """

    def __init__(self, image_id: str, reason: str) -> None:
        super().__init__(f"the gallery's photo {image_id} cannot be used: {reason}")
        self.image_id = image_id


@dataclass(frozen=True, slots=True, eq=False)
class CandidatePhoto:
    """A candidate with its photo, ready to be verified."""

    image: GalleryImage
    photo: Photo


class GalleryAccess:
    """Opens the gallery at its first use or before: the retrieval service creates it, and may start later."""

    def __init__(self, folder: Path, limits: ImageLimits, storage: Storage = LOCAL) -> None:
        """Set where the gallery is; it is not opened yet.

        Args:
            folder: of the gallery.
            limits: for decoding originals.
            storage: where the gallery's rows and photos are stored.
        """
        self._folder = folder
        self._limits = limits
        self._storage = storage
        self._gallery: Gallery | None = None
        self._lock = Lock()

    def open_early(self) -> None:
        """Open the gallery if it exists, so that no visitor waits for it; a failure is repeated at the first use."""
        with suppress(SemanticMatchError):
            self._open()

    def photos(self, image_ids: Sequence[str]) -> list[CandidatePhoto]:
        """Read candidates, in the order given, without those that are no longer in the gallery.

        Loading the pixels of a candidate raises ``UnusableCandidate`` if its original cannot be used.

        Raises:
            GalleryUnavailable: the gallery cannot be read.
        """
        found = self._ask(lambda gallery: self._look_up(gallery, image_ids))
        if image_ids and not found:
            # If all candidates are gone, the folder was probably replaced by another gallery.
            self.close()
            found = self._ask(lambda gallery: self._look_up(gallery, image_ids))
        return found

    def calibration(self, collection: str) -> str | None:
        """Return the stored calibration of a collection, as text; None if there is none."""
        return self._ask(lambda gallery: gallery.calibration(collection))

    def count_places(self, collection: str) -> int:
        """Return the number of places of a collection that answers can name."""
        return self._ask(lambda gallery: gallery.count_places(collection))

    def encoder(self) -> str:
        """Return the fingerprint of the encoder that made the gallery."""
        return str(self._ask(lambda gallery: gallery.fingerprint))

    @property
    def encoder_if_open(self) -> str | None:
        """The fingerprint of the encoder that made the gallery, without waiting; None while it is not open."""
        gallery = self._gallery
        return None if gallery is None else str(gallery.fingerprint)

    def feature_uses(self) -> tuple[int, int]:
        """Return the cache hits and misses of local features since the gallery was opened."""
        gallery = self._gallery  # without the lock, which is held while the gallery is being opened
        return (0, 0) if gallery is None else gallery.feature_cache.uses()

    def close(self) -> None:
        """Close the gallery; the next use opens it again."""
        with self._lock:
            if self._gallery is not None:
                self._gallery.close()
                self._gallery = None

    def _ask(self, question: Callable[[Gallery], Answer]) -> Answer:
        while True:
            gallery = self._open()
            try:
                return question(gallery)
            except GalleryUnavailable:
                if gallery is self._gallery:
                    raise  # else another thread has closed it in the meantime

    def _look_up(self, gallery: Gallery, image_ids: Sequence[str]) -> list[CandidatePhoto]:
        images = []
        for image_id in image_ids:
            try:
                images.append(gallery.get(image_id))
            except UnknownImage:
                continue  # deleted since it was retrieved
        photos = gallery.photos(images, self._limits)
        return [
            CandidatePhoto(
                image,
                replace(
                    photo,
                    load=partial(_load, image, photo.load),
                    load_reduced=partial(_load, image, photo.reduced),
                ),
            )
            for image, photo in zip(images, photos, strict=True)
        ]

    def _open(self) -> Gallery:
        with self._lock:
            if self._gallery is None:
                self._gallery = Gallery.open(
                    self._folder,
                    None,
                    read_only=True,
                    feature_cache_bytes=_FEATURE_CACHE_BYTES,
                    storage=self._storage,
                )
            return self._gallery


def _load(image: GalleryImage, load: Callable[..., Image.Image], *side: int) -> Image.Image:
    try:
        return load(*side)
    except (InvalidImage, LostPhoto) as exc:
        raise UnusableCandidate(image.image_id, str(exc)) from exc
