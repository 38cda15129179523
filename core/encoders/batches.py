"""A batch of photos through an encoder, of which one that cannot be encoded spoils no other."""

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
    """Encode photos together; where that fails, one by one, so that each fails for itself.

    Returns:
        For each photo its encoding, or why there is none.

    Raises:
        DeviceLost: nothing can be encoded any more.
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
