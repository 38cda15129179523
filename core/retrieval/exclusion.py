"""A gallery without some of its places: every photo of such a place becomes a photo of nothing in the collection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.results import Candidate, LocalFeatures
from core.retrieval.retriever import SearchableGallery


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Images that a search leaves out.

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
    """A gallery without some of its images."""

    def __init__(self, gallery: SearchableGallery, exclusion: Exclusion) -> None:
        """Wrap a gallery, without what is excluded."""
        self._gallery = gallery
        self._exclusion = exclusion

    def search(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """Return the nearest images that are not excluded, most similar first."""
        depth = top_k + 8
        while True:
            found = self._gallery.search(embedding, collection, depth)
            kept = [candidate for candidate in found if candidate not in self._exclusion]
            if len(kept) >= top_k or len(found) < depth:
                return kept[:top_k]
            depth *= 2

    def local_features(self, image_ids: Sequence[str]) -> list[LocalFeatures | None]:
        """Return the stored local features of the images."""
        return self._gallery.local_features(image_ids)

    def verifier_features(self, content_hashes: Sequence[str], extractor: str) -> list[LocalFeatures | None]:
        """Return what an extractor made of photos."""
        return self._gallery.verifier_features(content_hashes, extractor)
