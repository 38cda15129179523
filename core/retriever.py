"""From an encoded query photo to candidates: global search, the cheap local test, one candidate per place.

The query is looked at a second time, turned and enlarged, only when the first look found no clear local agreement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.local_features.matching import CLEAR_SCORE, local_evidence
from core.results import Candidate, LocalFeatures
from core.stopping import stop_if_unwanted

SHORTLIST = 50
# So many are tested before asking whether the rest need be. Different places were never seen to reach CERTAIN_SCORE.
FIRST_TESTED = 10
CERTAIN_SCORE = 80.0
# One hundredth of cosine weighs as much as 0.4 agreeing keypoints; recall is flat between 20 and 60.
SIMILARITY_WEIGHT = 40.0

LookAgain = Callable[[Image.Image], LocalFeatures | None]


class SearchableGallery(Protocol):
    """What the retriever needs of a gallery."""

    def search(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """The nearest images, most similar first."""
        ...

    def local_features(self, image_ids: Sequence[str]) -> list[LocalFeatures | None]:
        """The stored local features of each image."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Retrieved:
    """What retrieval found.

    Attributes:
        candidates: best first.
        local_features: of the query, every view that was computed on the way; the verifier need not compute them again.
        looks: 1, or 2 when the second look was taken.
    """

    candidates: list[Candidate]
    local_features: LocalFeatures | None
    looks: int


class Retriever:
    """Finds the gallery images that may show a query's place. Stateless: several threads may retrieve at once."""

    def __init__(self, gallery: SearchableGallery, look_again: LookAgain | None = None) -> None:
        """Bind the gallery.

        Args:
            gallery: to search in.
            look_again: gives further views of a query; usually the encoder's method of that name. None: never.
        """
        self._gallery = gallery
        self._look_again = look_again

    def retrieve(
        self,
        image: Image.Image,
        embedding: NDArray[np.float32],
        local_features: LocalFeatures | None,
        collection: str,
        top_k: int,
    ) -> Retrieved:
        """Find up to ``top_k`` candidates, each of another place while places last.

        Args:
            image: the upright RGB query photo, for the second look.
            embedding: float32 [D] of the query.
            local_features: of the query; None leaves the order to the embeddings alone.
            collection: where to search.
            top_k: how many candidates, >= 1.

        Raises:
            UnknownCollection: no such collection.
            EmptyGallery: the collection holds no image.
        """
        found = self._search_places(embedding, collection, top_k)
        if local_features is None:
            order = [candidate.similarity for candidate in found]
            return Retrieved(_spread(found, order, [None] * len(found), top_k), None, 1)
        local, references = self._first_look(local_features, found)
        looks = 1
        if max((score for score in local if score is not None), default=0.0) < CLEAR_SCORE:
            looks = 2
            stop_if_unwanted()
            further = self._look_again(image) if self._look_again else None
            if further is not None:
                local_features = LocalFeatures(local_features.views + further.views, local_features.extractor)
            views = range(1, len(local_features.views))
            again = [_local_score(local_features, reference, views) for reference in references]
            # What lies beyond the shortlist stays untested.
            local[: len(again)] = [max(first or 0.0, second) for first, second in zip(local, again, strict=False)]
        order = [(score or 0.0) + SIMILARITY_WEIGHT * c.similarity for score, c in zip(local, found, strict=True)]
        return Retrieved(_spread(found, order, local, top_k), local_features, looks)

    def _search_places(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """The nearest images: the shortlist, and more where so few hold fewer than ``top_k`` places."""
        depth = max(SHORTLIST, top_k)
        while True:
            found = self._gallery.search(embedding, collection, depth)
            if len(found) < depth or len({candidate.image.place.place_id for candidate in found}) >= top_k:
                return found
            depth *= 4

    def _first_look(
        self, query: LocalFeatures, found: Sequence[Candidate]
    ) -> tuple[list[float | None], list[LocalFeatures | None]]:
        """Test the most similar candidates, and the others unless one of those is certain.

        Returns:
            Local score of each candidate, None where it was not tested; and the features of those tested.
        """
        local: list[float | None] = []
        references: list[LocalFeatures | None] = []
        for part in (found[:FIRST_TESTED], found[FIRST_TESTED:SHORTLIST]):
            stop_if_unwanted()
            stored = self._gallery.local_features([candidate.image.image_id for candidate in part])
            references += stored
            local += [_local_score(query, reference, range(1)) for reference in stored]
            if max((score for score in local if score is not None), default=0.0) >= CERTAIN_SCORE:
                break
        return local + [None] * (len(found) - len(local)), references


def _local_score(query: LocalFeatures, reference: LocalFeatures | None, query_views: Sequence[int]) -> float:
    return 0.0 if reference is None else local_evidence(query, reference, query_views).score


def _spread(
    found: Sequence[Candidate], order: Sequence[float], local: Sequence[float | None], top_k: int
) -> list[Candidate]:
    """Rank by ``order``: first the best image of every place, then, if places run out, the images left over."""
    ranked = sorted(range(len(found)), key=lambda index: -order[index])
    places: set[str] = set()
    first: list[int] = []
    rest: list[int] = []
    for index in ranked:
        place_id = found[index].image.place.place_id
        (rest if place_id in places else first).append(index)
        places.add(place_id)
    return [
        Candidate(found[index].image, found[index].similarity, rank, local[index])
        for rank, index in enumerate((first + rest)[:top_k], start=1)
    ]
