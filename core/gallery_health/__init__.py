"""What is wrong with a collection, and what to photograph next.

check          the whole check, within a time budget
report         the values it returns
photo_quality  blurred, dark, overexposed, flat or small photos, from previews
look_alikes    pairs of places whose photos resemble each other, most similar first
pair_tests     which pairs are one picture added twice, mistaken for one place, or merely alike
advice         what to photograph next, in English and Chinese
"""

from core.gallery_health.check import HealthCheck
from core.gallery_health.report import Advice, HealthReport, Listing, PairFinding, PairKind, PhotoFinding, PlaceRef

__all__ = [
    "Advice",
    "HealthCheck",
    "HealthReport",
    "Listing",
    "PairFinding",
    "PairKind",
    "PhotoFinding",
    "PlaceRef",
]
