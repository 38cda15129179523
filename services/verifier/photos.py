"""The visitor's photo as verifiers take it."""

import hashlib
from functools import cache

from PIL import Image

from core.imaging.decoding import LONGEST_SIDE, ImageLimits, decode_image
from core.local_features.codec import unpack_all
from core.results import Photo


def query_photo(photo: bytes, limits: ImageLimits, features: bytes | None = None) -> Photo:
    """Wrap a photo, which is decoded only if the verifier reads pixels, and then at the size that it asks for.

    Args:
        photo: in any accepted format.
        limits: for decoding it.
        features: its packed local features, of one or two extractors, if retrieval has computed some.

    Raises:
        InvalidRequest: damaged features.
    """

    @cache
    def load(side: int = LONGEST_SIDE) -> Image.Image:
        return decode_image(photo, max_side=side, limits=limits).image

    sent = unpack_all(features) if features else []
    return Photo(
        load,
        content_hash=hashlib.sha256(photo).hexdigest(),
        local_features=sent[0] if sent else None,
        stored_features={further.extractor: further for further in sent[1:]}.get,
        load_reduced=load,
    )
