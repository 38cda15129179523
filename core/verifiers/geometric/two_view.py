"""What two views of photos agree on: matched keypoints that one rigid scene or one plane explains."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import poselib
from numpy.typing import NDArray

from core.local_features.rotation import to_upright
from core.results import Correspondences, FeatureView

_EPIPOLAR_PX, _HOMOGRAPHY_PX = 2.0, 8.0
_LEAST_FUNDAMENTAL, _LEAST_HOMOGRAPHY = 8, 5
_RANSAC = {"max_iterations": 1000, "min_iterations": 100}

# See ``LightGlueMatcher.match``.
Match = Callable[[FeatureView, FeatureView], tuple[NDArray[np.intp], NDArray[np.float32]]]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """What one matcher found in one pair of views: M proposed matches.

    Attributes:
        points: all matches, in both upright photos.
        scores: float32 [M] in [0, 1].
        scene: bool [M], those that agree on the best fundamental matrix (one rigid scene).
        plane: bool [M], those that agree on the best homography (one plane).
    """

    points: Correspondences
    scores: NDArray[np.float32]
    scene: NDArray[np.bool_]
    plane: NDArray[np.bool_]

    @property
    def match_score(self) -> float:
        """Sum of the scores of all matches."""
        return float(self.scores.sum())

    @property
    def planar_inliers(self) -> int:
        """Number of matches on one plane."""
        return int(self.plane.sum())

    @property
    def inliers(self) -> NDArray[np.bool_]:
        """The larger of both sets, bool [M]."""
        return self.scene if self.scene.sum() >= self.plane.sum() else self.plane

    @property
    def correspondences(self) -> Correspondences:
        """The inliers."""
        return self.only(self.inliers).points

    def only(self, kept: NDArray[np.bool_]) -> "Agreement":
        """Leave out the matches that are not kept, bool [M]."""
        points = replace(
            self.points,
            query_points=self.points.query_points[kept],
            candidate_points=self.points.candidate_points[kept],
        )
        return Agreement(points, self.scores[kept], self.scene[kept], self.plane[kept])


_NO_POINTS, _NONE = np.zeros((0, 2), np.float32), np.zeros(0, np.bool_)
NOT_MATCHED = Agreement(Correspondences(_NO_POINTS, _NO_POINTS), np.zeros(0, np.float32), _NONE, _NONE)
"""Of a pair that was left out: the cheap local test found that hardly anything agrees."""


@dataclass(frozen=True, slots=True, eq=False)
class GeometricEvidence:
    """What was counted for one pair of photos.

    Attributes:
        local_score: of the cheap local test, >= 0.
        first: by XFeat and LighterGlue; ``NOT_MATCHED`` where the local test made it needless.
        second: by ALIKED and LightGlue; None where that stage did not compare the pair.
    """

    local_score: float
    first: Agreement
    second: Agreement | None = None


def compare_views(match: Match, query: FeatureView, reference: FeatureView) -> Agreement:
    """Match two views and count what agrees."""
    pairs, scores = match(query, reference)
    query_points, reference_points = query.keypoints[pairs[:, 0]], reference.keypoints[pairs[:, 1]]
    scene, plane = _inliers(query_points * query.size, reference_points * reference.size)
    upright = _unmirrored(to_upright(query_points, query.rotation), query)
    return Agreement(Correspondences(upright, reference_points, query.rotation), scores, scene, plane)


def _unmirrored(points: NDArray[np.float32], view: FeatureView) -> NDArray[np.float32]:
    return np.array([1, 0], np.float32) + points * np.array([-1, 1], np.float32) if view.mirrored else points


def _inliers(
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
