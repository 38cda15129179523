"""The cache that never outgrows its bytes."""

from core.bounded_cache import BoundedCache


def test_the_least_recently_used_goes_first():
    """Beyond the limit, what was unused for longest is dropped; looking at a value is a use."""
    cache: BoundedCache[str, bytes] = BoundedCache(10, len)
    for key in "abc":
        cache.put(key, b"123")
    cache.get("a")
    cache.put("d", b"123")
    assert [cache.get(key) for key in "abcd"] == [b"123", None, b"123", b"123"]
    assert (cache.byte_size, len(cache)) == (9, 3)


def test_a_value_too_large_displaces_nothing():
    """What can never fit is not kept, and does not empty the cache in trying."""
    cache: BoundedCache[str, bytes] = BoundedCache(5, len)
    cache.put("small", b"1")
    cache.put("large", b"123456")
    assert (cache.get("small"), cache.get("large"), cache.byte_size) == (b"1", None, 1)


def test_a_value_replaced_is_counted_once():
    """Putting a key again replaces its value and its bytes."""
    cache: BoundedCache[str, bytes] = BoundedCache(10, len)
    cache.put("a", b"12345678")
    cache.put("a", b"123")
    assert (cache.get("a"), cache.byte_size, len(cache)) == (b"123", 3, 1)


def test_a_cache_of_nothing_keeps_nothing():
    """With a limit of 0 every look-up misses."""
    cache: BoundedCache[str, bytes] = BoundedCache(0, len)
    cache.put("a", b"1")
    assert cache.get("a") is None
