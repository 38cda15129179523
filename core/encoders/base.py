"""The encoder's port: photos in, points on the unit sphere out."""

from collections.abc import Sequence
from typing import Protocol

from PIL import Image

from core.results import EncoderFingerprint, Encodings, LocalFeatures


class Encoder(Protocol):
    """Turns photos into unit vectors, and into local features where the same pass yields them.

    A gallery refuses vectors of any other ``fingerprint``.
    """

    fingerprint: EncoderFingerprint

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Embed upright RGB photos of any size.

        Args:
            images: N >= 1 photos. Row i of the answer depends on photo i alone.

        Raises:
            OutOfMemory: not even one photo fitted the device.
        """
        ...

    def look_again(self, image: Image.Image) -> LocalFeatures | None:
        """Give further local views of a query for which the first look found nothing: turned and enlarged.

        Returns:
            The further views only, or None where the encoder computes no local features.
        """
        ...
