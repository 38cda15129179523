import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from fakes.images import draw_place, see_again
from PIL import Image

from core.encoders.embedded import semantic
from core.encoders.embedded.aggregation import Whitening, vlad
from core.encoders.embedded.semantic import GEM_POWER, LONG_SIDE, SemanticFeatures
from core.local_features.resizing import resize


def test_a_place_seen_again_is_nearest(embedded):
    """Among ten places, each one's second photo is most similar to its own first."""
    places = [draw_place(seed) for seed in range(10)]
    again = [see_again(place, seed).image for seed, place in enumerate(places)]

    similarities = embedded.encode(again).embeddings @ embedded.encode(places).embeddings.T

    assert similarities.argmax(axis=1).tolist() == list(range(10))


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (31, 33)])
def test_odd_shapes_are_encoded(embedded, size):
    """Photos of any shape, even of a single pixel, give finite unit vectors."""
    encodings = embedded.encode([Image.new("RGB", size, "teal")])

    assert np.isfinite(encodings.embeddings).all()
    np.testing.assert_allclose(np.linalg.norm(encodings.embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("in_bfloat16", "least_cosine"), [(False, 0.999999), (True, 0.995)])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (320, 320), (900, 500), (1600, 100), (40, 40)])
def test_semantic_features_are_those_of_the_published_network(monkeypatch, size, in_bfloat16, least_cosine):
    """Made lighter for a CPU, the network yields the same vectors, but for rounding: galleries stay valid."""
    monkeypatch.setattr(semantic, "multiplies_bfloat16", lambda: in_bfloat16)
    place = draw_place(3, size)
    features = SemanticFeatures()
    published = EfficientNet.from_name("efficientnet-lite2")
    published.load_state_dict(torch.load(features.path, map_location="cpu", weights_only=True))
    pixels = (np.asarray(resize(place, LONG_SIDE), dtype=np.float32) / 255 - 0.498) / 0.502

    with torch.inference_mode():
        expected = published.eval().extract_features(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0]
    pooled = expected.clamp(min=1e-6).pow(GEM_POWER).mean(dim=(1, 2)).pow(1 / GEM_POWER).numpy()

    assert features.describe(place) @ pooled / np.linalg.norm(pooled) > least_cosine


def test_the_fingerprint_names_the_dimension(embedded):
    """The fingerprint's dimension is that of the vectors."""
    assert embedded.encode([draw_place(0)]).embeddings.shape == (1, embedded.fingerprint.dim)


def test_vlad_of_no_descriptors_is_zero():
    """No keypoints, no direction."""
    empty = vlad(np.zeros((0, 4), np.float32), np.eye(3, 4, dtype=np.float32), np.eye(4, 2, dtype=np.float32))

    assert empty.tolist() == [0.0] * 6


def test_whitening_leaves_unseen_directions_alone():
    """A damped direction shrinks; one that training never showed keeps its strength relative to others like it."""
    whitening = Whitening(
        np.zeros(3, np.float32), np.array([[1, 0, 0]], np.float32), damping=np.array([0.9], np.float32)
    )

    x, y, z = whitening.apply(np.array([[1, 1, 1]], np.float32))[0]

    assert x == pytest.approx(0.1 * y)
    assert y == pytest.approx(z)
