"""One suite over every encoder: whatever the gallery and the services rely on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place
from PIL import Image

from core.encoders import ENCODERS
from core.encoders.base import Encoder
from core.results import EncoderFingerprint, LocalFeatures

Make = Callable[[dict[str, Path]], Encoder]

ENCODER_KINDS: dict[str, Make] = {
    "fake": lambda _folders: ThumbnailEncoder(),
    "fake-local": lambda _folders: ThumbnailEncoder(local_features=True),
    "embedded": lambda _folders: ENCODERS.create("embedded"),
    "dinov3": lambda folders: ENCODERS.create("dinov3", model=str(folders["dinov3"])),
    "dinov3-gem-pad": lambda folders: ENCODERS.create(
        "dinov3", model=str(folders["dinov3"]), pooling="gem", aspect="pad", max_batch=2
    ),
    "dinov2": lambda folders: ENCODERS.create("dinov3", model=str(folders["dinov2"]), pooling="cls+gem"),
    "dinov2-registers": lambda folders: ENCODERS.create("dinov3", model=str(folders["dinov2-registers"])),
}

# A batch changes the order of float32 sums, nothing else.
BATCH_TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=sorted(ENCODER_KINDS))
def encoder(request: pytest.FixtureRequest, dino_folders: dict[str, Path]) -> Encoder:
    """Each encoder in turn."""
    return ENCODER_KINDS[request.param](dino_folders)


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Four places of three shapes: landscape, portrait, tiny."""
    shapes = [(320, 240), (240, 320), (320, 240), (40, 30)]
    return [draw_place(seed, shape) for seed, shape in enumerate(shapes)]


def test_embeddings_are_unit_vectors(encoder: Encoder, photos: list[Image.Image]):
    """Every photo becomes one float32 vector of the fingerprint's width and of length 1."""
    embeddings = encoder.encode(photos).embeddings
    assert embeddings.shape == (len(photos), encoder.fingerprint.dim)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_a_batch_changes_nothing(encoder: Encoder, photos: list[Image.Image]):
    """Row i is photo i's own vector, and entry i its own local features, whatever else is in the batch."""
    together = encoder.encode(photos)
    alone = [encoder.encode([photo]) for photo in photos]
    vectors = np.concatenate([one.embeddings for one in alone])
    np.testing.assert_allclose(together.embeddings, vectors, atol=BATCH_TOLERANCE)
    apart = np.abs(vectors[:, None] - vectors[None]).max(axis=2) + np.eye(len(photos))
    assert apart.min() > 100 * BATCH_TOLERANCE, "the photos are too alike to tell whether the order was kept"
    assert len(together.local_features) == len(photos)
    for one, features in zip(alone, together.local_features, strict=True):
        assert _shape(one.local_features[0]) == _shape(features)


def test_the_same_photo_twice_gives_the_same_vector(encoder: Encoder, photos: list[Image.Image]):
    """Encoding is deterministic."""
    first, second = (encoder.encode(photos[:2]).embeddings for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_copy_is_closer_than_another_place(encoder: Encoder, photos: list[Image.Image]):
    """A photo scaled down is nearer to itself than to any other place."""
    photo, *others = photos[:3]
    small = photo.resize((photo.width * 3 // 4, photo.height * 3 // 4), Image.Resampling.LANCZOS)
    query, *rows = encoder.encode([small, photo, *others]).embeddings
    similarities = np.array(rows) @ query
    assert similarities.argmax() == 0


def test_further_looks_go_on_where_the_first_ended(encoder: Encoder, photos: list[Image.Image]):
    """Further views come from the first ones' extractor, and only from an encoder that makes any."""
    encodings = encoder.encode(photos[:1])
    first = encodings.local_features[0]
    for look in [] if first is None else encoder.look_again(photos[0], first):
        assert look.local_features.extractor == first.extractor
        assert look.local_features.views
        if look.embedding is not None:
            assert look.embedding.shape == encodings.embeddings[0].shape
            assert np.linalg.norm(look.embedding) == pytest.approx(1, abs=1e-5)


def test_odd_photos_are_embedded(encoder: Encoder):
    """A single pixel, a long strip and a black photo get finite vectors too."""
    odd = [Image.new("RGB", (1, 1), "red"), Image.new("RGB", (1280, 4), "blue"), Image.new("RGB", (64, 64))]
    embeddings = encoder.encode(odd).embeddings
    assert np.isfinite(embeddings).all()
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_fingerprint_is_the_same_after_a_restart(encoder: Encoder, request: pytest.FixtureRequest):
    """The same encoder made again reads the same gallery."""
    kind = request.node.callspec.params["encoder"]
    again = ENCODER_KINDS[kind](request.getfixturevalue("dino_folders"))
    assert isinstance(encoder.fingerprint, EncoderFingerprint)
    assert again.fingerprint == encoder.fingerprint


def _shape(features: LocalFeatures | None) -> object:
    return features and (features.extractor, [(view.rotation, view.size) for view in features.views])
