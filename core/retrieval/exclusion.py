"""A gallery without some of its places: every photo of such a place becomes a photo of nothing in the collection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.results import Candidate, LocalFeatures
from core.retrieval.retriever import SearchableGallery


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What a search is to pass over.

    Attributes:
        place_id: all images of this place; None for none.
        image_id: this image; None for none.
    """

    place_id: str | None = None
    image_id: str | None = None

    def __contains__(self, candidate: object) -> bool:
        return isinstance(candidate, Candidate) and (
            candidate.image.place.place_id == self.place_id or candidate.image.image_id == self.image_id
        )

    def __bool__(self) -> bool:
        return self.place_id is not None or self.image_id is not None


class ExcludingGallery:
    """Searches a gallery as if some of it were not there."""

    def __init__(self, gallery: SearchableGallery, exclusion: Exclusion) -> None:
        """Wrap a gallery."""
        self._gallery = gallery
        self._exclusion = exclusion

    def search(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """The nearest images that are not left out, most similar first; none where nothing else is there."""
        depth = top_k + 8
        while True:
            found = self._gallery.search(embedding, collection, depth)
            kept = [candidate for candidate in found if candidate not in self._exclusion]
            if len(kept) >= top_k or len(found) < depth:
                return kept[:top_k]
            depth *= 2

    def local_features(self, image_ids: Sequence[str]) -> list[LocalFeatures | None]:
        """The stored local features of each image."""
        return self._gallery.local_features(image_ids)
