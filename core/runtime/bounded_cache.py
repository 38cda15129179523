"""The values used last, bounded by the memory that they take."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """A least-recently-used cache of at most ``max_bytes``. Safe for several threads.

    Attributes:
        max_bytes: of all values together; 0 keeps nothing.
        byte_size: of the values kept now.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int]) -> None:
        """Set the limit; ``size_of`` returns the bytes of a value."""
        self.max_bytes = max_bytes
        self.byte_size = 0
        self._hits = 0
        self._misses = 0
        self._size_of = size_of
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Return the value if it is cached, and count the use."""
        with self._lock:
            if key not in self._values:
                self._misses += 1
                return None
            self._hits += 1
            self._values.move_to_end(key)
            return self._values[key]

    def uses(self) -> tuple[int, int]:
        """Return how often ``get`` found its value, and how often it did not."""
        with self._lock:
            return self._hits, self._misses

    def put(self, key: Key, value: Value) -> None:
        """Store the value; one larger than ``max_bytes`` is not stored, and evicts nothing."""
        size = self._size_of(value)
        with self._lock:
            self._drop(key)
            if size > self.max_bytes:
                return
            self._values[key] = value
            self.byte_size += size
            while self.byte_size > self.max_bytes:
                self._drop(next(iter(self._values)))

    def discard(self, key: Key) -> None:
        """Remove the value, if it is cached."""
        with self._lock:
            self._drop(key)

    def __len__(self) -> int:
        return len(self._values)

    def _drop(self, key: Key) -> None:
        dropped = self._values.pop(key, None)
        if dropped is not None:
            self.byte_size -= self._size_of(dropped)
