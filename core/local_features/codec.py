"""Local features as compact bytes: for the gallery's rows and for the hop between the services.

Layout, little-endian: 4 bytes magic, number of views, length of the extractor's name, the name in UTF-8, then view
after view: a header (keypoints, descriptor width, photo size, rotation plus 1 where the view is mirrored, descriptor
scale), keypoints as uint16 [P, 2] (fractions times 65535), scores as float16 [P], descriptors as int8 [P, d] (values
times the scale). Rounding a unit descriptor to int8 moves a cosine by less than 0.001; 1024 keypoints of 64 dimensions
take 70 KB.
"""

import struct

import numpy as np

from core.errors import InvalidRequest
from core.results import FeatureView, LocalFeatures

_MAGIC = b"LF2\n"
_HEAD = struct.Struct("<HH")
_VIEW = struct.Struct("<IHHHHf")


def pack(features: LocalFeatures) -> bytes:
    """Write local features as bytes."""
    name = features.extractor.encode()
    return b"".join((_MAGIC, _HEAD.pack(len(features.views), len(name)), name, *map(_pack_view, features.views)))


def unpack(data: bytes) -> LocalFeatures:
    """Read what ``pack`` wrote.

    Raises:
        InvalidRequest: the bytes are not packed local features, or are damaged.
    """
    features, at = _unpack_one(data, 0)
    if at != len(data):
        raise InvalidRequest(f"packed local features are damaged: {len(data)} bytes where {at} were announced")
    return features


def unpack_all(data: bytes) -> list[LocalFeatures]:
    """Read what ``pack`` wrote of several extractors, one after another.

    Raises:
        InvalidRequest: as ``unpack``.
    """
    found, at = [], 0
    while at < len(data):
        features, at = _unpack_one(data, at)
        found.append(features)
    return found


def _unpack_one(data: bytes, start: int) -> tuple[LocalFeatures, int]:
    if not data.startswith(_MAGIC, start):
        raise InvalidRequest(f"these {len(data) - start} bytes are not packed local features")
    try:
        count, name_length = _HEAD.unpack_from(data, start + len(_MAGIC))
        at = start + len(_MAGIC) + _HEAD.size
        extractor = data[at : at + name_length].decode()
        at += name_length
        views = []
        for _ in range(count):
            view, at = _unpack_view(data, at)
            views.append(view)
    except (struct.error, ValueError) as error:
        raise InvalidRequest(f"packed local features are damaged ({len(data)} bytes): {error}") from None
    return LocalFeatures(tuple(views), extractor), at


def _pack_view(view: FeatureView) -> bytes:
    count, width = view.descriptors.shape
    descriptors = view.descriptors.astype(np.float32)
    largest = float(np.abs(descriptors).max()) if descriptors.size else 0.0
    scale = 127.0 / largest if largest > 0 else 127.0
    return b"".join(
        (
            _VIEW.pack(count, width, *view.size, view.rotation + view.mirrored, scale),
            np.rint(np.clip(view.keypoints, 0, 1) * 65535).astype("<u2").tobytes(),
            view.scores.astype("<f2").tobytes(),
            np.rint(descriptors * scale).astype("i1").tobytes(),
        )
    )


def _unpack_view(data: bytes, at: int) -> tuple[FeatureView, int]:
    """Read one view that begins at byte ``at``; say where the next begins."""
    import torch  # here, because it takes a second to import, and a backup unpacks nothing

    count, width, photo_width, photo_height, rotation, scale = _VIEW.unpack_from(data, at)
    at += _VIEW.size
    mirrored = bool(rotation & 1)
    rotation -= mirrored
    if rotation not in (0, 90, 180, 270) or not scale > 0 or len(data) < at + count * (6 + width):
        raise ValueError(f"no room for {count} keypoints of width {width}, rotation {rotation}, scale {scale}")
    keypoints = np.frombuffer(data, "<u2", count * 2, at).reshape(count, 2).astype(np.float32) / np.float32(65535)
    scores = np.frombuffer(data, "<f2", count, at + count * 4).astype(np.float32)
    descriptors = np.frombuffer(data, "i1", count * width, at + count * 6).reshape(count, width).astype(np.float32)
    descriptors /= np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-6)
    size = photo_width, photo_height
    # torch halves them in a twentieth of NumPy's time
    view = FeatureView(keypoints, torch.from_numpy(descriptors).half().numpy(), scores, size, rotation, mirrored)
    return view, at + count * (6 + width)
