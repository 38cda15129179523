"""From an encoded query photo to candidates: global search, the cheap local test, one candidate per place.

Where no candidate agrees clearly, features that see further compare the photo with the shortlist. While none agrees
clearly by either, and time is left, the query is looked at again: turned, enlarged and in part.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.results import Candidate, LocalFeatures, Look
from core.retrieval.looks import Looks
from core.retrieval.shortlist import SHORTLIST, Shortlist, StoredFeatures
from core.runtime.cancellation import raise_if_cancelled, seconds_left
from core.runtime.second_thread import work_time
from core.runtime.stage_times import stage

# So many of the candidates that a look at a part of the photo finds are tested.
CLOSER_TESTED = 12
# So many further images of each of the first places are passed to the verifier.
VIEWED_PLACES, FURTHER_VIEWS = 2, 2
# Seconds of work for a query: a busy machine looks as often as an idle one. With a budget below SECOND_S, the second
# features are left out; to compare by them what the looks have found is taken to need the last SECOND_AGAIN_S.
TIME_BUDGET_S, SECOND_S, SECOND_AGAIN_S = 2.5, 0.7, 0.2

LookAgain = Callable[[Image.Image, LocalFeatures], Iterator[Look]]


class SearchableGallery(StoredFeatures, Protocol):
    """What the retriever needs of a gallery."""

    def search(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """Return the nearest images, most similar first."""
        ...


class FeatureExtractor(Protocol):
    """Describes photos by features of its own, such as ``core.local_features.aliked.AlikedExtractor``."""

    name: str

    def extract(self, image: Image.Image) -> LocalFeatures:
        """Describe an upright RGB photo."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Retrieved:
    """What retrieval found.

    Attributes:
        candidates: best first.
        further_views: other images of the first places, for the verifier to compare as well; none if images of one
            place fill the candidates already.
        local_features: of the query, every view that was computed on the way; the verifier need not compute them again.
        second_features: of the query, by the second extractor; None where the first look was clear enough.
        looks: number of looks at the query, >= 1.
        out_of_time: the budget ended before a candidate agreed clearly; further looks, such as at the photo turned by
            90 degrees, may have been left out.
    """

    candidates: list[Candidate]
    further_views: list[Candidate]
    local_features: LocalFeatures | None
    looks: int
    out_of_time: bool = False
    second_features: LocalFeatures | None = None


class Retriever:
    """Finds the gallery images that may show a query's place.

    Several threads may retrieve at once; while only one does, a second thread takes part of its local tests, and the
    first further looks while the second features are made.
    """

    def __init__(
        self,
        gallery: SearchableGallery,
        look_again: LookAgain | None = None,
        *,
        second: FeatureExtractor | None = None,
        time_budget_s: float = TIME_BUDGET_S,
    ) -> None:
        """Set the gallery and the further looks.

        Args:
            gallery: to search in.
            look_again: gives further looks at a query; usually the encoder's method of that name. None: never.
            second: describes queries that the first features leave unclear; None: no second comparison.
            time_budget_s: seconds of work for this query, from the beginning of a retrieval; no look begins that would
                not end in time if it took as long as others of its kind before (their median: now and then a
                processor is slow for a moment, which says nothing of the next look).
        """
        self._gallery = gallery
        self._look_again = look_again
        self._second = second
        self._time_budget_s = time_budget_s

    def retrieve(
        self,
        image: Image.Image,
        embedding: NDArray[np.float32],
        local_features: LocalFeatures | None,
        collection: str,
        top_k: int,
    ) -> Retrieved:
        """Find up to ``top_k`` candidates, of different places as long as there are any.

        Args:
            image: the upright RGB query photo, for further looks.
            embedding: float32 [D] of the query.
            local_features: of the query; None leaves the order to the embeddings alone.
            collection: where to search.
            top_k: how many candidates, >= 1.

        Raises:
            UnknownCollection: no such collection.
            EmptyGallery: the collection holds no image.
        """
        began, time_left = work_time(), seconds_left()

        def is_in_time() -> bool:
            return seconds_left() >= time_left / 2  # the other half is the verifier's

        extractor = self._second if self._time_budget_s >= SECOND_S else None
        looks_end = began + self._time_budget_s - (SECOND_AGAIN_S if extractor is not None else 0.0)
        found = self._search_places(embedding, collection, top_k)
        if local_features is None or not found:
            return Retrieved(*_spread(found, [candidate.similarity for candidate in found], top_k), None, 1)
        tested = Shortlist(self._gallery, found)
        tested.first_look(local_features)
        views, looks = local_features.views, 1
        untested = views[1:]  # the first look compares the first view only
        second, out_of_time = None, False
        costs: list[float] = []
        with Looks(self._look_again(image, local_features) if self._look_again else iter(())) as further:
            if extractor is not None and not tested.is_clear and is_in_time():
                raise_if_cancelled()
                confirm = partial(_confirm, extractor, image, tested)
                second = further.take_during(confirm, budget_s=(looks_end - work_time()) / 2)
            while not tested.is_clear:
                if work_time() + median(costs or [0.0]) >= looks_end or not is_in_time():
                    out_of_time = self._look_again is not None
                    break
                raise_if_cancelled()
                taken = further.next()
                if taken is None:
                    break
                (look, cost), began_testing = taken, work_time()
                looks += 1
                views += look.local_features.views
                if look.embedding is None:
                    seen = LocalFeatures(untested + look.local_features.views, local_features.extractor)
                    untested = ()
                    tested.test(seen, [candidate.image.image_id for candidate in found[:SHORTLIST]])
                else:
                    self._test_look(tested, look.local_features, look.embedding, collection)
                    costs.append(cost + work_time() - began_testing)
        if second is not None and looks > 1 and not tested.is_clear and is_in_time():
            raise_if_cancelled()
            with stage("second_features"):
                tested.test_second(second)
        candidates, order = tested.ranked()
        features = LocalFeatures(views, local_features.extractor)
        return Retrieved(*_spread(candidates, order, top_k), features, looks, out_of_time, second)

    def _test_look(
        self, tested: Shortlist, seen: LocalFeatures, embedding: NDArray[np.float32], collection: str
    ) -> None:
        """Test what a look finds."""
        with stage("vector_search"):
            found = self._gallery.search(embedding, collection, SHORTLIST)
        tested.add(found)
        tested.test(seen, [candidate.image.image_id for candidate in found[:CLOSER_TESTED]])

    @stage("vector_search")
    def _search_places(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """Return the nearest images: the shortlist, and more if it has fewer than ``top_k`` places."""
        depth = max(SHORTLIST, top_k)
        while True:
            found = self._gallery.search(embedding, collection, depth)
            if len(found) < depth or len({candidate.image.place.place_id for candidate in found}) >= top_k:
                return found
            depth *= 4


def _confirm(extractor: FeatureExtractor, image: Image.Image, tested: Shortlist) -> LocalFeatures:
    with stage("second_features"):
        described = extractor.extract(image)
        tested.confirm(described)
    return described


def _spread(found: Sequence[Candidate], order: Sequence[float], top_k: int) -> tuple[list[Candidate], list[Candidate]]:
    """Rank by ``order``: first the best image of every place, then the other images.

    Returns:
        The first ``top_k``, and further views of the first places.
    """
    ranked = [found[index] for index in sorted(range(len(found)), key=lambda index: -order[index])]
    first: dict[str, Candidate] = {}
    rest: list[Candidate] = []
    for candidate in ranked:
        place_id = candidate.image.place.place_id
        if place_id in first:
            rest.append(candidate)
        else:
            first[place_id] = candidate
    numbered = [replace(candidate, rank=rank) for rank, candidate in enumerate([*first.values(), *rest], start=1)]
    seen = [place for place in first if len(first) >= top_k][:VIEWED_PLACES]
    of_first = [[view for view in numbered[len(first) :] if view.image.place.place_id == place] for place in seen]
    return numbered[:top_k], [view for views in of_first for view in views[:FURTHER_VIEWS]]
