"""The geometric verifier: XFeat settles the clear pairs, ALIKED compares those that it leaves open.

XFeat views -> the pair of views that agrees best -> LighterGlue -> robust two-view models -> confidence; where that is
open, ALIKED -> LightGlue -> the same models -> the confidence of both. Neither matches pairs whose nearest neighbours
hardly agree. A pair that agrees clearly comes first; once it is settled, only those above chance are matched.
"""

import os
from collections.abc import Sequence
from dataclasses import astuple, replace
from functools import partial

from core.local_features.lighterglue import LighterGlue
from core.local_features.matching import CHANCE_SCORE, CLEAR_SCORE, LocalEvidence, local_evidence
from core.local_features.xfeat import ENLARGED, FIRST_LOOK, TURNED, XFeatExtractor
from core.results import FeatureView, LocalFeatures, Photo, Verdict
from core.runtime.bounded_cache import BoundedCache
from core.runtime.bounded_forward import naming_what_did_not_fit
from core.runtime.cancellation import cancellable, raise_if_cancelled
from core.runtime.devices import choose_device
from core.runtime.stage_times import StageThreads, stage
from core.verifiers.geometric.aliked_stage import open_aliked_stage
from core.verifiers.geometric.confidence import ConfidenceRule
from core.verifiers.geometric.shared_points import CONFIDENT, without_shared_points
from core.verifiers.geometric.two_view import NOT_MATCHED, Agreement, GeometricEvidence, compare_views

# A pair with this confidence by XFeat alone is not compared again, nor is any beside it: of 416 photos, none would be
# answered otherwise.
SETTLED = 0.9
# Pairs that agree less by the local test are left to ALIKED. Of 1,969 pairs of two places these are more than half, of
# the 313 pairs of one place that convince XFeat one.
LEAST_AGREEMENT = 25.0
# A pair with this confidence by both ends the second stage; likewise.
ENOUGH = 0.7
SECOND_BUDGET_S = 5.0
# A query is taken to be turned or mirrored where such a view agrees at least so much, which one photo in ten does by
# chance, and the upright views by less than this share of it.
TURNED_SCORE, UPRIGHT_SHARE = 45.0, 0.6


class GeometricVerifier:
    """Matches local features and counts what agrees. Several threads may verify at once."""

    def __init__(
        self,
        *,
        device: str = "auto",
        threads: int | None = None,
        accept_threshold: float = 0.5,
        rule: ConfidenceRule | None = None,
        cache_bytes: int = 64 * 1024 * 1024,
        aliked: bool | None = None,
        second_budget_s: float = SECOND_BUDGET_S,
    ) -> None:
        """Load the networks; takes about two seconds.

        Args:
            device: of the networks: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; robust models are fitted on the CPU.
            threads: candidates verified at the same time; None takes one per processor, at most 4.
            accept_threshold: confidence from which a verdict is a match, [0, 1].
            rule: from what agrees to confidence.
            cache_bytes: for features of candidates that come without any, for each of the two stages.
            aliked: compare the pairs that XFeat leaves open with ALIKED; None where its weights are installed.
            second_budget_s: seconds of work of that, for one query; see ``AlikedStage.compare``.

        Raises:
            InvalidRequest: unknown device.
            BackendUnavailable: the device is not available, or ALIKED is asked for, and its weights are not installed.
        """
        self.device = choose_device(device, "float32")
        self._extractor = XFeatExtractor(self.device.device)
        self._matcher = LighterGlue(self.device.device)
        self._rule = rule or ConfidenceRule()
        self._accept_threshold = accept_threshold
        self._at_once = threads or min(4, os.cpu_count() or 1)
        self._pool = StageThreads(self._at_once, thread_name_prefix="geometric")
        self._second = open_aliked_stage(aliked, cache_bytes, self.device.device)
        self._second_budget_s = second_budget_s
        self._cache: BoundedCache[str, LocalFeatures] = BoundedCache(cache_bytes, lambda features: features.byte_size)
        numbers = ", ".join(f"{number:g}" for number in astuple(self._rule))
        networks = [self._extractor.name, self._matcher.name]
        if self._second is not None:
            networks[1] += f" from {LEAST_AGREEMENT:g}"
            networks.append(self._second.name)
        self.fingerprint = f"geometric ({', '.join(networks)}; rule {numbers})"

    @property
    def queries_at_once(self) -> int:
        """How many threads should call ``verify``; a second one's pairs fill in where the first one's run out."""
        return min(2, self._at_once)

    def style(self, prompt_style: str | None) -> None:
        """Reads no prompt."""

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> list[Verdict]:
        """Judge all candidates of one query; see ``core.verifiers.base.Verifier``. Reads no prompt.

        Correspondences come with every verdict: they are the evidence itself.
        """
        del prompt_style, explain
        return [self._verdict(evidence) for evidence in self.measure(query, candidates)]

    def measure(self, query: Photo, candidates: Sequence[Photo]) -> list[GeometricEvidence]:
        """Return the evidence behind each verdict, in the order of ``candidates``.

        Raises:
            OutOfMemory: a photo did not fit the device.
        """
        if not candidates:
            return []
        with naming_what_did_not_fit("a photo's features did not fit the device's memory; choose the device cpu"):
            with stage("first_stage"):
                references = [self._features(candidate) for candidate in candidates]
                features, local = self._compare(query, candidates, references)
                first = self._match(features, references, local)
            evidence = self._look_twice(query, features, candidates, first, local)
        return without_shared_points(evidence, [candidate.shows for candidate in candidates], self._rule.confidence)

    def close(self) -> None:
        """Let the worker threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _features(self, photo: Photo) -> LocalFeatures:
        if photo.local_features is not None and photo.local_features.extractor == self._extractor.name:
            return photo.local_features
        known = self._cache.get(photo.content_hash) if photo.content_hash else None
        if known is None:
            known = self._extractor.extract(photo.load(), FIRST_LOOK)
            if photo.content_hash:
                self._cache.put(photo.content_hash, known)
        return known

    def _compare(
        self, query: Photo, candidates: Sequence[Photo], references: Sequence[LocalFeatures]
    ) -> tuple[LocalFeatures, list[LocalEvidence]]:
        """Find how the query agrees with each reference, after a second look where no agreement is clear.

        Retrieval may have looked already, or have found that no look is needed.
        """
        features = self._features(query)
        agreements = list(self._pool.map(partial(local_evidence, features), references))
        is_clear = max(agreement.score for agreement in agreements) >= CLEAR_SCORE
        if is_clear or self._needs_no_look(query, features, candidates):
            return features, agreements
        raise_if_cancelled()
        again = self._extractor.extract(query.load(), TURNED + ENLARGED)
        known = len(features.views)
        features = LocalFeatures(features.views + again.views, features.extractor)
        turned = partial(local_evidence, features, query_views=range(known, len(features.views)))
        further = list(self._pool.map(turned, references))
        return features, [
            max(pair, key=lambda evidence: evidence.score) for pair in zip(agreements, further, strict=True)
        ]

    def _needs_no_look(self, query: Photo, features: LocalFeatures, candidates: Sequence[Photo]) -> bool:
        """Whether retrieval has looked again, or ALIKED's features, which came along, agree with a candidate."""
        if len(features.views) > len(FIRST_LOOK):
            return True
        return self._second is not None and self._second.known_agreement(query, candidates) >= CLEAR_SCORE

    def _match(
        self, query: LocalFeatures, references: Sequence[LocalFeatures], local: Sequence[LocalEvidence]
    ) -> list[GeometricEvidence]:
        """Match the pairs that agree enough; a clear one first, and if that settles it, only those above chance."""

        @cancellable
        def measure(number: int) -> GeometricEvidence:
            best = local[number]
            views = query.views[best.query_view], references[number].views[best.candidate_view]
            return GeometricEvidence(best.score, compare_views(self._matcher.match, *views))

        least = LEAST_AGREEMENT if self._second is not None else 0.0
        left = sorted(range(len(local)), key=lambda number: -local[number].score)
        found: dict[int, GeometricEvidence] = {}
        if local[left[0]].score >= CLEAR_SCORE:
            best, *left = left
            found[best] = measure(best)
            if self._rule.confidence(found[best]) >= SETTLED:
                least = CHANCE_SCORE
        left = [number for number in left if local[number].score >= least]
        found |= dict(zip(left, self._pool.map(measure, left), strict=True))
        return [found.get(number, GeometricEvidence(known.score, NOT_MATCHED)) for number, known in enumerate(local)]

    def _look_twice(
        self,
        query: Photo,
        features: LocalFeatures,
        candidates: Sequence[Photo],
        first: Sequence[GeometricEvidence],
        local: Sequence[LocalEvidence],
    ) -> list[GeometricEvidence]:
        """Compare the open pairs with ALIKED, unless that is off, or one place is settled and no other comes near."""
        confidences = [self._rule.confidence(evidence) for evidence in first]
        confident = [number for number, confidence in enumerate(confidences) if confidence >= CONFIDENT]
        contested = len(confident) if len({candidates[number].shows for number in confident}) > 1 else 0
        if self._second is None or (max(confidences) >= SETTLED and not contested):
            return list(first)
        order = sorted(range(len(first)), key=lambda number: (-round(confidences[number], 1), number))
        seen_as = held_view(features, self._features(candidates[order[0]]), local[order[0]])

        def is_enough(place: int, agreement: Agreement) -> bool:
            return (
                place + 1 >= contested
                and self._rule.confidence(replace(first[order[place]], second=agreement)) >= ENOUGH
            )

        found = self._second.compare(
            query,
            seen_as,
            [candidates[number] for number in order],
            in_any_case=[place for place, number in enumerate(order) if first[number].first is not NOT_MATCHED],
            budget_s=self._second_budget_s,
            is_enough=is_enough,
            pool=self._pool,
            at_once=self._at_once,
        )
        second = {order[place]: agreement for place, agreement in found.items()}
        return [replace(evidence, second=second.get(number)) for number, evidence in enumerate(first)]

    def _verdict(self, evidence: GeometricEvidence) -> Verdict:
        confidence = self._rule.confidence(evidence)
        is_match = confidence >= self._accept_threshold
        found = [("xfeat", evidence.first)] + ([("aliked", evidence.second)] if evidence.second else [])
        stage, agreement = max(found, key=lambda named: len(named[1].correspondences.query_points))
        if agreement is NOT_MATCHED:
            stage = "local"
        return Verdict(
            is_match=is_match,
            confidence=confidence,
            response=f"{'' if is_match else 'only '}{len(agreement.correspondences.query_points)} points agree",
            correspondences=agreement.correspondences,
            stage=stage,
        )


def held_view(query: LocalFeatures, candidate: LocalFeatures, best: LocalEvidence) -> FeatureView:
    """Return the view of the query that shows how the phone was held, by its agreement with the surest candidate.

    Upright, unless another view agrees much better: columns and arches agree with their own mirror image.
    """
    upright = [number for number, view in enumerate(query.views) if view.rotation == 0 and not view.mirrored]
    if best.query_view in upright:
        return query.views[best.query_view]
    seen_upright = local_evidence(query, candidate, upright)
    is_turned = best.score >= TURNED_SCORE and seen_upright.score < UPRIGHT_SHARE * best.score
    return query.views[best.query_view if is_turned else 0]
