"""Recently used local features, bounded by the memory that they take."""

from collections import OrderedDict
from threading import Lock

from core.results import LocalFeatures


class FeatureCache:
    """Keeps the features used last, up to ``max_bytes`` of arrays. Safe for several threads."""

    def __init__(self, max_bytes: int) -> None:
        """Start empty.

        Args:
            max_bytes: of all arrays together; 0 keeps nothing.
        """
        self.max_bytes = max_bytes
        self.byte_size = 0
        self._by_image: OrderedDict[str, LocalFeatures] = OrderedDict()
        self._lock = Lock()

    def get(self, image_id: str) -> LocalFeatures | None:
        """Return the features if they are here, and count that as a use."""
        with self._lock:
            if image_id not in self._by_image:
                return None
            self._by_image.move_to_end(image_id)
            return self._by_image[image_id]

    def put(self, image_id: str, features: LocalFeatures) -> None:
        """Keep the features, dropping those unused for longest."""
        with self._lock:
            self._drop(image_id)
            self._by_image[image_id] = features
            self.byte_size += features.byte_size
            while self.byte_size > self.max_bytes:
                self._drop(next(iter(self._by_image)))

    def discard(self, image_id: str) -> None:
        """Forget the features of one image."""
        with self._lock:
            self._drop(image_id)

    def _drop(self, image_id: str) -> None:
        dropped = self._by_image.pop(image_id, None)
        if dropped is not None:
            self.byte_size -= dropped.byte_size
