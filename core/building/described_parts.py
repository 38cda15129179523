"""What of a reference photo is described: the whole of it, and a picture that is small on plain ground in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from core.encoders.batches import Encoding
from core.results import EncoderFingerprint, LocalFeatures

if TYPE_CHECKING:
    from core.local_features.quadrilaterals import Quadrilateral


@dataclass(frozen=True, slots=True, eq=False)
class DescribedParts:
    """A photo and its picture, if it shows one, and how their descriptions become one.

    Attributes:
        images: what is to be described: the whole photo, then its picture seen from the front.
    """

    images: tuple[Image.Image, ...]
    _picture: "Quadrilateral | None"

    def join(self, encodings: Sequence[Encoding]) -> Encoding:
        """Join the encodings of ``images``: close photos resemble the picture, those from afar the whole."""
        if self._picture is None:
            return encodings[0]
        together = np.sum([vector for vector, _ in encodings], axis=0)
        features = [found for _, found in encodings if found is not None]
        return together / np.linalg.norm(together), self.join_features(features)

    def join_features(self, features: Sequence[LocalFeatures]) -> LocalFeatures:
        """Join those of ``images``: views of the whole photo first, then those of the picture, in its place there."""
        whole, *inside = features
        if self._picture is None:
            return whole
        placed = [self._picture.place_view(view, self.images[0].size) for found in inside for view in found.views]
        return LocalFeatures((*whole.views, *placed), whole.extractor)


def parts_to_describe(encoder: EncoderFingerprint, image: Image.Image) -> DescribedParts:
    """Look for a picture small on plain ground, if the encoder looks for such in queries too.

    Args:
        encoder: the gallery's.
        image: upright, RGB.
    """
    if encoder.name != "embedded":
        return DescribedParts((image,), None)
    from core.local_features.quadrilaterals import find_picture  # OpenCV is installed for the embedded encoder only

    picture = find_picture(image)
    return DescribedParts((image,) if picture is None else (image, picture.rectify(image)), picture)
