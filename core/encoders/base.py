"""The port of encoders: photos to unit vectors."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from PIL import Image

from core.results import EncoderFingerprint, Encodings, LocalFeatures, Look


class Encoder(Protocol):
    """Turns photos into unit vectors, and into local features where the same pass yields them.

    A gallery accepts only vectors of the ``fingerprint`` that it was built with.

    Attributes:
        fingerprint: of the vectors.
        photo_side: longest side of the photos that it needs, pixels; larger ones may be reduced while they are decoded.
    """

    fingerprint: EncoderFingerprint
    photo_side: int

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Embed upright RGB photos of any size.

        Args:
            images: N >= 1 photos. Row i of the answer depends on photo i alone.

        Raises:
            OutOfMemory: not even one photo fitted the device.
        """
        ...

    def look_again(self, image: Image.Image, first: LocalFeatures) -> Iterator[Look]:
        """Compute further views of a query (enlarged, cropped, rotated), lazily and the most promising first.

        Args:
            image: the upright RGB photo.
            first: its local features from ``encode``.

        Returns:
            The further views; empty if the encoder computes no local features.
        """
        ...
