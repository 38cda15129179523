"""From what two photos agree on to the probability that both show one place."""

import math
from dataclasses import dataclass

from core.verifiers.geometric.two_view import GeometricEvidence


@dataclass(frozen=True, slots=True)
class ConfidenceRule:
    """Two logistic rules, one for each stage; where both compared a pair, either may be convinced.

    XFeat finding nothing proves nothing, and nor does ALIKED: of a place seen from another side, one of the two often
    finds no point. So their odds add up, those of XFeat lowered, since ALIKED only gets pairs that XFeat left open.

    The weights were fitted by ``benchmarks/fit_geometric_confidence.py``, which also says how well such a fit holds on
    photos it did not see. Inliers of the fundamental matrix are in neither: beside the match score they added nothing.

    Attributes:
        bias: log-odds with no evidence.
        per_log_planar_inlier: added per unit of ln(1 + planar inliers).
        per_log_match_score: added per unit of ln(1 + match score).
        per_log_local_score: added per unit of ln(1 + local score).
        lowered: by so much the log-odds of a pair that ALIKED compared as well.
        second_bias: log-odds with no match by ALIKED.
        per_log_second_score: added per unit of ln(1 + match score) of ALIKED's matches.
    """

    bias: float = -16.8
    per_log_planar_inlier: float = 0.42
    per_log_match_score: float = 2.23
    per_log_local_score: float = 1.95
    lowered: float = 1.0
    second_bias: float = -7.3
    per_log_second_score: float = 2.02

    def confidence(self, evidence: GeometricEvidence) -> float:
        """Probability in [0, 1]."""
        log_odds = (
            self.bias
            + self.per_log_planar_inlier * math.log1p(evidence.first.planar_inliers)
            + self.per_log_match_score * math.log1p(evidence.first.match_score)
            + self.per_log_local_score * math.log1p(evidence.local_score)
        )
        if evidence.second is not None:
            second = self.second_bias + self.per_log_second_score * math.log1p(evidence.second.match_score)
            log_odds = math.log(math.exp(log_odds - self.lowered) + math.exp(second))
        return 1 / (1 + math.exp(-log_odds))
