"""From when on an answer is given, and what a score means: as shipped, as the operator says, or as calibrated."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

from core.calibration.calibration import SHIPPED_THRESHOLD, Calibration, Models
from core.calibration.reliability import probability
from core.errors import InvalidRequest

PLACES_CONSIDERED = 5
"""So many places are compared with each photo of a calibration, and at least so many with a visitor's."""
# A collection that has grown or shrunk by more than this factor is another one.
_MOST_CHANGE = 2.0


@dataclass(frozen=True, slots=True)
class Acceptance:
    """When to answer.

    Attributes:
        threshold: log-odds; a score above it is answered.
        calibration: what the threshold comes from, and what turns scores into confidence; None: the shipped rule.
        stale_because: why the collection's calibration promises nothing here, for people; None where it does, or where
            there is none. Where scores mean what they meant, its threshold still decides.
    """

    threshold: float = SHIPPED_THRESHOLD
    calibration: Calibration | None = None
    stale_because: str | None = None

    @property
    def state(self) -> Literal["none", "valid", "stale"]:
        """Whether a calibration holds."""
        if self.stale_because is not None:
            return "stale"
        return "none" if self.calibration is None else "valid"

    def confidence(self, score: float) -> float:
        """Probability that a first place with this score is right, [0, 1]."""
        return probability(score) if self.calibration is None else self.calibration.confidence(score)


@dataclass(frozen=True, slots=True)
class QueryConditions:
    """How a photo is asked about, as far as calibrations depend on it.

    Attributes:
        models: in use; ``prompt_style`` as ``Verifier.style`` gives it.
        places: how many the collection has; None leaves that unchecked.
        considered: how many of them the photo is compared with.
        photos: how many photos are asked about together.
    """

    models: Models
    places: int | None = None
    considered: int = PLACES_CONSIDERED
    photos: int = 1


def at_confidence(confidence: float) -> Acceptance:
    """Answer from this confidence on, [0, 1], as the shipped rule states it."""
    if confidence <= 0:
        return Acceptance(-math.inf)
    if confidence >= 1:
        return Acceptance(math.inf)
    # A score at the threshold is to be answered, and only what is above is.
    return Acceptance(math.nextafter(math.log(confidence / (1 - confidence)), -math.inf))


class CalibratedCollections(Protocol):
    """What is kept of collections, as far as answers depend on it."""

    def calibration(self, collection: str) -> str | None:
        """The calibration on record, as text."""
        ...

    def count_places(self, collection: str) -> int:
        """How many places a collection has."""
        ...


def find_acceptance(
    gallery: CalibratedCollections,
    collection: str,
    models: Models,
    *,
    considered: int,
    photos: int = 1,
) -> Acceptance:
    """What holds for a query of a collection; where nothing was calibrated, nothing is counted.

    Args:
        gallery: the gallery.
        collection: asked about.
        models: see ``QueryConditions``, as are the next two.
        considered: places.
        photos: asked about together.
    """
    stored = gallery.calibration(collection)
    places = None if stored is None else gallery.count_places(collection)
    return choose_acceptance(stored, QueryConditions(models, places, considered, photos))


def choose_acceptance(stored: str | None, conditions: QueryConditions) -> Acceptance:
    """What holds for a query.

    Args:
        stored: the collection's calibration as text, or None.
        conditions: how the photo is asked about.
    """
    if stored is None:
        return Acceptance()
    try:
        calibration = _read(stored)
    except InvalidRequest as error:
        return Acceptance(stale_because=str(error))
    changed = calibration.models.difference(conditions.models)
    if changed is not None:
        return Acceptance(stale_because=f"another {changed}")
    return Acceptance(calibration.threshold, calibration, _difference(calibration, conditions))


def _difference(calibration: Calibration, conditions: QueryConditions) -> str | None:
    """Why scores that mean what they meant are no longer of the photos that were promised for."""
    if conditions.places and calibration.places:
        change = conditions.places / calibration.places
        if not 1 / _MOST_CHANGE <= change <= _MOST_CHANGE:
            return f"the collection had {calibration.places} places and has {conditions.places}"
    if conditions.considered > PLACES_CONSIDERED:
        return f"{conditions.considered} places are considered, not {PLACES_CONSIDERED}"
    if conditions.photos > 1:
        return f"{conditions.photos} photos are asked about together, not one"
    return None


@lru_cache(maxsize=64)
def _read(text: str) -> Calibration:
    return Calibration.from_json(text)
