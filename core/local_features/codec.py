"""Local features as compact bytes: for the gallery's rows and for the hop between the services.

Layout, little-endian: 4 bytes magic, a header (counts, photo size, descriptor scale, length of the extractor's
name), the name in UTF-8, keypoints as uint16 [P, 2] (fractions times 65535), scores as float16 [P], descriptors as
int8 [P, d] (values times the scale). Rounding a unit descriptor to int8 moves a cosine by less than 0.001, and 1024
keypoints of 64 dimensions take 70 KB.
"""

import struct

import numpy as np

from core.errors import InvalidRequest
from core.results import LocalFeatures

_MAGIC = b"LF1\n"
_HEADER = struct.Struct("<IHHHHf")


def pack(features: LocalFeatures) -> bytes:
    """Write local features as bytes."""
    count, width = features.descriptors.shape
    descriptors = features.descriptors.astype(np.float32)
    largest = float(np.abs(descriptors).max()) if count else 0.0
    scale = 127.0 / largest if largest > 0 else 127.0
    name = features.extractor.encode()
    return b"".join(
        (
            _MAGIC,
            _HEADER.pack(count, width, features.size[0], features.size[1], len(name), scale),
            name,
            np.rint(np.clip(features.keypoints, 0, 1) * 65535).astype("<u2").tobytes(),
            features.scores.astype("<f2").tobytes(),
            np.rint(descriptors * scale).astype("i1").tobytes(),
        )
    )


def unpack(data: bytes) -> LocalFeatures:
    """Read what ``pack`` wrote.

    Raises:
        InvalidRequest: the bytes are not packed local features, or are cut short.
    """
    start = len(_MAGIC) + _HEADER.size
    if len(data) < start or not data.startswith(_MAGIC):
        raise InvalidRequest(f"these {len(data)} bytes are no packed local features")
    count, width, photo_width, photo_height, name_length, scale = _HEADER.unpack_from(data, len(_MAGIC))
    if len(data) != start + name_length + count * (4 + 2 + width) or not scale > 0:
        raise InvalidRequest(f"packed local features are damaged: {len(data)} bytes for {count} keypoints")
    try:
        extractor = data[start : start + name_length].decode()
    except UnicodeDecodeError:
        raise InvalidRequest("packed local features are damaged: unreadable extractor name") from None
    at = start + name_length
    keypoints = np.frombuffer(data, "<u2", count * 2, at).reshape(count, 2).astype(np.float32) / 65535
    scores = np.frombuffer(data, "<f2", count, at + count * 4).astype(np.float32)
    descriptors = np.frombuffer(data, "i1", count * width, at + count * 6).reshape(count, width).astype(np.float32)
    norms = np.linalg.norm(descriptors, axis=1, keepdims=True)
    descriptors /= np.maximum(norms, 1e-6)
    return LocalFeatures(keypoints, descriptors.astype(np.float16), scores, (photo_width, photo_height), extractor)
