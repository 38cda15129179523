"""What a check of a collection found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Entry = TypeVar("Entry")

PairKind = Literal["same_picture", "confused", "look_alike"]
"""One picture filed under two places; photos that the verifier takes for one thing; photos that resemble each other."""

MOST_LISTED = 500
"""Entries of one list; the count beside it is of all."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[Entry]):
    """The worst entries of a list, worst first, and how many there are.

    Attributes:
        total: of all, listed or not.
        entries: at most ``MOST_LISTED``.
    """

    total: int
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Listing[Entry]":
        """Cut a list that is sorted already."""
        return cls(len(entries), tuple(entries[:MOST_LISTED]))


@dataclass(frozen=True, slots=True)
class PlaceRef:
    """A place by id and name, and how many photos show it."""

    place_id: str
    name: str
    images: int


@dataclass(frozen=True, slots=True)
class PhotoFinding:
    """A photo that should be taken again.

    Attributes:
        faults: ``dark``, ``overexposed``, ``flat``, ``blurred``, ``small``; worst first.
        blur: [0, 1], see ``photo_quality``.
        brightness: [0, 255].
    """

    image_id: str
    filename: str
    place: PlaceRef
    faults: tuple[str, ...]
    blur: float
    brightness: int


@dataclass(frozen=True, slots=True)
class PairFinding:
    """Two places whose photos resemble each other, by their most similar pair of photos.

    Attributes:
        kind: how much.
        similarity: cosine of the embeddings, [-1, 1].
        local_score: of the cheap local test; None where photos have no local features.
        confidence: of the verifier that both show one place, [0, 1]; None where it was not asked.
    """

    kind: PairKind
    first: PlaceRef
    first_image_id: str
    second: PlaceRef
    second_image_id: str
    similarity: float
    local_score: float | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one place, most useful first.

    Attributes:
        reasons: ``no_usable_photo``, ``one_view``, ``confusable``, ``faulty_photo``; most urgent first.
        en: in English.
        zh: in Chinese.
    """

    place: PlaceRef
    reasons: tuple[str, ...]
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A check of one collection; its hidden places are not counted.

    Attributes:
        generation: of the gallery when the check began; a later one may look different.
        computed_at: UTC, ISO 8601.
        took_s: seconds.
        is_complete: everything was looked at; False when the time budget ran out first.
        photos_measured: photos whose quality is known.
        photos_compared: photos whose embeddings were compared with all others.
        pairs_tested: pairs of places put to the local test.
        pairs_verified: pairs of places put to the verifier.
        faulty_photos: to be taken again.
        pairs: places that may be confused, by kind and then by how much.
        one_view: places that one photo shows.
        unnamed: places whose name is their id, or a camera's file name.
        undescribed: places without a description.
        advice: what to photograph next.
    """

    collection: str
    generation: int
    computed_at: str
    took_s: float
    is_complete: bool
    images: int
    places: int
    photos_measured: int
    photos_compared: int
    pairs_tested: int
    pairs_verified: int
    faulty_photos: Listing[PhotoFinding]
    pairs: Listing[PairFinding]
    one_view: Listing[PlaceRef]
    unnamed: Listing[PlaceRef]
    undescribed: Listing[PlaceRef]
    advice: Listing[Advice]
