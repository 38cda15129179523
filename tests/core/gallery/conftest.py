"""Galleries in temporary folders and images to put into them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.gallery import Gallery, NewImage, Storage
from core.results import EncoderFingerprint, FeatureView, LocalFeatures

DIM = 16
FINGERPRINT = EncoderFingerprint("drawn", "seeded", "none", DIM)


@pytest.fixture
def fingerprint() -> EncoderFingerprint:
    """The encoder that made the drawn images."""
    return FINGERPRINT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a gallery may be made; nothing is there yet."""
    return tmp_path / "gallery"


@pytest.fixture
def gallery(folder: Path, storage: Storage) -> Iterator[Gallery]:
    """An empty gallery, opened for writing."""
    with Gallery.open(folder, FINGERPRINT, storage=storage) as opened:
        yield opened


@pytest.fixture
def new_image() -> Callable[..., NewImage]:
    """Make the image number ``seed``: its bytes, embedding and features are its own; fields may be given."""

    def make(seed: int, **fields) -> NewImage:
        rng = np.random.default_rng(seed)
        embedding = rng.standard_normal(DIM).astype(np.float32)
        view = FeatureView(
            keypoints=rng.random((5, 2), np.float32),
            descriptors=np.eye(5, 8, dtype=np.float16),
            scores=np.linspace(1, 0.1, 5, dtype=np.float32),
            size=(64, 48),
        )
        given = {
            "data": rng.bytes(500),
            "filename": f"photo-{seed}.jpg",
            "media_type": "image/jpeg",
            "width": 640,
            "height": 480,
            "preview": b"\xff\xd8" + rng.bytes(46) + b"\xff\xd9",
            "embedding": embedding / np.linalg.norm(embedding),
            "local_features": LocalFeatures((view,), "drawn"),
        }
        return NewImage(**{**given, **fields})

    return make
