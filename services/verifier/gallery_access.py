"""The retrieval service's gallery as the verifier sees it: read-only, and not necessarily there yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TypeVar

from PIL import Image

from core.errors import GalleryError, GalleryUnavailable, InvalidImage, UnknownImage
from core.gallery import Gallery, Storage
from core.gallery.photos.port import LostPhoto
from core.gallery.storage import LOCAL
from core.imaging.decoding import ImageLimits
from core.results import GalleryImage, Photo

Answer = TypeVar("Answer")

# Some 160 photos: a match compares a handful, and what was deleted elsewhere stays here until it is pushed out.
_FEATURE_CACHE_BYTES = 32 * 1024 * 1024


class UnusableCandidate(GalleryError):
    """A candidate's original is missing, damaged or over the limits: the gallery's fault, not the visitor's.

    Attributes:
        image_id: of the candidate.
    """

    def __init__(self, image_id: str, reason: str) -> None:
        super().__init__(f"the gallery's photo {image_id} cannot be used: {reason}")
        self.image_id = image_id


@dataclass(frozen=True, slots=True, eq=False)
class CandidatePhoto:
    """A candidate ready to be verified."""

    image: GalleryImage
    photo: Photo


class GalleryAccess:
    """Opens the gallery when the first candidate is asked for: the retrieval service makes it, and may start later."""

    def __init__(self, folder: Path, limits: ImageLimits, storage: Storage = LOCAL) -> None:
        """Prepare.

        Args:
            folder: the gallery's.
            limits: for decoding originals.
            storage: where the gallery's rows and photos are kept.
        """
        self._folder = folder
        self._limits = limits
        self._storage = storage
        self._gallery: Gallery | None = None
        self._lock = Lock()

    def photos(self, image_ids: Sequence[str]) -> list[CandidatePhoto]:
        """Look candidates up, in the order given; those that are no longer in the gallery are left out.

        Loading the pixels of one raises ``UnusableCandidate`` where they cannot be had.

        Raises:
            GalleryUnavailable: the gallery cannot be read.
        """
        found = self._ask(lambda gallery: self._look_up(gallery, image_ids))
        if image_ids and not found:
            # Every candidate gone at once: more likely the folder was replaced by another gallery under this one.
            self.close()
            found = self._ask(lambda gallery: self._look_up(gallery, image_ids))
        return found

    def calibration(self, collection: str) -> str | None:
        """The calibration on record for a collection, as text."""
        return self._ask(lambda gallery: gallery.calibration(collection))

    def count_places(self, collection: str) -> int:
        """How many places a collection has."""
        return self._ask(lambda gallery: gallery.count_places(collection))

    def encoder(self) -> str:
        """Fingerprint of the encoder that made the gallery."""
        return str(self._ask(lambda gallery: gallery.fingerprint))

    def feature_uses(self) -> tuple[int, int]:
        """How many candidates' local features were in memory and how many had to be read, since it was opened."""
        gallery = self._gallery  # without the lock, which is held while a gallery is being opened
        return (0, 0) if gallery is None else gallery.feature_cache.uses()

    def close(self) -> None:
        """Release the gallery; the next use opens it again."""
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
                    raise  # else another thread has closed it meanwhile

    def _look_up(self, gallery: Gallery, image_ids: Sequence[str]) -> list[CandidatePhoto]:
        images = []
        for image_id in image_ids:
            try:
                images.append(gallery.get(image_id))
            except UnknownImage:
                continue  # deleted since it was retrieved
        photos = gallery.photos(images, self._limits)
        return [
            CandidatePhoto(image, replace(photo, load=partial(_load, image, photo)))
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


def _load(image: GalleryImage, photo: Photo) -> Image.Image:
    try:
        return photo.load()
    except (InvalidImage, LostPhoto) as exc:
        raise UnusableCandidate(image.image_id, str(exc)) from exc
