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

from core.local_features.matching import ALIKED, CLEAR_SCORE, XFEAT, NeighbourTest, local_evidence
from core.results import Candidate, LocalFeatures, Look
from core.runtime.cancellation import raise_if_cancelled, seconds_left
from core.runtime.second_thread import SecondThread, work_time
from core.runtime.stage_times import stage

SHORTLIST = 50
# So many are tested first; the rest only if none is certain. Different places never reached CERTAIN_SCORE.
FIRST_TESTED = 10
CERTAIN_SCORE = 80.0
# So many of the candidates that a look at a part of the photo finds are tested.
CLOSER_TESTED = 12
# So many are compared by the second features; with 50, no more places are found. Beside those, the best of many looks
# by the first is mostly chance: a quarter to 0.6 of it finds the most scenes and objects.
SECOND_TESTED, FIRST_SHARE = 20, 0.5
# No further look is needed where the place that leads by the first features is the best by the second, with this score.
# Such places were right for 89 of 90 photos of known scenes and objects; of paintings that only a further look finds,
# others reached 15.
CONFIRMED_SCORE = 20.0
# So many further images of each of the first places are passed to the verifier.
VIEWED_PLACES, FURTHER_VIEWS = 2, 2
# One hundredth of cosine weighs as much as 1.2 agreeing keypoints: where nothing agrees clearly, one of many looks does
# so by chance with some image or other. 2 % more scenes and objects are found than with 40; flat from 80 to 300.
SIMILARITY_WEIGHT = 120.0

# Seconds of work for a query: a busy machine looks as often as an idle one. With a budget below SECOND_S, the second
# features are left out; to compare by them what the looks have found is taken to need the last AGAIN_S.
TIME_BUDGET_S, SECOND_S, AGAIN_S = 3.0, 0.7, 0.4

_TESTING = SecondThread("local test")

LookAgain = Callable[[Image.Image, LocalFeatures], Iterator[Look]]


class SearchableGallery(Protocol):
    """What the retriever needs of a gallery."""

    def search(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """Return the nearest images, most similar first."""
        ...

    def local_features(self, image_ids: Sequence[str]) -> list[LocalFeatures | None]:
        """Return the stored local features of the images."""
        ...

    def verifier_features(self, content_hashes: Sequence[str], extractor: str) -> list[LocalFeatures | None]:
        """Return what an extractor, given by name, made of photos; None where nothing is stored."""
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
        second_features: of the query, by the second extractor; None where the first features were clear enough.
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

    Several threads may retrieve at once; while only one does, a second thread takes part of its local tests.
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
                not end in time if it took as long as the longest of its kind before.
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
        extractor = self._second if self._time_budget_s >= SECOND_S else None
        looks_end = began + self._time_budget_s - (AGAIN_S if extractor is not None else 0.0)
        found = self._search_places(embedding, collection, top_k)
        if local_features is None or not found:
            return Retrieved(*_spread(found, [candidate.similarity for candidate in found], top_k), None, 1)
        tested = _Tested(self._gallery, found)
        tested.first_look(local_features)
        second = None
        if extractor is not None and not tested.is_clear:
            raise_if_cancelled()
            with stage("second_features"):
                second = extractor.extract(image)
                tested.test_second(second)
        views, looks = local_features.views, 1
        untested = views[1:]  # the first look compares the first view only
        further = self._look_again(image, local_features) if self._look_again else iter(())
        out_of_time, longest = False, 0.0
        while not tested.is_clear:
            # The other half of the time is the verifier's.
            if (look_began := work_time()) + longest >= looks_end or seconds_left() < time_left / 2:
                out_of_time = self._look_again is not None
                break
            raise_if_cancelled()
            with stage("further_looks"):
                look = next(further, None)
            if look is None:
                break
            looks += 1
            views += look.local_features.views
            if look.embedding is None:
                seen = LocalFeatures(untested + look.local_features.views, local_features.extractor)
                untested = ()
                tested.test(seen, [candidate.image.image_id for candidate in found[:SHORTLIST]])
            else:
                self._test_look(tested, look.local_features, look.embedding, collection)
                longest = max(longest, work_time() - look_began)
        if second is not None and looks > 1 and not tested.is_clear:
            raise_if_cancelled()
            with stage("second_features"):
                tested.test_second(second)
        candidates, order = tested.ranked()
        features = LocalFeatures(views, local_features.extractor)
        return Retrieved(*_spread(candidates, order, top_k), features, looks, out_of_time, second)

    def _test_look(
        self, tested: "_Tested", seen: LocalFeatures, embedding: NDArray[np.float32], collection: str
    ) -> None:
        """Test what a look finds; by its larger view alone, since the smaller is for what fills the photo."""
        with stage("vector_search"):
            found = self._gallery.search(embedding, collection, SHORTLIST)
        tested.add(found)
        larger = LocalFeatures(seen.views[:1], seen.extractor)
        tested.test(larger, [candidate.image.image_id for candidate in found[:CLOSER_TESTED]])

    @stage("vector_search")
    def _search_places(self, embedding: NDArray[np.float32], collection: str, top_k: int) -> list[Candidate]:
        """Return the nearest images: the shortlist, and more if it has fewer than ``top_k`` places."""
        depth = max(SHORTLIST, top_k)
        while True:
            found = self._gallery.search(embedding, collection, depth)
            if len(found) < depth or len({candidate.image.place.place_id for candidate in found}) >= top_k:
                return found
            depth *= 4


class _Tested:
    """The candidates of one query: their similarities, and the scores of those that were tested locally."""

    def __init__(self, gallery: SearchableGallery, found: Sequence[Candidate]) -> None:
        self._gallery = gallery
        self._candidates = {candidate.image.image_id: candidate for candidate in found}
        self._references: dict[str, LocalFeatures | None] = {}
        self._second_scores: dict[str, float] = {}
        self._best = 0.0
        self._is_confirmed = False

    @property
    def is_clear(self) -> bool:
        """Whether a candidate agrees so well that no further look is needed."""
        return self._best >= CLEAR_SCORE or self._is_confirmed

    def first_look(self, query: LocalFeatures) -> None:
        """Test the most similar candidates, and the rest of the shortlist unless one of those is certain."""
        image_ids = list(self._candidates)
        # The smaller view of a query that fills its frame finds nothing that the larger one does not.
        larger = LocalFeatures(query.views[:1], query.extractor)
        for part in (image_ids[:FIRST_TESTED], image_ids[FIRST_TESTED:SHORTLIST]):
            self.test(larger, part)
            if self._best >= CERTAIN_SCORE:
                return

    def add(self, found: Sequence[Candidate]) -> None:
        """Add the candidates of another vector of the query; the larger similarity of an image counts."""
        for candidate in found:
            known = self._candidates.get(candidate.image.image_id)
            if known is None:
                self._candidates[candidate.image.image_id] = candidate
            elif known.similarity < candidate.similarity:
                self._candidates[candidate.image.image_id] = replace(known, similarity=candidate.similarity)

    @stage("local_test")
    def test(self, query: LocalFeatures, image_ids: Sequence[str]) -> None:
        """Compare views of the query with candidates; the best score of each counts."""
        raise_if_cancelled()
        unread = [image_id for image_id in image_ids if image_id not in self._references]
        self._references |= dict(zip(unread, self._gallery.local_features(unread), strict=True))
        scores = _scores(query, [self._references[image_id] for image_id in image_ids])
        for image_id, score in zip(image_ids, scores, strict=True):
            known = self._candidates[image_id]
            self._candidates[image_id] = replace(known, local_score=max(known.local_score or 0.0, score or 0.0))
        self._best = max([self._best, *filter(None, scores)])

    def test_second(self, query: LocalFeatures) -> None:
        """Compare the best candidates so far by the features of a second extractor, unless they were already."""
        candidates, order = self.ranked()
        best = sorted(range(len(candidates)), key=lambda number: -order[number])[:SECOND_TESTED]
        images = [candidates[number].image for number in best]
        images = [image for image in images if image.image_id not in self._second_scores]
        references = self._gallery.verifier_features([image.content_hash for image in images], query.extractor)
        scores = _scores(query, references, ALIKED)
        self._second_scores |= {
            image.image_id: score for image, score in zip(images, scores, strict=True) if score is not None
        }
        leading = candidates[best[0]].image.place
        highest = max(self._second_scores, key=self._second_scores.__getitem__, default=None)
        self._is_confirmed = (
            highest is not None
            and self._second_scores[highest] >= CONFIRMED_SCORE
            and self._candidates[highest].image.place == leading
        )

    def ranked(self) -> tuple[list[Candidate], list[float]]:
        """Return all candidates, and how well each agrees.

        The second features count where the first are unclear; a candidate without any counts as usual.
        """
        candidates = list(self._candidates.values())
        second = self._second_scores if self._best < CLEAR_SCORE else {}
        usual, share = (median(second.values()), FIRST_SHARE) if second else (0.0, 1.0)
        return candidates, [
            share * (candidate.local_score or 0.0)
            + second.get(candidate.image.image_id, usual)
            + SIMILARITY_WEIGHT * candidate.similarity
            for candidate in candidates
        ]


def _scores(
    query: LocalFeatures, references: Sequence[LocalFeatures | None], test: NeighbourTest = XFEAT
) -> list[float | None]:
    """Compare a query with references; None where there is none."""

    def score(reference: LocalFeatures | None) -> float | None:
        return None if reference is None else local_evidence(query, reference, test=test).score

    scores, _ = _TESTING.share([partial(score, reference) for reference in references], [])
    return scores


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
