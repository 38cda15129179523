"""Encodes a gallery's photos with another encoder, batch by batch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from core.building.described_parts import parts_to_describe
from core.encoders.base import Encoder
from core.errors import GalleryUnavailable, InvalidImage
from core.gallery.maintenance.reembedded_vectors import ReembeddedVectors
from core.imaging.decoding import DecodedImage, ImageLimits, open_image
from core.results import Encodings

# The photos were accepted when they were added, under whatever limits the service had.
_NO_LIMITS = ImageLimits(max_bytes=2**40, max_pixels=2**40)


def reembed(reembedded: ReembeddedVectors, encoder: Encoder, *, batch_size: int = 16) -> Iterator[int]:
    """Embed the photos that have no vector yet; what has been yielded is on the disk.

    Args:
        reembedded: made for this encoder.
        encoder: the new one.
        batch_size: photos per encoder call.

    Yields:
        The number of photos done, after every batch.

    Raises:
        GalleryUnavailable: an original is missing or cannot be decoded any more; the message names it.
    """
    missing = iter(reembedded.missing().items())
    with ThreadPoolExecutor(2) as readers:
        while batch := list(islice(missing, batch_size)):
            decoded = list(readers.map(lambda item: _decode(reembedded, encoder.photo_side, *item), batch))
            found = [(item[0], photo.image) for item, photo in zip(batch, decoded, strict=True) if photo is not None]
            if found:
                content_hashes, images = zip(*found, strict=True)
                reembedded.put(content_hashes, _encode(encoder, images))
            yield len(batch)


def _encode(encoder: Encoder, photos: Sequence[Image.Image]) -> Encodings:
    described = [parts_to_describe(encoder.fingerprint, photo) for photo in photos]
    encodings = encoder.encode([image for parts in described for image in parts.images])
    encoded = iter(zip(encodings.embeddings, encodings.local_features, strict=True))
    embeddings, features = zip(
        *(parts.join(list(islice(encoded, len(parts.images)))) for parts in described), strict=True
    )
    return Encodings(np.stack(embeddings), features)


def _decode(reembedded: ReembeddedVectors, side: int, content_hash: str, original: Path) -> DecodedImage | None:
    """Decode an original; None if its image has been deleted meanwhile."""
    try:
        return open_image(original, max_side=side, limits=_NO_LIMITS)
    except InvalidImage as error:
        if original.is_file() or reembedded.is_wanted(content_hash):
            raise GalleryUnavailable(
                f"the gallery is damaged: {original} cannot be read: {error}; restore it, or delete its image"
            ) from error
        return None
