"""The whole check of one collection, within a time budget.

What resembles what comes first (the costliest mistakes of a collection), then single photos. What the budget leaves
undone is said in the report. Qualities are kept in memory by content hash, so that the next check of a collection that
has grown measures only what is new.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from core.errors import GalleryError, UnknownCollection
from core.gallery import Gallery
from core.gallery_health.advice import advise
from core.gallery_health.look_alikes import SimilarPair, similar_pairs
from core.gallery_health.pair_tests import TriedPair, try_locally, verify_most_alike
from core.gallery_health.photo_quality import PhotoQuality, measure_photo
from core.gallery_health.report import HealthReport, Listing, PairFinding, PhotoFinding, PlaceRef
from core.results import GalleryImage, Place
from core.runtime.bounded_cache import BoundedCache
from core.verifiers.base import Verifier

PAIRS_TESTED = 300
PAIRS_VERIFIED = 20

_QUALITY_BYTES = 5_000  # of one photo, its thumbnail above all
_SHARE_FOR_PAIRS = 0.6  # of the budget at most
# What cameras and phones call their files.
_FILE_NAME = re.compile(
    r"(img|dsc|dscn|dscf|dji|gopr|pxl|mvimg|wp|image|photo|screenshot|mmexport|微信图片)[-_ ]?\d.*|\d[\d\-_. ]*",
    re.IGNORECASE,
)


class HealthCheck:
    """Checks collections of one gallery. Several threads may check at once."""

    def __init__(self, gallery: Gallery, verifier: Verifier | None, *, cached_photos: int = 50_000) -> None:
        """Bind the gallery.

        Args:
            gallery: opened by its owner.
            verifier: says whether two photos show one place; None leaves that to the local test.
            cached_photos: whose quality is kept in memory, about 5 KB each.
        """
        self._gallery = gallery
        self._verifier = verifier
        self._qualities = BoundedCache[str, PhotoQuality](cached_photos * _QUALITY_BYTES, lambda _: _QUALITY_BYTES)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let checks end as if their time were over; for the end of a process."""
        self._stopped.set()

    def run(self, collection: str, *, budget_s: float = 60.0) -> HealthReport:
        """Check one collection, without its hidden places.

        Args:
            collection: which holds an image.
            budget_s: after which nothing new is begun.

        Raises:
            UnknownCollection: there is no such collection.
            GalleryUnavailable: the gallery cannot be read.
        """
        started = time.monotonic()

        def is_over(share: float = 1.0) -> bool:
            return self._stopped.is_set() or time.monotonic() - started > budget_s * share

        generation = self._gallery.generation
        images = self._images(collection)
        places = _places(images)
        compared, tested = self._compare(collection, images, lambda: is_over(_SHARE_FOR_PAIRS))
        compared_in_time = not is_over(_SHARE_FOR_PAIRS)
        qualities = self._measure(images, is_over)
        verified = sum(pair.confidence is not None for pair in tested)
        refs = {place_id: PlaceRef(place_id, shown[0].place.name, len(shown)) for place_id, shown in places.items()}
        faulty = _faulty_photos(images, qualities, refs)
        findings = _pair_findings(images, tested, refs)
        one_view = [ref for ref in refs.values() if ref.images == 1]
        return HealthReport(
            collection=collection,
            generation=generation,
            computed_at=datetime.now(UTC).isoformat(timespec="seconds"),
            took_s=round(time.monotonic() - started, 2),
            is_complete=compared_in_time and len(qualities) == len(images),
            images=len(images),
            places=len(places),
            photos_measured=len(qualities),
            photos_compared=compared,
            pairs_tested=len(tested),
            pairs_verified=verified,
            faulty_photos=Listing.of(faulty),
            pairs=Listing.of(findings),
            one_view=Listing.of(one_view),
            unnamed=Listing.of([refs[key] for key, shown in places.items() if _is_unnamed(shown[0].place)]),
            undescribed=Listing.of([refs[key] for key, shown in places.items() if not shown[0].place.description]),
            advice=Listing.of(advise(list(refs.values()), faulty, findings)),
        )

    def _images(self, collection: str) -> list[GalleryImage]:
        images = list(self._gallery.all_images(collection))
        if not images:
            known = ", ".join(summary.name for summary in self._gallery.collections()[:20])
            raise UnknownCollection(f"unknown collection: {collection[:100]!r}; known: {known or 'none yet'}")
        return [image for image in images if not image.place.is_hidden]

    def _compare(
        self, collection: str, images: Sequence[GalleryImage], is_over: Callable[[], bool]
    ) -> tuple[int, list[TriedPair]]:
        """Return how many photos were compared, and the pairs of places that resemble each other most."""
        ids, embeddings = self._gallery.embeddings(collection)
        rows = {image.image_id: row for row, image in enumerate(images)}
        # What was added or deleted since the images were listed is left to the next check.
        kept = [(position, rows[image_id]) for position, image_id in enumerate(ids) if image_id in rows]
        numbers: dict[str, int] = {}
        places = [numbers.setdefault(images[row].place.place_id, len(numbers)) for _, row in kept]
        similar, compared = similar_pairs(
            embeddings[[position for position, _ in kept]], np.array(places, np.int64), PAIRS_TESTED, is_over
        )
        del embeddings
        similar = [SimilarPair(kept[pair.first][1], kept[pair.second][1], pair.similarity) for pair in similar]
        tested = try_locally(self._gallery, images, similar, lambda row: self._quality(images[row]), is_over)
        if self._verifier is not None:
            tested = verify_most_alike(self._gallery, images, tested, self._verifier, PAIRS_VERIFIED, is_over)
        return compared + len(images) - len(kept), tested

    def _measure(self, images: Sequence[GalleryImage], is_over: Callable[[], bool]) -> dict[str, PhotoQuality]:
        """Measure photos by content hash, as many as the time allows."""
        measured: dict[str, PhotoQuality] = {}
        for image in images:
            if is_over():
                break
            quality = self._quality(image)
            if quality is not None:
                measured[image.image_id] = quality
        return measured

    def _quality(self, image: GalleryImage) -> PhotoQuality | None:
        """Measure one photo unless that was done before; None where its preview is gone or damaged."""
        known = self._qualities.get(image.content_hash)
        if known is not None:
            return known
        try:
            quality = measure_photo(self._gallery.preview_path(image.image_id))
        except (OSError, GalleryError):
            return None
        self._qualities.put(image.content_hash, quality)
        return quality


def _places(images: Sequence[GalleryImage]) -> dict[str, list[GalleryImage]]:
    places: dict[str, list[GalleryImage]] = {}
    for image in images:
        places.setdefault(image.place.place_id, []).append(image)
    return places


def _faulty_photos(
    images: Sequence[GalleryImage], qualities: Mapping[str, PhotoQuality], refs: Mapping[str, PlaceRef]
) -> list[PhotoFinding]:
    found = []
    for image in images:
        quality = qualities.get(image.image_id)
        faults = quality.faults(max(image.width, image.height)) if quality is not None else ()
        if quality is not None and faults:
            place = refs[image.place.place_id]
            found.append(PhotoFinding(image.image_id, image.filename, place, faults, quality.blur, quality.brightness))
    return sorted(found, key=lambda finding: (-len(finding.faults), finding.place.images, -finding.blur))


def _pair_findings(
    images: Sequence[GalleryImage], tested: Sequence[TriedPair], refs: Mapping[str, PlaceRef]
) -> list[PairFinding]:
    return [
        PairFinding(
            kind=pair.kind,
            first=refs[images[pair.pair.first].place.place_id],
            first_image_id=images[pair.pair.first].image_id,
            second=refs[images[pair.pair.second].place.place_id],
            second_image_id=images[pair.pair.second].image_id,
            similarity=pair.pair.similarity,
            local_score=pair.local_score,
            confidence=pair.confidence,
        )
        for pair in sorted(tested, key=lambda pair: pair.risk, reverse=True)
        if pair.kind is not None
    ]


def _is_unnamed(place: Place) -> bool:
    return place.name == place.place_id or _FILE_NAME.fullmatch(place.name) is not None
