"""A cache that stays within its bound."""

import pytest

from core.runtime.bounded_cache import BoundedCache


@pytest.fixture
def cache() -> BoundedCache[str, bytes]:
    """Room for thirty bytes."""
    return BoundedCache(30, len)


def test_least_recently_used_go_first(cache):
    """When the bound is reached, what was unused for longest is dropped."""
    for key in "abc":
        cache.put(key, bytes(10))
    assert cache.get("a") is not None

    cache.put("d", bytes(10))

    assert cache.get("b") is None
    assert all(cache.get(key) is not None for key in "acd")


def test_the_bound_is_in_bytes(cache):
    """One large value displaces several small ones; one above the bound is not kept and displaces nothing."""
    for key in "abcde":
        cache.put(key, bytes(5))
    assert cache.byte_size == 25

    cache.put("large", bytes(28))
    cache.put("larger", bytes(31))

    assert (cache.byte_size, len(cache)) == (28, 1)
    assert cache.get("larger") is None


def test_replaced_and_forgotten_values_are_not_counted(cache):
    """Putting a key twice counts it once; a forgotten one counts nothing."""
    cache.put("a", bytes(10))
    cache.put("a", bytes(20))
    assert cache.byte_size == 20

    cache.discard("a")
    cache.discard("never there")

    assert (cache.byte_size, len(cache)) == (0, 0)


def test_no_room_keeps_nothing():
    """A cache of zero bytes is a cache switched off."""
    cache = BoundedCache[str, bytes](0, len)

    cache.put("a", b"x")

    assert cache.get("a") is None


def test_look_ups_are_counted(cache):
    """Operators see how often the cache had what was asked of it."""
    cache.put("a", b"x")
    for key in ("a", "b", "a", "a", "c"):
        cache.get(key)

    assert cache.uses() == (3, 2)
