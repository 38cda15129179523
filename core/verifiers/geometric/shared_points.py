"""The wall, carpet or colour chart that photos of different places share: it speaks for none of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.verifiers.geometric.two_view import Agreement, GeometricEvidence

RADIUS = 0.05  # of the query's sides
# A point is shared where another place has at least this share of what agrees around it.
SHARE = 0.3
# Only a candidate with at least this confidence can take points from another.
CONFIDENT = 0.5

# What agrees: points in the upright query, float32 [N, 2], and their scores, float32 [N].
_Agreeing = tuple[NDArray[np.float32], NDArray[np.float32]]


def without_shared_points(
    evidence: Sequence[GeometricEvidence],
    places: Sequence[str | None],
    confidence: Callable[[GeometricEvidence], float],
) -> list[GeometricEvidence]:
    """Leave out, of every confident pair, the points of the query on which another place agrees about as much.

    Two objects photographed before one wall agree with a query of that wall; what the object itself agrees on is left
    to it. Nothing is stored, so photos that are added, removed or moved to another place count at once.

    Args:
        evidence: for the candidates of one query.
        places: what each candidate shows; None takes no part.
        confidence: that a pair shows one place, [0, 1].

    Returns:
        The evidence, in the same order.
    """
    confident = [number for number, found in enumerate(evidence) if confidence(found) >= CONFIDENT]
    agreeing = {number: _agreeing(evidence[number]) for number in confident if places[number] is not None}
    reduced = list(evidence)
    for number, own in agreeing.items():
        others = [found for other, found in agreeing.items() if places[other] != places[number]]
        if others:
            reduced[number] = _reduced(evidence[number], own, others)
    return reduced


def _agreeing(evidence: GeometricEvidence) -> _Agreeing:
    found = [stage.only(stage.inliers) for stage in (evidence.first, evidence.second) if stage is not None]
    return (
        np.concatenate([stage.points.query_points for stage in found]),
        np.concatenate([stage.scores for stage in found]),
    )


def _reduced(evidence: GeometricEvidence, own: _Agreeing, others: Sequence[_Agreeing]) -> GeometricEvidence:
    def unshared(stage: Agreement) -> Agreement:
        points = stage.points.query_points
        around = SHARE * _scores_around(points, own)
        is_shared = [
            (theirs > 0) & (theirs >= around) for theirs in (_scores_around(points, other) for other in others)
        ]
        return stage.only(~np.any(is_shared, axis=0))

    first = unshared(evidence.first)
    kept = first.match_score / evidence.first.match_score if len(evidence.first.scores) else 1.0
    second = unshared(evidence.second) if evidence.second is not None else None
    return replace(evidence, local_score=evidence.local_score * kept, first=first, second=second)


def _scores_around(points: NDArray[np.float32], found: _Agreeing) -> NDArray[np.float32]:
    """The scores that lie within the radius of each point, summed: float32 [M]."""
    distances = np.linalg.norm(points[:, None] - found[0][None], axis=2)
    around: NDArray[np.float32] = (distances <= RADIUS).astype(np.float32) @ found[1]
    return around
