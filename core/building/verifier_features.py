"""ALIKED's features of gallery photos, for retrieval and the second stage of the verifier, made once and stored.

They take ten times as long as the embedding, so they are made after a photo can be found, not before.
"""

import logging
from collections.abc import Iterator

from core.building.described_parts import parts_to_describe
from core.errors import GalleryUnavailable, InvalidImage
from core.gallery import Gallery
from core.gallery.photos.port import LostPhoto
from core.imaging.decoding import ImageLimits
from core.local_features import aliked
from core.results import GalleryImage

# So many missing originals in a row mean that the photos as a whole cannot be reached.
_MOST_LOST = 20

logger = logging.getLogger(__name__)


def are_wanted(gallery: Gallery) -> bool:
    """Return whether this machine can make them, and the gallery's encoder has local features for the first stage."""
    return gallery.fingerprint.name == "embedded" and aliked.is_installed()


class VerifierFeatureMaker:
    """Makes the features that a gallery lacks. For one thread at a time.

    Attributes:
        left: photos without features, as counted when the latest pass began, less those made since.
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
        self._lost = 0
        self._passed = 0
        self.left = 0

    def pending(self) -> Iterator[GalleryImage]:
        """Go through the images that have no features, newest first.

        Once a pass has ended, the next takes newer images only: what could not be read is tried again after a restart.
        """
        photos, made = self._gallery.count_verifier_features(aliked.EXTRACTOR)
        self.left = max(photos - made, 0)
        newest, before = self._passed, 2**62
        while page := self._gallery.without_verifier_features(
            aliked.EXTRACTOR, after_seq=self._passed, before_seq=before
        ):
            newest = max(newest, page[0][0])
            for seq, image in page:
                yield image
                before = seq
        self._passed = newest

    def make(self, image: GalleryImage) -> None:
        """Make and store the features of one photo; one that is damaged or gone is left out.

        Raises:
            GalleryUnavailable: the gallery cannot be read or written, or many originals in a row are gone.
            BackendUnavailable: the weights are not there.
        """
        if self._extractor is None:
            self._extractor = aliked.AlikedExtractor()
        try:
            photo = self._gallery.load_original(image, self._limits)
        except LostPhoto as error:
            self._lost += 1
            if self._lost >= _MOST_LOST:
                self._lost = 0
                raise GalleryUnavailable(
                    f"{_MOST_LOST} originals in a row cannot be reached; the last: {error}"
                ) from None
            logger.warning("no features for the verifier of image %s: %s", image.image_id, error)
            return
        except InvalidImage as error:
            logger.warning("no features for the verifier of image %s: %s", image.image_id, error)
            return
        self._lost = 0
        parts = parts_to_describe(self._gallery.fingerprint, photo)
        features = parts.join_features([self._extractor.extract(part) for part in parts.images])
        self._gallery.store_verifier_features(image.content_hash, features)
        self.left = max(self.left - 1, 0)
