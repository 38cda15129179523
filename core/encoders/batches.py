"""Encodes a batch of photos. A photo that cannot be encoded does not affect the others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.encoders.base import Encoder
from core.errors import DeviceLost, SemanticMatchError
from core.results import LocalFeatures

Encoding = tuple[NDArray[np.float32], LocalFeatures | None]
"""A photo's vector, float32 [D] of L2 norm 1, and its local features where the encoder makes them."""


def encode_each(encoder: Encoder, images: Sequence[Image.Image]) -> list[Encoding | SemanticMatchError]:
    """Encode photos in one batch; if the batch fails, encode them one by one.

    Returns:
        N encodings in the order of ``images``, with the error in place of an encoding that failed.

    Raises:
        DeviceLost: the device is gone, so no photo can be encoded.
    """
    if not images:
        return []
    try:
        encodings = encoder.encode(images)
    except DeviceLost:
        raise
    except SemanticMatchError as failure:
        if len(images) == 1:
            return [failure]
        return [outcome for image in images for outcome in encode_each(encoder, [image])]
    return list(zip(encodings.embeddings, encodings.local_features, strict=True))
