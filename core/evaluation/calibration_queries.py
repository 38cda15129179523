"""Scored queries for a calibration: photos with labels, and the collection's own photos with their places left out."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from core.building.labels import LabelledPhoto
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
class Task:
    """One query to ask.

    Attributes:
        read: gives the photo's bytes.
        truth: id of the place it shows, if the collection holds it.
        exclusion: passed over; the truth itself makes the photo one of nothing in the collection.
        origin: of the sample.
    """

    read: Callable[[], bytes]
    truth: str | None
    exclusion: Exclusion | None
    origin: Origin


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


def labelled_tasks(photos: Sequence[LabelledPhoto], places: set[str]) -> Iterator[Task]:
    """Photos with labels: as they are, and those of a known place again with that place left out.

    Args:
        photos: unlabelled ones are passed over.
        places: ids of the collection's places; a photo of another place is one of nothing in the collection.
    """
    for photo in photos:
        if not photo.labelled:
            continue
        truth = photo.place.place_id if photo.place is not None and photo.place.place_id in places else None
        read = partial(read_photo, photo.path)
        yield Task(read, truth, None, "labelled")
        if truth is not None:
            yield Task(read, truth, Exclusion(place_id=truth), "left out")


def gallery_tasks(gallery: Gallery, collection: str, limit: int, *, seed: int = 0) -> Iterator[Task]:
    """The collection's own photos, made to look as a visitor would have taken them.

    Each is asked about with its place left out, as a photo of nothing in the collection; and with itself left out where
    another photo shows the same place, or else as it is, as a photo of a known place. Half as many photos of other
    collections of the gallery, where there are any, are asked about as what they are: photos of nothing in this one.

    Args:
        gallery: holds the collection.
        collection: whose photos to take.
        limit: at most so many photos, chosen by chance.
        seed: of that chance, and of the looks.
    """
    images = list(gallery.all_images(collection))
    chance = random.Random(seed)
    views = [image.place.place_id for image in images]
    for image in chance.sample(images, min(limit, len(images))):
        place = image.place.place_id
        read = partial(_read_rephotographed, gallery, image, chance.randrange(2**31))
        yield Task(read, place, Exclusion(place_id=place), "left out")
        yield Task(read, place, Exclusion(image_id=image.image_id) if views.count(place) > 1 else None, "simulated")
    others = [each.name for each in gallery.collections() if each.name != collection]
    own = {image.content_hash for image in images}
    strangers = [image for other in others for image in gallery.all_images(other) if image.content_hash not in own]
    for image in chance.sample(strangers, min(limit // 2, len(strangers))):
        read = partial(_read_rephotographed, gallery, image, chance.randrange(2**31))
        yield Task(read, None, None, "other collection")


def take(task: Task, ask: Ask) -> Sample | None:
    """Ask, and compare with the truth; None where the photo cannot be read."""
    try:
        match = ask(task.read(), task.exclusion)
    except (InvalidImage, LostPhoto):
        return None
    known = task.truth is not None and (task.exclusion is None or task.exclusion.place_id != task.truth)
    first = match.ranked[0].image.place.place_id if match.ranked else None
    score = NOTHING_FOUND if match.decision.score is None else match.decision.score
    return Sample(score, known, known and first == task.truth, task.origin)


def _read_rephotographed(gallery: Gallery, image: GalleryImage, seed: int) -> bytes:
    return simulate_visitor_photo(read_photo(gallery.fetch_original(image)), seed)
