"""The cache of local features stays within its bound."""

import numpy as np

from core.gallery.feature_cache import FeatureCache
from core.results import FeatureView, LocalFeatures


def features(count: int) -> LocalFeatures:
    """Local features of ``count`` keypoints: 20 bytes each."""
    view = FeatureView(
        np.zeros((count, 2), np.float32), np.zeros((count, 4), np.float16), np.zeros(count, np.float32), (1, 1)
    )
    return LocalFeatures((view,), "none")


def test_least_recently_used_go_first():
    """When the bound is reached, what was unused for longest is dropped."""
    cache = FeatureCache(max_bytes=3 * features(10).byte_size)
    for name in "abc":
        cache.put(name, features(10))
    assert cache.get("a") is not None

    cache.put("d", features(10))

    assert cache.get("b") is None
    assert all(cache.get(name) is not None for name in "acd")


def test_the_bound_is_in_bytes():
    """One large entry displaces several small ones, and one above the bound is not kept at all."""
    cache = FeatureCache(max_bytes=features(10).byte_size)
    for name in "abcde":
        cache.put(name, features(2))
    assert cache.byte_size == 5 * features(2).byte_size

    cache.put("large", features(9))
    assert cache.byte_size == features(9).byte_size
    cache.put("larger", features(11))

    assert cache.byte_size == 0
    assert cache.get("larger") is None


def test_replaced_and_forgotten_entries_are_not_counted():
    """Putting an entry twice counts it once; a forgotten one counts nothing."""
    cache = FeatureCache(max_bytes=10_000)
    cache.put("a", features(10))
    cache.put("a", features(20))
    assert cache.byte_size == features(20).byte_size

    cache.discard("a")
    cache.discard("never there")

    assert cache.byte_size == 0
