"""The threshold and confidence of one collection: fitted to samples for a target, with its error bounds."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from core.calibration.bounds import Interval, conformal_threshold, exact_interval, least_count, tail_threshold
from core.calibration.questions import QuestionThreshold
from core.calibration.reliability import Reliability, fit_scaling, probability, reliability
from core.calibration.samples import NOTHING_FOUND, ORIGINS, Origin, Sample
from core.errors import InvalidRequest

LEAST_UNKNOWN = 8
"""Fewer unknown photos say nothing about a threshold."""
SHIPPED_THRESHOLD = 0.0
"""Score above which an uncalibrated collection answers."""
MAYBE_TARGET = 0.2
"""Share of questions about nothing in the collection that may get an answer or a place to compare with."""
MOST_PHOTOS = 5
"""A calibration is described for questions of one to so many photos."""
LEAST_PLACES = 10
"""Left out one by one, the places of a smaller collection meet too few others to stand for what visitors send."""
# Share of a visitor's photos taken to show nothing of the collection, where the samples' own mixture is artificial.
_UNKNOWN_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Models:
    """What a calibration holds for. If any of these changes, scores mean something else.

    Attributes:
        encoder: fingerprint.
        verifier: fingerprint.
        prompt_style: asked in; None where the verifier's own default is used.
        rule: digest of the rule that joins the signals to a score; see ``core.decision.rule.models_in_use``.
    """

    encoder: str
    verifier: str
    prompt_style: str | None = None
    rule: str = ""

    def difference(self, other: "Models") -> str | None:
        """Names what differs, for people; None if nothing does."""
        changed = [
            name.replace("_", " ")
            for name in ("encoder", "verifier", "prompt_style", "rule")
            if getattr(self, name) != getattr(other, name)
        ]
        return " and ".join(changed) or None


@dataclass(frozen=True, slots=True)
class Calibration:
    """When a collection's answers are given, and what their scores mean.

    Attributes:
        models: that scored the samples.
        target: share of photos of nothing in the collection that may be answered, (0, 1).
        threshold: log-odds; a single photo is answered when the score of its first place is above; for several photos
            see ``threshold_for``.
        promised: the samples suffice to keep the target on photos like them; else ``threshold`` is an estimate.
        slope: of the calibrated log-odds over the score.
        offset: likewise.
        made_at: UTC, ISO 8601.
        samples: what it was fitted to.
        places: number of places of the collection; 0 if it is not known.
    """

    models: Models
    target: float
    threshold: float
    promised: bool
    slope: float
    offset: float
    made_at: str
    samples: tuple[Sample, ...]
    places: int = 0

    def __post_init__(self) -> None:
        for name in ("threshold", "slope", "offset"):
            if math.isnan(getattr(self, name)):
                raise InvalidRequest(f"the calibration's {name} is no number; make it anew")

    def confidence(self, score: float) -> float:
        """Probability that the first place is right, [0, 1], from its score."""
        return probability(self.slope * score + self.offset)

    def accepts(self, score: float) -> bool:
        """Whether a photo whose first place has this score is answered."""
        return score > self.threshold

    def threshold_for(self, photos: int) -> QuestionThreshold:
        """Return the threshold of a question of so many different photos, drawn from the same samples.

        See ``choose_threshold``; never below the stored threshold.

        Raises:
            InvalidRequest: the samples have too few unknown photos.
        """
        if photos == 1:
            threshold, promised = self.threshold, self.promised
        else:
            threshold, promised = choose_threshold(self.samples, self.target, self.places, photos)
            threshold = max(threshold, self.threshold)
        needed = least_count(self.target / photos)
        return QuestionThreshold(photos, threshold, promised, needed, self._maybe_threshold(photos, threshold))

    def _maybe_threshold(self, photos: int, below: float) -> float | None:
        try:
            threshold, promised = choose_threshold(self.samples, MAYBE_TARGET, self.places, photos)
        except InvalidRequest:  # too few unknown photos
            return None
        return threshold if promised and threshold < below else None

    def with_target(self, target: float) -> "Calibration":
        """The same samples under another target."""
        return calibrate(self.samples, target, self.models, places=self.places)

    def to_json(self) -> str:
        """As text for the gallery's database."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            InvalidRequest: the text is something else, or of another version of this program.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            models, samples = (
                Models(**values.pop("models")),
                tuple(Sample(**sample) for sample in values.pop("samples")),
            )
            return cls(models=models, samples=samples, **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidRequest("the stored calibration cannot be read; calibrate again") from error


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What a calibration promises, on its own samples.

    Attributes:
        false_answers: share of those unknown photos above the threshold, with its exact interval.
        answered: share of photos of the collection's places above it.
        right: share of them answered with the right place.
        wrong_place: share of them answered with another place.
        unknown_by_origin: how many unknown photos the threshold was drawn from, by where they came from.
        known_by_origin: the same for all photos of the collection's places.
        simulated: some photos are the collection's own, changed as if taken again. They are easier than real ones, so
            ``answered`` and ``right`` are optimistic.
        questions: thresholds of questions of one to ``MOST_PHOTOS`` photos.
        reliability: of the calibrated confidence.
    """

    false_answers: Interval
    answered: Interval
    right: Interval
    wrong_place: Interval
    unknown_by_origin: Mapping[Origin, int]
    known_by_origin: Mapping[Origin, int]
    simulated: bool
    questions: tuple[QuestionThreshold, ...]
    reliability: Reliability


def calibrate(samples: Sequence[Sample], target: float, models: Models, *, places: int = 0) -> Calibration:
    """Fit the accept rule.

    Args:
        samples: scored by ``models``; at least ``LEAST_UNKNOWN`` of photos whose place is not in the collection.
        target: share of such photos that may be answered, e.g. 0.02.
        models: see ``Calibration``.
        places: how many the collection has; 0 if unknown. A handful left out one by one proves nothing.

    Raises:
        InvalidRequest: a target outside [0.0001, 0.5], or too few unknown photos.
    """
    threshold, promised = choose_threshold(samples, target, places)
    slope, offset = fit_scaling(*_scaling_samples(samples))
    return Calibration(
        models=models,
        target=target,
        threshold=threshold,
        promised=promised,
        slope=slope,
        offset=offset,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        samples=tuple(samples),
        places=places,
    )


def choose_threshold(samples: Sequence[Sample], target: float, places: int = 0, photos: int = 1) -> tuple[float, bool]:
    """The score above which to answer, and whether the samples suffice for the promise.

    A question of several photos is answered only if one of them *alone* has a score above the threshold for the target
    divided by their number. An unknown photo that is exchangeable with those of the samples has such a score with a
    probability of at most target / photos (``conformal_threshold``), so any of them has one with at most the target
    (Boole's inequality; the correction of Bonferroni). This holds however alike the photos of a question are, and needs
    no sample of several photos. The threshold is never below that of a question of fewer photos.

    Args:
        samples: see ``calibrate``, also for the next two.
        target: share of questions about nothing in the collection that may be answered.
        places: of the collection.
        photos: number of different photos in a question, >= 1.

    Raises:
        InvalidRequest: see ``calibrate``.
    """
    check_target(target)
    chosen = [_threshold_of_photo(samples, target / count, places) for count in range(1, photos + 1)]
    return max(threshold for threshold, _ in chosen), chosen[-1][1]


def _threshold_of_photo(samples: Sequence[Sample], target: float, places: int) -> tuple[float, bool]:
    unknown = choose_unknown(samples, target)
    if len(unknown) < LEAST_UNKNOWN:
        raise InvalidRequest(
            f"{len(unknown)} photos of nothing in the collection; at least {LEAST_UNKNOWN} are needed, and "
            f"{least_count(target)} to promise {target:.1%}"
        )
    scores = [sample.score for sample in unknown]
    proven = conformal_threshold(scores, target)
    threshold = tail_threshold(scores, target) if proven is None else proven
    made = any(sample.origin != "labelled" for sample in unknown)
    if made or proven is None:
        # Without labels, a calibration must not answer more than an uncalibrated collection does.
        threshold = max(threshold, SHIPPED_THRESHOLD)
    feedback = [sample.score for sample in samples if not sample.known and sample.origin == "feedback"]
    told_wrong = [score for score in feedback if score > threshold]
    if told_wrong:
        # Answers reported as wrong raise the threshold. Confirmed refusals do not lower it:
        # they lie below it by construction, and anybody may send them.
        raised = conformal_threshold(scores + told_wrong, target)
        threshold = max(threshold, tail_threshold(scores + told_wrong, target) if raised is None else raised)
    return threshold, proven is not None and not (made and 0 < places < LEAST_PLACES)


def check_target(target: float) -> None:
    """Let pass only a share that makes sense.

    Raises:
        InvalidRequest: it is not from 0.0001 to 0.5.
    """
    if not 0.0001 <= target <= 0.5:
        raise InvalidRequest(f"target {target:g}; accepted: a share from 0.0001 to 0.5, such as 0.02")


def choose_unknown(samples: Sequence[Sample], target: float) -> list[Sample]:
    """The unknown photos that a threshold is drawn from.

    Photos with labels, where they suffice for the target. Otherwise those that were made unknown by leaving out their
    place as well, which meet one place fewer: what is left of a large collection often holds the same square or the
    same painter, so there they are the harder ones. Where nothing was left to find they say nothing. Photos of other
    collections of the same gallery go with them.
    """
    labelled = [sample for sample in samples if not sample.known and sample.origin == "labelled"]
    if len(labelled) >= max(least_count(target), LEAST_UNKNOWN):
        return labelled
    return labelled + [
        sample
        for sample in samples
        if not sample.known and sample.origin in ("left out", "other collection") and sample.score > NOTHING_FOUND
    ]


def describe(calibration: Calibration) -> CalibrationReport:
    """Count what the threshold does to the calibration's own samples."""
    known = [sample for sample in calibration.samples if sample.known]
    unknown = choose_unknown(calibration.samples, calibration.target)
    answered = [sample for sample in known if calibration.accepts(sample.score)]
    right = sum(sample.right for sample in answered)
    scores, right_places, weights = _scaling_samples(calibration.samples)
    return CalibrationReport(
        false_answers=exact_interval(sum(calibration.accepts(sample.score) for sample in unknown), len(unknown)),
        answered=exact_interval(len(answered), len(known)),
        right=exact_interval(right, len(known)),
        wrong_place=exact_interval(len(answered) - right, len(known)),
        unknown_by_origin=_by_origin(unknown),
        known_by_origin=_by_origin(known),
        simulated=any(sample.origin == "simulated" for sample in known),
        questions=tuple(calibration.threshold_for(photos) for photos in range(1, MOST_PHOTOS + 1)),
        reliability=reliability([calibration.confidence(score) for score in scores], right_places, weights=weights),
    )


def _by_origin(samples: Sequence[Sample]) -> dict[Origin, int]:
    origins = [sample.origin for sample in samples]
    return {origin: origins.count(origin) for origin in ORIGINS if origin in origins}


def _scaling_samples(samples: Sequence[Sample]) -> tuple[list[float], list[bool], list[float]]:
    """Scores, truths and weights such that unknown photos weigh as much as they are met, whatever the samples' mix."""
    known = sum(sample.known for sample in samples)
    unknown = len(samples) - known
    if not known or not unknown:
        weights = [1.0] * len(samples)
    else:
        of_known, of_unknown = (1 - _UNKNOWN_SHARE) / known, _UNKNOWN_SHARE / unknown
        weights = [len(samples) * (of_known if sample.known else of_unknown) for sample in samples]
    return [sample.score for sample in samples], [sample.right for sample in samples], weights
