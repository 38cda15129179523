"""The threshold of an answer, and what a score means: as shipped, as configured, or as calibrated."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, Protocol

from core.calibration.calibration import SHIPPED_THRESHOLD, Calibration, Models
from core.calibration.questions import QuestionThreshold
from core.calibration.reliability import probability
from core.errors import InvalidRequest

PLACES_CONSIDERED = 5
"""A calibration compares this many places with every photo; a match compares at least as many."""
# A collection whose number of places has changed by more than this factor counts as another one.
_MOST_CHANGE = 2.0


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The threshold of an answer, and where it comes from.

    Attributes:
        threshold: log-odds; a score above it is answered; of several photos, see ``alone``.
        calibration: what the threshold comes from, and what turns scores into confidence; None: the shipped rule.
        stale_because: why the collection's calibration promises nothing here, for people; None where it does, or where
            there is none. Where scores mean what they meant, its threshold still decides.
        promised: the calibration's target holds for this query; False without a calibration.
        maybe_threshold: see ``QuestionThreshold``; None where the calibration promises nothing of it for this query.
    """

    threshold: float = SHIPPED_THRESHOLD
    calibration: Calibration | None = None
    stale_because: str | None = None
    promised: bool = False
    maybe_threshold: float | None = None

    @property
    def alone(self) -> bool:
        """Whether one of several photos must be above the threshold by itself, as a calibration's promise requires.

        Without a calibration nothing is promised, and the photos decide together.
        """
        return self.calibration is not None

    @property
    def state(self) -> Literal["none", "valid", "stale"]:
        """Whether a calibration holds."""
        if self.stale_because is not None:
            return "stale"
        return "none" if self.calibration is None else "valid"

    def confidence(self, score: float) -> float:
        """Probability that a first place with this score is right, [0, 1]."""
        return probability(score) if self.calibration is None else self.calibration.confidence(score)


SHIPPED = Acceptance()
"""What holds where nobody says anything else."""
_SHIPPED_CONFIDENCE = probability(SHIPPED_THRESHOLD)


@dataclass(frozen=True, slots=True)
class QueryConditions:
    """The conditions of a query that a calibration depends on.

    Attributes:
        models: in use; ``prompt_style`` as ``Verifier.style`` gives it.
        places: how many of the collection answers can name; None leaves that unchecked.
        considered: how many of them the photo is compared with.
        photos: how many different photos are asked about together.
    """

    models: Models
    places: int | None = None
    considered: int = PLACES_CONSIDERED
    photos: int = 1


def at_confidence(confidence: float) -> Acceptance:
    """Answer from this confidence on, [0, 1], as the shipped rule states it.

    Raises:
        InvalidRequest: it is no number.
    """
    if math.isnan(confidence):
        raise InvalidRequest("the confidence from which to answer is nan; accepted: a number in [0, 1]")
    if confidence <= 0:
        return Acceptance(-math.inf)
    if confidence >= 1:
        return Acceptance(math.inf)
    # A score above the threshold is answered; the threshold is just below, so that this confidence is answered too.
    return Acceptance(math.nextafter(math.log(confidence / (1 - confidence)), -math.inf))


def of_style(threshold: float | None) -> Acceptance:
    """What a prompt style asks for: see ``core.verifiers.base.ReadsPrompts``."""
    return SHIPPED if threshold is None or threshold == _SHIPPED_CONFIDENCE else at_confidence(threshold)


class CalibratedCollections(Protocol):
    """Collections with calibrations, such as a gallery."""

    def calibration(self, collection: str) -> str | None:
        """Return the calibration on record, as text."""
        ...

    def count_places(self, collection: str) -> int:
        """Return the number of places in a collection that answers can name."""
        ...


def find_acceptance(
    gallery: CalibratedCollections,
    collection: str,
    models: Models,
    *,
    considered: int,
    photos: int = 1,
    default: Acceptance = SHIPPED,
) -> Acceptance:
    """Return the acceptance of a query of a collection; without a calibration, its places are not counted.

    Args:
        gallery: the gallery.
        collection: that is searched.
        models: see ``QueryConditions``, also for the next two.
        considered: places.
        photos: different ones in one query.
        default: used without a calibration for these models.
    """
    stored = gallery.calibration(collection)
    places = None if stored is None else gallery.count_places(collection)
    return choose_acceptance(stored, QueryConditions(models, places, considered, photos), default)


def choose_acceptance(stored: str | None, conditions: QueryConditions, default: Acceptance = SHIPPED) -> Acceptance:
    """Return the acceptance of a query.

    Args:
        stored: the collection's calibration as text, or None.
        conditions: of the query.
        default: used without a calibration for these models.
    """
    if stored is None:
        return default
    try:
        calibration, question = _read(stored), _threshold_for(stored, conditions.photos)
    except InvalidRequest as error:
        return replace(default, stale_because=str(error))
    changed = calibration.models.difference(conditions.models)
    if changed is not None:
        return replace(default, stale_because=f"another {changed}")
    other = _difference(calibration, conditions)
    stale_because = other or _too_few_samples(calibration, question)
    return Acceptance(
        threshold=question.threshold,
        calibration=calibration,
        stale_because=stale_because,
        promised=question.promised and stale_because is None,
        maybe_threshold=question.maybe_threshold if other is None else None,
    )


def _difference(calibration: Calibration, conditions: QueryConditions) -> str | None:
    """Return why the calibration promises nothing for these conditions; None if it does."""
    if conditions.places and calibration.places:
        change = conditions.places / calibration.places
        if not 1 / _MOST_CHANGE <= change <= _MOST_CHANGE:
            return f"the collection had {calibration.places} places and has {conditions.places}"
    if conditions.considered > PLACES_CONSIDERED:
        return f"{conditions.considered} places are considered, not {PLACES_CONSIDERED}"
    return None


def _too_few_samples(calibration: Calibration, question: QuestionThreshold) -> str | None:
    """Return why the calibration promises nothing for so many photos, though for one; None if it does."""
    if question.photos > 1 and not question.promised:
        return (
            f"{question.photos} photos are asked about together; to promise {calibration.target:.1%} of such "
            f"questions, {question.needed_unknown} photos of nothing in the collection are needed"
        )
    return None


@lru_cache(maxsize=64)
def _read(text: str) -> Calibration:
    return Calibration.from_json(text)


@lru_cache(maxsize=64)
def _threshold_for(text: str, photos: int) -> QuestionThreshold:
    return _read(text).threshold_for(photos)
