"""Scored queries for a calibration: photos with labels, and the collection's own photos with their places left out."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from core.building.labels import LabelledPhoto, true_places
from core.calibration.calibration import Models
from core.calibration.samples import NOTHING_FOUND, Origin, Sample
from core.decision.acceptance import Acceptance
from core.decision.rule import models_in_use
from core.errors import InvalidImage
from core.evaluation.simulated_photo import simulate_visitor_photo
from core.gallery import Gallery
from core.gallery.photos.port import LostPhoto
from core.imaging.decoding import read_photo
from core.m1_retrieval import M1GlobalRetrieval
from core.matching import Match, match_photo
from core.results import GalleryImage
from core.retrieval.exclusion import Exclusion
from core.verifiers.base import Verifier

Ask = Callable[[bytes, Exclusion | None], Match]
"""Answers a photo as a visitor's would be, passing over what is left out."""


@dataclass(frozen=True, slots=True)
class Question:
    """One way to ask about a photo.

    Attributes:
        truth: id of the place it shows, if the collection holds it.
        exclusion: passed over; the truth itself makes the photo one of nothing in the collection.
        origin: of the sample.
    """

    truth: str | None
    exclusion: Exclusion | None
    origin: Origin

    def sample(self, score: float | None, first: str | None) -> Sample:
        """Compare an answer with the truth.

        Args:
            score: log-odds of the first place; None where nothing was found.
            first: id of that place.
        """
        known = self.truth is not None and (self.exclusion is None or self.exclusion.place_id != self.truth)
        return Sample(NOTHING_FOUND if score is None else score, known, known and first == self.truth, self.origin)


@dataclass(frozen=True, slots=True)
class QueryPhoto:
    """A photo to ask about.

    Attributes:
        read: gives its bytes; raises one of ``UNREADABLE`` where it is damaged, or was deleted since.
        questions: to ask, each with the same bytes.
    """

    read: Callable[[], bytes]
    questions: tuple[Question, ...]


UNREADABLE = (InvalidImage, LostPhoto)
"""What a photo is left out for."""


def asking(
    retrieval: M1GlobalRetrieval,
    verifier: Verifier,
    collection: str,
    *,
    top_k: int = 5,
    prompt_style: str | None = None,
) -> tuple[Ask, Models]:
    """How photos are asked about, and the models whose scores that gives."""

    def ask(data: bytes, exclusion: Exclusion | None) -> Match:
        return match_photo(
            data,
            retrieval,
            verifier,
            top_k=top_k,
            collection=collection,
            prompt_style=prompt_style,
            acceptance=Acceptance(),
            exclusion=exclusion,
        )

    return ask, models_in_use(str(retrieval.gallery.fingerprint), verifier.fingerprint, verifier.style(prompt_style))


def labelled_photos(photos: Sequence[LabelledPhoto], places: set[str]) -> Iterator[QueryPhoto]:
    """Photos with labels: as they are, and those of a known place again with that place left out.

    Args:
        photos: unlabelled ones are passed over.
        places: ids of the collection's places that are not hidden; a photo of another place is one of nothing in the
            collection.
    """
    truths = true_places(photos, places)
    for photo in photos:
        if not photo.labelled:
            continue
        truth = truths.get(photo.path)
        questions = [Question(truth, None, "labelled")]
        if truth is not None:
            questions.append(Question(truth, Exclusion(place_id=truth), "left out"))
        yield QueryPhoto(partial(read_photo, photo.path), tuple(questions))


def gallery_photos(gallery: Gallery, collection: str, limit: int, *, seed: int = 0) -> list[QueryPhoto]:
    """The collection's own photos, made to look as a visitor would have taken them, and photos of strangers.

    Each is asked about with its place left out, as a photo of nothing in the collection; and with itself left out where
    another photo shows the same place, or else as it is, as a photo of a known place. Half as many photos of other
    collections of the gallery, where there are any, are asked about as what they are: photos of nothing in this one.
    Those are chosen by chance from all images of all other collections, without those that this one holds as well.
    Hidden places of this collection are left out.

    Args:
        gallery: holds the collection.
        collection: whose photos to take.
        limit: at most so many photos, chosen by chance.
        seed: of that chance, and of the looks; the same gallery and seed give the same questions.
    """
    chance = random.Random(seed)

    def simulated(image: GalleryImage, *questions: Question) -> QueryPhoto:
        return QueryPhoto(partial(_read_simulated, gallery, image, chance.randrange(2**31)), questions)

    photos = []
    shown = (image for image in gallery.all_images(collection) if not image.place.is_hidden)
    for image in _choose(shown, limit, chance):
        place = image.place.place_id
        has_sibling = gallery.list_images(collection, place, limit=1).total > 1
        itself = Exclusion(image_id=image.image_id) if has_sibling else None
        left_out = Question(place, Exclusion(place_id=place), "left out")
        photos.append(simulated(image, left_out, Question(place, itself, "simulated")))
    others = (other.name for other in gallery.collections() if other.name != collection)
    elsewhere = _choose(chain.from_iterable(gallery.all_images(name) for name in others), limit, chance)
    strangers = [image for image in elsewhere if gallery.find_by_content(collection, image.content_hash) is None]
    photos += [simulated(image, Question(None, None, "other collection")) for image in strangers[: limit // 2]]
    return photos


def take(photo: QueryPhoto, ask: Ask) -> list[Sample]:
    """Ask all questions about a photo, and compare with the truth; nothing where the photo cannot be read."""
    try:
        data = photo.read()
        matches = [ask(data, question.exclusion) for question in photo.questions]
    except UNREADABLE:
        return []
    return [
        question.sample(match.decision.score, match.ranked[0].image.place.place_id if match.ranked else None)
        for question, match in zip(photo.questions, matches, strict=True)
    ]


def _choose(images: Iterable[GalleryImage], count: int, chance: random.Random) -> list[GalleryImage]:
    """As many of the images by chance, in random order, without holding the others: Vitter's algorithm R (1985)."""
    chosen: list[GalleryImage] = []
    for seen, image in enumerate(images):
        if seen < count:
            chosen.append(image)
        elif (position := chance.randrange(seen + 1)) < count:
            chosen[position] = image
    chance.shuffle(chosen)
    return chosen


def _read_simulated(gallery: Gallery, image: GalleryImage, seed: int) -> bytes:
    return simulate_visitor_photo(read_photo(gallery.fetch_original(image)), seed)
