"""The values that flow between the stages: small, frozen, free of behaviour.

Shape letters: N images, D embedding size, K candidates, P keypoints, M correspondences.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import InvalidNumbers


def require_numbers(vectors: NDArray[np.float32]) -> None:
    """Let pass what a model computed where it is numbers.

    Raises:
        InvalidNumbers: there is NaN or infinity among it.
    """
    if not np.isfinite(vectors).all():
        raise InvalidNumbers(
            "the encoder computed vectors that are no numbers (NaN or infinity): its weights are damaged, or overflow "
            "in this dtype; fetch them again, or choose the dtype float32"
        )


@dataclass(frozen=True, slots=True, eq=False)
class FeatureView:
    """Keypoints of one photo seen at one scale and one rotation, and their descriptors, strongest first.

    Attributes:
        keypoints: float32 [P, 2], (x, y) in [0, 1], fractions of the turned photo's width and height.
        descriptors: float16 [P, d], each row of L2 norm 1.
        scores: float32 [P], detection strength, descending.
        size: (width, height) in pixels of the turned and resized photo on which they were detected.
        rotation: degrees by which the upright photo was turned counter-clockwise before detection: 0, 90, 180, 270.
        mirrored: whether the upright photo was mirrored left to right before it was turned.
    """

    keypoints: NDArray[np.float32]
    descriptors: NDArray[np.float16]
    scores: NDArray[np.float32]
    size: tuple[int, int]
    rotation: int = 0
    mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """All that is known locally of one photo: one or more views of it.

    Attributes:
        views: the photo at several scales, those of queries at several rotations too, and parts of it; the first is the
            whole, large and upright.
        extractor: what made them; features of different extractors are never matched.
    """

    views: tuple[FeatureView, ...]
    extractor: str

    @property
    def byte_size(self) -> int:
        """Memory held by the arrays, in bytes."""
        return sum(view.keypoints.nbytes + view.descriptors.nbytes + view.scores.nbytes for view in self.views)


@dataclass(frozen=True, slots=True, eq=False)
class Encodings:
    """An encoder's output for N photos; vectors with NaN or infinity are refused.

    Attributes:
        embeddings: float32 [N, D], each row of L2 norm 1, row i for photo i.
        local_features: N entries; ``None`` where the encoder computes none.
    """

    embeddings: NDArray[np.float32]
    local_features: tuple[LocalFeatures | None, ...]

    def __post_init__(self) -> None:
        require_numbers(self.embeddings)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One more look at a query photo, after an earlier one found nothing clear.

    Attributes:
        local_features: the further views, in the frame of the whole upright photo.
        embedding: float32 [D], L2 norm 1, of the part of the photo looked at; None where the look gave none.
    """

    local_features: LocalFeatures
    embedding: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.embedding is not None:
            require_numbers(self.embedding)


@dataclass(frozen=True, slots=True)
class EncoderFingerprint:
    """Identifies an embedding space. Vectors of two different fingerprints are never compared.

    Attributes:
        name: the backend's registered name, e.g. ``embedded``.
        weights: which weights, e.g. a model id with a hash of its files.
        preprocessing: size, aspect policy, pooling: whatever changes the vector.
        dim: D.
        earlier_weights: how earlier versions recorded the same weights, or None; no part of the identity.
    """

    name: str
    weights: str
    preprocessing: str
    dim: int
    earlier_weights: str | None = field(default=None, compare=False)

    def is_recorded_as(self, recorded: "EncoderFingerprint") -> bool:
        """Whether a gallery with this record was made in the same embedding space, by this version or an earlier."""
        return recorded in (self, replace(self, weights=self.earlier_weights or self.weights))

    def __str__(self) -> str:
        return f"{self.name} ({self.weights}; {self.preprocessing}; {self.dim}-d)"


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound recording, stored beside the photos.

    Attributes:
        content_hash: sha256 of its bytes, hex.
        media_type: of its bytes, e.g. ``audio/mpeg``.
        byte_size: of it.
    """

    content_hash: str
    media_type: str
    byte_size: int


@dataclass(frozen=True, slots=True)
class PlaceText:
    """What is said of a place in one language; without a name or a description, the collection's own language has it.

    Attributes:
        name: one line.
        description: Markdown.
        is_machine_translated: whether the name or the description is.
        transcript: of the recording, Markdown.
        recording: what visitors can listen to, or None.
    """

    name: str = ""
    description: str = ""
    is_machine_translated: bool = False
    transcript: str = ""
    recording: Recording | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The physical spot or exhibit that images show. Two images match when they show the same place.

    Attributes:
        place_id: unique in its collection.
        name: in the collection's own language.
        description: Markdown, in the collection's own language.
        metadata: facts, a JSON object.
        latitude: degrees [-90, 90].
        longitude: degrees [-180, 180].
        texts: in further languages, by tag (BCP 47); a recording in the collection's own language is here too.
        is_hidden: whether it is left out of every answer; its photos and texts stay.
    """

    place_id: str
    name: str
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    latitude: float | None = None
    longitude: float | None = None
    texts: Mapping[str, PlaceText] = field(default_factory=dict)
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class GalleryImage:
    """One reference image of a gallery.

    Attributes:
        image_id: generated, unique in the whole gallery.
        collection: which museum or park it belongs to.
        place: the place it shows.
        filename: the name it was given by its owner; shown, never used as a path.
        content_hash: sha256 of the original bytes, hex.
        media_type: of the original bytes, e.g. ``image/jpeg``.
        width: of the upright original, pixels.
        height: of the upright original, pixels.
        byte_size: of the original.
        added_at: UTC, ISO 8601.
        path: the stored original.
    """

    image_id: str
    collection: str
    place: Place
    filename: str
    content_hash: str
    media_type: str
    width: int
    height: int
    byte_size: int
    added_at: str
    path: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A gallery image returned for a query, not yet verified.

    Attributes:
        image: the gallery image.
        similarity: cosine of the two embeddings, [-1, 1].
        rank: 1 for the first.
        local_score: evidence of the cheap local test that ordered the shortlist, >= 0; None where it did not run.
    """

    image: GalleryImage
    similarity: float
    rank: int
    local_score: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The README's form: ``path``, ``id``, ``place_id``, ``place_name``, ``similarity``, ``rank``."""
        return {
            "path": self.image.path,
            "id": self.image.image_id,
            "place_id": self.image.place.place_id,
            "place_name": self.image.place.name,
            "similarity": self.similarity,
            "rank": self.rank,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One photo of a pair for a verifier: pixels on demand, and local features if they are known.

    Attributes:
        load: gives the upright RGB picture; called only by verifiers that look at pixels.
        content_hash: sha256 hex of the original bytes, the key of every cache; None disables caching.
        local_features: computed earlier, or None.
        stored_features: reads the features that an extractor, given by name, made of the photo for a verifier; None
            where there are none.
        shows: the id of the place that it shows; None if that is not known.
        load_reduced: see ``reduced``; None where nothing smaller than ``load`` is there.
        views: further photos of the same place, for verifiers that are shown several in one question; see
            ``core.verifiers.base.TakesSeveralViews``.
    """

    load: Callable[[], Image.Image]
    content_hash: str | None = None
    local_features: LocalFeatures | None = None
    stored_features: Callable[[str], LocalFeatures | None] = lambda _: None
    shows: str | None = None
    load_reduced: Callable[[int], Image.Image] | None = None
    views: tuple["Photo", ...] = ()

    def reduced(self, side: int) -> Image.Image:
        """Give the upright RGB picture with about ``side`` pixels along its longest side, or more, if it has them.

        Far cheaper than ``load``: a JPEG is reduced while it is decoded, and a gallery photo may have a preview.
        """
        return self.load() if self.load_reduced is None else self.load_reduced(side)


@dataclass(frozen=True, slots=True, eq=False)
class Correspondences:
    """The points on which two photos agree geometrically.

    Attributes:
        query_points: float32 [M, 2], (x, y) in [0, 1] of the upright query photo.
        candidate_points: float32 [M, 2], (x, y) in [0, 1] of the upright candidate photo.
        rotation: degrees by which the query had to be turned counter-clockwise to agree: 0, 90, 180 or 270.
    """

    query_points: NDArray[np.float32]
    candidate_points: NDArray[np.float32]
    rotation: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """A verifier's answer for one pair.

    Attributes:
        is_match: both photos show the same place.
        confidence: that they do, [0, 1]; ``is_match`` is ``confidence >= the backend's threshold``.
        response: the backend's own words or numbers.
        correspondences: the points behind the answer, for backends that have them.
        reasons: what a model wrote about the pair before or after its answer; also part of ``response``.
        stage: which stage of the verifier gave the answer, by name; empty where it has but one.
    """

    is_match: bool
    confidence: float
    response: str
    correspondences: Correspondences | None = None
    reasons: str = ""
    stage: str = ""
