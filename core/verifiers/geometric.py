"""Verification by geometry: do the two photos agree on enough points that one scene explains them both?

XFeat views -> the pair of views that agrees best -> LighterGlue -> robust two-view models -> confidence. It needs
neither a GPU nor a language model, and its answer can be drawn.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import partial

import numpy as np
import poselib
from numpy.typing import NDArray

from core.local_features.lighterglue import LighterGlue
from core.local_features.matching import CLEAR_SCORE, LocalEvidence, local_evidence
from core.local_features.rotation import to_upright
from core.local_features.xfeat import ENLARGED, FIRST_LOOK, TURNED, XFeatExtractor
from core.results import Correspondences, LocalFeatures, Photo, Verdict
from core.runtime.bounded_cache import BoundedCache
from core.runtime.cancellation import cancellable, raise_if_cancelled
from core.runtime.devices import CPU_ALWAYS

_EPIPOLAR_PX, _HOMOGRAPHY_PX = 2.0, 8.0
_LEAST_FUNDAMENTAL, _LEAST_HOMOGRAPHY = 8, 5
_RANSAC = {"max_iterations": 1000, "min_iterations": 100}


@dataclass(frozen=True, slots=True, eq=False)
class GeometricEvidence:
    """What was counted for one pair.

    Attributes:
        matches: correspondences that LighterGlue proposes.
        match_score: sum of their scores, >= 0.
        inliers: of the best fundamental matrix (one rigid scene).
        planar_inliers: of the best homography (one plane).
        local_score: of the cheap local test, >= 0.
        correspondences: the larger set of inliers.
    """

    matches: int
    match_score: float
    inliers: int
    planar_inliers: int
    local_score: float
    correspondences: Correspondences


@dataclass(frozen=True, slots=True)
class ConfidenceRule:
    """Logistic rule from evidence to the probability that both photos show one place.

    The weights were fitted by ``benchmarks/fit_geometric_confidence.py``, which also says how well such a fit holds on
    photos it did not see. Inliers of the fundamental matrix are not in it: beside the match score they added nothing.

    Attributes:
        bias: log-odds with no evidence.
        per_log_planar_inlier: added per unit of ln(1 + planar inliers).
        per_log_match_score: added per unit of ln(1 + match score).
        per_log_local_score: added per unit of ln(1 + local score).
    """

    bias: float = -16.8
    per_log_planar_inlier: float = 0.42
    per_log_match_score: float = 2.23
    per_log_local_score: float = 1.95

    def confidence(self, evidence: GeometricEvidence) -> float:
        """Probability in [0, 1]."""
        log_odds = (
            self.bias
            + self.per_log_planar_inlier * math.log1p(evidence.planar_inliers)
            + self.per_log_match_score * math.log1p(evidence.match_score)
            + self.per_log_local_score * math.log1p(evidence.local_score)
        )
        return 1 / (1 + math.exp(-log_odds))


class GeometricVerifier:
    """Matches local features and counts what agrees. Several threads may verify at once."""

    def __init__(
        self,
        *,
        threads: int | None = None,
        accept_threshold: float = 0.5,
        rule: ConfidenceRule | None = None,
        cache_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """Load XFeat and LighterGlue; takes about a second.

        Args:
            threads: candidates verified at the same time; None takes one per processor, at most 4.
            accept_threshold: confidence from which a verdict is a match, [0, 1].
            rule: from inliers to confidence.
            cache_bytes: for features of candidates that come without any.
        """
        self._extractor = XFeatExtractor()
        self._matcher = LighterGlue()
        self._rule = rule or ConfidenceRule()
        self._accept_threshold = accept_threshold
        self._pool = ThreadPoolExecutor(threads or min(4, os.cpu_count() or 1), thread_name_prefix="geometric")
        self._cache: BoundedCache[str, LocalFeatures] = BoundedCache(cache_bytes, lambda features: features.byte_size)
        numbers = ", ".join(f"{number:g}" for number in astuple(self._rule))
        self.device = CPU_ALWAYS
        self.fingerprint = f"geometric ({self._extractor.name}, {self._matcher.name}; rule {numbers})"

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
        """The evidence behind each verdict, in the order of ``candidates``."""
        if not candidates:
            return []
        references = [self._features(candidate) for candidate in candidates]
        features, agreements = self._compare(query, references)
        return list(self._pool.map(cancellable(partial(self._measure, features)), references, agreements))

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

    def _compare(self, query: Photo, references: Sequence[LocalFeatures]) -> tuple[LocalFeatures, list[LocalEvidence]]:
        """Find how the query agrees with each reference, after a second look where no agreement is clear."""
        features = self._features(query)
        agreements = list(self._pool.map(partial(local_evidence, features), references))
        # More views than the first look gives mean that retrieval has looked twice already.
        if len(features.views) > len(FIRST_LOOK) or max(agreement.score for agreement in agreements) >= CLEAR_SCORE:
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

    def _measure(self, query: LocalFeatures, reference: LocalFeatures, best: LocalEvidence) -> GeometricEvidence:
        query_view, reference_view = query.views[best.query_view], reference.views[best.candidate_view]
        pairs, scores = self._matcher.match(query_view, reference_view)
        query_points, reference_points = query_view.keypoints[pairs[:, 0]], reference_view.keypoints[pairs[:, 1]]
        scene, plane = _agreeing(query_points * query_view.size, reference_points * reference_view.size)
        shown = scene if scene.sum() >= plane.sum() else plane
        return GeometricEvidence(
            matches=len(pairs),
            match_score=float(scores.sum()),
            inliers=int(scene.sum()),
            planar_inliers=int(plane.sum()),
            local_score=best.score,
            correspondences=Correspondences(
                to_upright(query_points[shown], query_view.rotation), reference_points[shown], query_view.rotation
            ),
        )

    def _verdict(self, evidence: GeometricEvidence) -> Verdict:
        confidence = self._rule.confidence(evidence)
        is_match = confidence >= self._accept_threshold
        return Verdict(
            is_match=is_match,
            confidence=confidence,
            response=f"{'' if is_match else 'only '}{len(evidence.correspondences.query_points)} points agree",
            correspondences=evidence.correspondences,
        )


def _agreeing(
    query_px: NDArray[np.float32], reference_px: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which correspondences agree on a fundamental matrix, and which on a homography: two masks, bool [M]."""
    count = len(query_px)
    scene = plane = np.zeros(count, dtype=np.bool_)
    first, second = query_px.astype(np.float64), reference_px.astype(np.float64)
    if count >= _LEAST_FUNDAMENTAL:
        _, report = poselib.estimate_fundamental(first, second, _RANSAC | {"max_epipolar_error": _EPIPOLAR_PX}, {})
        scene = np.asarray(report["inliers"], dtype=np.bool_)
    if count >= _LEAST_HOMOGRAPHY:
        _, report = poselib.estimate_homography(first, second, _RANSAC | {"max_reproj_error": _HOMOGRAPHY_PX}, {})
        plane = np.asarray(report["inliers"], dtype=np.bool_)
    return scene, plane
