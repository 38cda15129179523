from dataclasses import replace

import numpy as np
import pytest

from core.errors import InvalidRequest
from core.local_features.codec import pack, unpack, unpack_all
from core.results import FeatureView, LocalFeatures


def features(*counts: int) -> LocalFeatures:
    rng = np.random.default_rng(0)
    views = []
    for turn, count in enumerate(counts):
        descriptors = rng.normal(size=(count, 64)).astype(np.float32)
        descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
        scores = np.sort(rng.uniform(size=count))[::-1].astype(np.float32)
        keypoints = rng.uniform(size=(count, 2)).astype(np.float32)
        views.append(FeatureView(keypoints, descriptors.astype(np.float16), scores, (640, 480), 90 * (turn % 4)))
    return LocalFeatures(tuple(views), "xfeat-1")


def test_what_is_packed_comes_back():
    """Every view returns with its points, scores, size and rotation, and descriptors that point the same way."""
    before = features(1024, 384)

    after = unpack(pack(before))

    assert after.extractor == before.extractor
    for old, new in zip(before.views, after.views, strict=True):
        assert (new.size, new.rotation) == (old.size, old.rotation)
        np.testing.assert_allclose(new.keypoints, old.keypoints, atol=1 / 65535)
        np.testing.assert_allclose(new.scores, old.scores, atol=1e-3)
        cosines = (old.descriptors.astype(np.float32) * new.descriptors.astype(np.float32)).sum(axis=1)
        assert cosines.min() > 0.999


def test_packed_features_are_small():
    """1024 keypoints take about 70 KB."""
    assert len(pack(features(1024))) < 73_000


@pytest.mark.parametrize("counts", [(), (0,), (0, 3)])
def test_nothing_packs_too(counts):
    """A photo without a single keypoint is a photo like any other."""
    assert [len(view.keypoints) for view in unpack(pack(features(*counts))).views] == list(counts)


def test_damage_is_noticed():
    """Bytes that are cut short, longer, or something else entirely are refused, wherever the damage is."""
    packed = pack(features(5, 4))
    damaged = [packed[:end] for end in range(len(packed))] + [packed + b"x", b"GIF89a", b"LF2\n" + b"\xff" * 40]

    for data in damaged:
        with pytest.raises(InvalidRequest, match="packed local features"):
            unpack(data)


def test_features_of_several_extractors_follow_one_another():
    """What two extractors made of one photo is sent as one piece, and is found damaged wherever the damage is."""
    first, second = features(5), replace(features(4, 3), extractor="aliked-n16-1")
    packed = pack(first) + pack(second)

    assert [(found.extractor, len(found.views)) for found in unpack_all(packed)] == [
        ("xfeat-1", 1),
        ("aliked-n16-1", 2),
    ]
    assert unpack_all(b"") == []
    for end in set(range(1, len(packed))) - {len(pack(first))}:
        with pytest.raises(InvalidRequest, match="packed local features"):
            unpack_all(packed[:end])
