"""Tells one picture filed twice from photos that the verifier takes for one thing, and from merely similar ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import BackendUnavailable, GalleryUnavailable, InvalidImage
from core.gallery import Gallery
from core.gallery_health.look_alikes import SimilarPair
from core.gallery_health.photo_quality import PhotoQuality
from core.gallery_health.report import PairKind
from core.local_features.matching import local_evidence
from core.results import GalleryImage
from core.verifiers.base import Verifier

# Copies that were compressed again, halved, brightened or cropped by a tenth score 211 and more, other photos of one
# place 216 at most, photos of different places 89 at most (303 photos; docs/gallery-health.md).
SAME_PICTURE_SCORE = 220.0
# Uncropped copies correlate by 0.966 and more, photos of different places by 0.894 at most.
SAME_PICTURE_CORRELATION = 0.96
# Of photos of different places only those score so much that resemble each other in fact: one pair in fifteen among the
# most similar 150.
LOOK_ALIKE_SCORE = 40.0
# Without local features nothing but the embeddings' order is known; so many pairs are named then.
UNTESTED_PAIRS = 20


@dataclass(frozen=True, slots=True)
class TriedPair:
    """A pair and what is known of it.

    Attributes:
        kind: None where the two are not worth mentioning.
        local_score: None without local features.
        confidence: None where the verifier was not asked.
    """

    pair: SimilarPair
    kind: PairKind | None
    local_score: float | None
    confidence: float | None = None

    @property
    def risk(self) -> tuple[bool, bool, float, float, float]:
        """Sorts pairs: pictures filed twice first, then by how sure the verifier or the local test is."""
        same_picture, confused = self.kind == "same_picture", self.kind == "confused"
        return same_picture, confused, self.confidence or 0.0, self.local_score or 0.0, self.pair.similarity


def try_locally(
    gallery: Gallery,
    images: Sequence[GalleryImage],
    pairs: Sequence[SimilarPair],
    quality: Callable[[int], PhotoQuality | None],
    is_over: Callable[[], bool],
) -> list[TriedPair]:
    """Put pairs to the cheap local test, and compare their thumbnails; as many as the time allows, in order."""
    tested: list[TriedPair] = []
    for rank, pair in enumerate(pairs):
        if is_over():
            break
        first, second = gallery.local_features([images[pair.first].image_id, images[pair.second].image_id])
        score = None if first is None or second is None else local_evidence(first, second).score
        kind: PairKind | None = None
        if (score or 0.0) >= SAME_PICTURE_SCORE or _correlation(quality(pair.first), quality(pair.second)) >= (
            SAME_PICTURE_CORRELATION
        ):
            kind = "same_picture"
        elif (score is None and rank < UNTESTED_PAIRS) or (score or 0.0) >= LOOK_ALIKE_SCORE:
            kind = "look_alike"
        tested.append(TriedPair(pair, kind, score))
    return tested


def verify_most_alike(
    gallery: Gallery,
    images: Sequence[GalleryImage],
    tested: Sequence[TriedPair],
    verifier: Verifier,
    limit: int,
    is_over: Callable[[], bool],
) -> list[TriedPair]:
    """Ask the verifier about the pairs that score highest but are not one picture.

    Returns:
        All pairs, those asked about with the verifier's confidence.
    """
    asked = sorted(
        (tried for tried in tested if tried.kind != "same_picture"), key=lambda tried: tried.risk, reverse=True
    )
    verified: dict[SimilarPair, TriedPair] = {}
    for tried in asked[:limit]:
        if is_over():
            break
        answer = _verify(gallery, images[tried.pair.first], images[tried.pair.second], verifier)
        if answer is None:
            continue
        is_match, confidence = answer
        kind: PairKind | None = "confused" if is_match else tried.kind
        verified[tried.pair] = TriedPair(tried.pair, kind, tried.local_score, confidence)
    return [verified.get(tried.pair, tried) for tried in tested]


def _verify(
    gallery: Gallery, first: GalleryImage, second: GalleryImage, verifier: Verifier
) -> tuple[bool, float] | None:
    query, candidate = gallery.photos([first, second])
    try:
        (verdict,) = verifier.verify(query, [candidate])
    except (InvalidImage, GalleryUnavailable, BackendUnavailable):
        return None  # deleted or damaged meanwhile, or a verifier that is away: the pair stays as it was
    return None if verdict is None else (verdict.is_match, verdict.confidence)


def _correlation(first: PhotoQuality | None, second: PhotoQuality | None) -> float:
    return float(first.thumbnail @ second.thumbnail) if first is not None and second is not None else 0.0
