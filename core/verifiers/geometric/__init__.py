"""Verification by geometry: do the two photos agree on enough points that one scene explains them both?

It needs neither a GPU nor a language model, and its answer can be drawn.

verifier       the two stages: XFeat for all candidates, ALIKED for those that it leaves open
aliked_stage   the second stage
shared_points  what photos of different places share speaks for none of them
two_view       what two views of photos agree on
confidence     from that to a probability
"""

from core.verifiers.geometric.confidence import ConfidenceRule
from core.verifiers.geometric.two_view import GeometricEvidence
from core.verifiers.geometric.verifier import GeometricVerifier

__all__ = ["ConfidenceRule", "GeometricEvidence", "GeometricVerifier"]
