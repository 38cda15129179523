"""Features of gallery photos that only the second stage of the geometric verifier reads, made once and kept.

They take ten times as long as the embedding, so they are made after a photo can be found, not before.
"""

import logging
from collections.abc import Iterator

from core.errors import InvalidImage
from core.gallery import Gallery
from core.gallery.photos.port import LostPhoto
from core.imaging.decoding import ImageLimits
from core.local_features import aliked
from core.results import GalleryImage

_AT_ONCE = 16

logger = logging.getLogger(__name__)


def are_wanted(gallery: Gallery) -> bool:
    """Say whether this machine can make them, and the gallery's encoder has local features for the first stage."""
    return gallery.fingerprint.name == "embedded" and aliked.is_installed()


class VerifierFeatureMaker:
    """Makes the features that a gallery lacks. For one thread.

    Attributes:
        left: photos without features when it was last asked; those that cannot be read are among them.
    """

    def __init__(self, gallery: Gallery, limits: ImageLimits | None = None) -> None:
        """Take the gallery; the network is loaded with the first photo.

        Args:
            gallery: writable.
            limits: for decoding originals.
        """
        self._gallery = gallery
        self._limits = limits
        self._extractor: aliked.AlikedExtractor | None = None
        self._unreadable: set[str] = set()
        self.left = 0

    def pending(self) -> list[GalleryImage]:
        """List some photos that have none, the newest first; empty when all that can be read have theirs."""
        images, self.left = self._gallery.without_verifier_features(aliked.EXTRACTOR, _AT_ONCE + len(self._unreadable))
        return [image for image in images if image.content_hash not in self._unreadable]

    def make(self, image: GalleryImage) -> None:
        """Make and keep the features of one photo; one that is damaged or gone is passed over from now on.

        Raises:
            GalleryUnavailable: the gallery cannot be read or written.
        """
        if self._extractor is None:
            self._extractor = aliked.AlikedExtractor()
        (photo,) = self._gallery.photos([image], self._limits)
        try:
            features = self._extractor.extract(photo.load())
        except (InvalidImage, LostPhoto) as error:
            self._unreadable.add(image.content_hash)
            logger.warning("no features for the verifier of image %s: %s", image.image_id, error)
            return
        self._gallery.store_verifier_features(image.content_hash, features)

    def make_all(self) -> Iterator[int]:
        """Make all that are missing; yields after each photo how many are left."""
        while images := self.pending():
            for image in images:
                self.make(image)
                self.left -= 1
                yield self.left
