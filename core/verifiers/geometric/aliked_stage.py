"""The second stage: ALIKED and LightGlue compare the pairs that XFeat leaves open, the most promising first."""

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import partial

import torch

from core.errors import BackendUnavailable, GalleryError, InvalidImage
from core.local_features.aliked import AlikedExtractor, AlikedMatcher
from core.local_features.matching import ALIKED, local_evidence
from core.results import FeatureView, LocalFeatures, Photo
from core.runtime.bounded_cache import BoundedCache
from core.runtime.cancellation import cancellable, raise_if_cancelled, seconds_left
from core.runtime.second_thread import work_time
from core.runtime.stage_times import stage
from core.verifiers.geometric.two_view import NOT_MATCHED, Agreement, compare_views

# What comes after the stage needs some time too; with less than this left, the first stage's verdicts are returned.
_LEAST_S = 1.0
# Pairs that agree less by nearest neighbours, and that XFeat did not match either, are not matched: 350 of 1,408 pairs
# of two places, and 2 of the 203 pairs of one place that would have a sum of scores from 20 on.
_LEAST_AGREEMENT = 6.0
# Pairs that agree less are glanced at first. Of 732 pairs of two places, 643 are left then, and of the 32 of one place
# that would have a sum of scores from 20 on, 3.
_PROMISING = 20.0
# Candidates are compared in groups of so many, on any number of threads, and all of a group count: where one is enough,
# the other may be a rival that agrees as well.
_GROUP = 2

logger = logging.getLogger(__name__)


class AlikedStage:
    """Compares photos by ALIKED and LightGlue. Several threads may compare at once."""

    def __init__(self, cache_bytes: int, device: torch.device) -> None:
        """Load both networks; takes about a second.

        Args:
            cache_bytes: for features of candidates that the gallery has none of.
            device: of the networks.

        Raises:
            BackendUnavailable: their weights are not installed.
        """
        self._extractor = AlikedExtractor(device)
        self._matcher = AlikedMatcher(device)
        self._cache: BoundedCache[str, LocalFeatures] = BoundedCache(cache_bytes, lambda features: features.byte_size)
        thresholds = f"from {_LEAST_AGREEMENT:g}, glanced at below {_PROMISING:g}"
        self.name = f"{self._extractor.name}, {self._matcher.name} {thresholds}"

    def known_agreement(self, query: Photo, candidates: Sequence[Photo]) -> float:
        """How well the candidate that agrees best does by the cheap local test; 0 where no features are known yet."""
        described = query.stored_features(self._extractor.name)
        if described is None:
            return 0.0
        best = 0.0
        for candidate in candidates:
            try:
                known = candidate.stored_features(self._extractor.name)
            except GalleryError as error:
                logger.warning("what ALIKED made of a candidate is not read: %s", error)
                continue
            if known is not None:
                best = max(best, local_evidence(described, known, test=ALIKED).score)
        return best

    @stage("second_stage")
    def compare(
        self,
        query: Photo,
        seen_as: FeatureView,
        candidates: Sequence[Photo],
        *,
        in_any_case: Collection[int],
        budget_s: float,
        is_enough: Callable[[int, Agreement], bool],
        pool: Executor,
        at_once: int,
    ) -> dict[int, Agreement]:
        """Compare a query with candidates in the order given, until it is enough, or budget or time is spent.

        Args:
            query: the photo asked about.
            seen_as: a view of it that agreed best so far: it is turned and mirrored likewise.
            candidates: the most promising first.
            in_any_case: indices of the candidates that are matched even if hardly any nearest neighbours agree.
            budget_s: seconds of work, of all threads together; no further pairs begin that would not end within them if
                each took as long as the longest before.
            is_enough: whether the agreement with the candidate of this index makes further pairs needless.
            pool: runs ``at_once`` comparisons side by side.
            at_once: >= 1.

        Returns:
            What was found, by the index of the candidate, ``NOT_MATCHED`` included; nothing for one whose pixels are
            needed and cannot be had.
        """
        if seconds_left() < _LEAST_S:
            return {}
        began = work_time()
        try:
            features = self._describe(query, seen_as)
        except InvalidImage as error:
            logger.warning("a photo is not compared a second time: %s", error)
            return {}
        spent, longest = work_time() - began, 0.0
        compare = cancellable(partial(self._compare, features))
        begun, end = 0, len(candidates)
        under_way: dict[Future[tuple[Agreement | None, float]], int] = {}
        found: dict[int, Agreement] = {}

        def may_begin() -> bool:
            # The next group may be needless. On two threads it waits, as a pair that is left alone has both.
            is_wanted = begun % _GROUP > 0 or not under_way or at_once > _GROUP
            return is_wanted and spent + longest * (len(under_way) + 1) < budget_s and seconds_left() >= _LEAST_S

        try:
            while True:
                raise_if_cancelled()
                while begun < end and len(under_way) < at_once and may_begin():
                    under_way[pool.submit(compare, candidates[begun], begun in in_any_case)] = begun
                    begun += 1
                if not under_way:
                    return {number: agreement for number, agreement in found.items() if number < end}
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    number = under_way.pop(future)
                    agreement, cost = future.result()
                    spent += cost
                    longest = max(longest, cost)
                    if agreement is not None:
                        found[number] = agreement
                        if is_enough(number, agreement):  # for its group, whichever of it ends first
                            end = min(end, number - number % _GROUP + _GROUP)
        finally:
            for future in under_way:
                future.cancel()

    def _compare(self, query: LocalFeatures, candidate: Photo, in_any_case: bool) -> tuple[Agreement | None, float]:
        began = work_time()
        try:
            agreement = self._match(query, self._features(candidate), in_any_case)
        except (InvalidImage, GalleryError) as error:
            logger.warning("a candidate is not compared a second time: %s", error)
            agreement = None
        return agreement, work_time() - began

    def _match(self, query: LocalFeatures, candidate: LocalFeatures, in_any_case: bool) -> Agreement:
        """Match the query with the view of the candidate that agrees best."""
        neighbours = local_evidence(query, candidate, test=ALIKED)
        if neighbours.score < _LEAST_AGREEMENT and not in_any_case:
            return NOT_MATCHED
        match = partial(self._matcher.match, glance_first=neighbours.score < _PROMISING)
        return compare_views(match, query.views[0], candidate.views[neighbours.candidate_view])

    def _describe(self, query: Photo, seen_as: FeatureView) -> LocalFeatures:
        """Describe a query as it is seen; upright, retrieval may have done so."""
        is_upright = seen_as.rotation == 0 and not seen_as.mirrored
        stored = query.stored_features(self._extractor.name) if is_upright else None
        return stored or self._extractor.extract(query.load(), seen_as.rotation, mirrored=seen_as.mirrored)

    def _features(self, candidate: Photo) -> LocalFeatures:
        stored = candidate.stored_features(self._extractor.name)
        if stored is not None:
            return stored
        known = self._cache.get(candidate.content_hash) if candidate.content_hash else None
        if known is None:
            known = self._extractor.extract(candidate.load())
            if candidate.content_hash:
                self._cache.put(candidate.content_hash, known)
        return known


def open_aliked_stage(wanted: bool | None, cache_bytes: int, device: torch.device) -> AlikedStage | None:
    """Load the stage.

    Args:
        wanted: None takes it where it can be had, and says where not.
        cache_bytes: see ``AlikedStage``.
        device: likewise.

    Raises:
        BackendUnavailable: it is wanted, and its weights are not installed.
    """
    if wanted is False:
        return None
    try:
        return AlikedStage(cache_bytes, device)
    except BackendUnavailable as missing:
        if wanted:
            raise
        logger.warning("undecided pairs are not compared a second time: %s", missing)
        return None
