"""The stored calibrations of collections: fitted to measurements and feedback, and stored with the gallery."""

import asyncio
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from clients.verifier import VerifierClient
from contracts.calibration import (
    MOST_SAMPLES,
    BinBody,
    CalibrationBody,
    CalibrationReply,
    CalibrationRequest,
    CurvePoint,
    IntervalBody,
    QuestionThresholdBody,
)
from contracts.feedback import verifier_asked
from core.calibration.bounds import Interval, exact_interval
from core.calibration.calibration import MAYBE_TARGET, Calibration, Models, calibrate, choose_threshold, describe
from core.calibration.samples import Sample
from core.decision.acceptance import QueryConditions, choose_acceptance
from core.decision.rule import models_in_use
from core.errors import InvalidRequest
from core.gallery import Gallery
from core.journal import StoredMatch
from services.retrieval.background.usage import Usage
from serving.workers import Workers

# 0.5 % to 20 %, by a constant factor.
_CURVE = tuple(round(0.005 * 40 ** (step / 24), 4) for step in range(25))
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Measurement:
    """The data to which a calibration is fitted.

    Attributes:
        samples: scored queries.
        verifier: fingerprint of the verifier that scored them.
        prompt_style: from ``Verifier.style``.
    """

    samples: list[Sample]
    verifier: str
    prompt_style: str | None


class Calibrations:
    """The stored calibrations. Belongs to one event loop."""

    def __init__(self, gallery: Gallery, usage: Usage, verifier: VerifierClient, workers: Workers) -> None:
        """Set the parts.

        Args:
            gallery: stores the calibrations.
            usage: has the feedback that is fitted too.
            verifier: tells which verifier is in use.
            workers: threads that read, fit and store.
        """
        self._gallery = gallery
        self._usage = usage
        self._verifier = verifier
        self._workers = workers
        self._one_change = asyncio.Lock()

    async def check(self, collection: str) -> None:
        """Check that the collection exists.

        Raises:
            EmptyGallery: the gallery holds no image.
            UnknownCollection: the collection holds no image.
        """
        await self._workers.run(self._gallery.check_collection, collection)

    async def read(self, collection: str) -> CalibrationReply:
        """Return the stored calibration, and whether it is valid for the models in use.

        Raises:
            EmptyGallery: the gallery holds no image.
            UnknownCollection: the collection holds no image.
        """
        version = await self._verifier.version()
        return await self._workers.run(self._read, collection, None if version is None else version.verifier)

    async def fit(self, collection: str, measured: Measurement, wanted: CalibrationRequest) -> None:
        """Fit a calibration to samples, and to feedback if wanted, and store it.

        Raises:
            UnknownCollection: the collection holds no image.
            InvalidRequest: there are too few photos of things outside the collection.
        """
        models = models_in_use(str(self._gallery.fingerprint), measured.verifier, measured.prompt_style)
        samples = list(measured.samples)
        if wanted.use_feedback:
            samples += await self._from_feedback(collection, models)
        async with self._one_change:
            places = await self._workers.run(self._gallery.count_places, collection)
            calibration = await self._workers.run(partial(calibrate, samples, wanted.target, models, places=places))
            await self._store(collection, calibration)

    async def change_target(self, collection: str, target: float) -> None:
        """Fit the stored calibration to another target, without new measurements.

        Raises:
            UnknownCollection: the collection holds no image.
            InvalidRequest: it was never calibrated.
        """
        async with self._one_change:
            stored = await self._workers.run(self._stored, collection)
            if stored is None:
                raise InvalidRequest(
                    f"collection {collection[:100]!r} was never calibrated; POST to the same address does that"
                )
            await self._store(collection, await self._workers.run(stored.with_target, target))

    async def remove(self, collection: str) -> None:
        """Delete the stored calibration; the default rule decides again.

        Raises:
            UnknownCollection: the collection holds no image.
        """
        async with self._one_change:
            await self._workers.run(self._gallery.store_calibration, collection, "", None)

    async def _store(self, collection: str, calibration: Calibration) -> None:
        text = await self._workers.run(calibration.to_json)
        await self._workers.run(self._gallery.store_calibration, collection, calibration.made_at, text)

    def _text(self, collection: str) -> str | None:
        self._gallery.check_collection(collection)
        return self._gallery.calibration(collection)

    def _stored(self, collection: str) -> Calibration | None:
        text = self._text(collection)
        return None if text is None else Calibration.from_json(text)

    def _read(self, collection: str, verifier: str | None) -> CalibrationReply:
        text = self._text(collection)
        if text is None:
            return CalibrationReply(collection=collection, state="none")
        try:
            calibration = Calibration.from_json(text)
        except InvalidRequest as unreadable:
            return CalibrationReply(collection=collection, state="stale", stale_because=str(unreadable))
        models = calibration.models
        models = models_in_use(str(self._gallery.fingerprint), verifier or models.verifier, models.prompt_style)
        asked = QueryConditions(models, self._gallery.count_places(collection))
        acceptance = choose_acceptance(text, asked)
        holds = acceptance.state == "valid"
        return CalibrationReply(
            collection=collection,
            state="unknown" if holds and verifier is None else acceptance.state,
            stale_because=acceptance.stale_because,
            calibration=calibration_body(calibration),
        )

    async def _from_feedback(self, collection: str, models: Models) -> list[Sample]:
        asked = verifier_asked(models.verifier, models.prompt_style)
        samples: list[Sample] = []
        cursor = None
        while len(samples) < MOST_SAMPLES:
            matches, cursor = await self._usage.page(collection, cursor, _PAGE, commented=True)
            samples += [
                sample
                for stored in matches
                if (stored.match.encoder, stored.match.verifier) == (models.encoder, asked)
                and (sample := feedback_sample(stored)) is not None
            ]
            if cursor is None:
                break
        return samples[:MOST_SAMPLES]


def feedback_sample(stored: StoredMatch) -> Sample | None:
    """Turn a match with feedback into a sample; None if it was not verified, or the feedback does not tell the truth.

    A ``wrong`` without a place does not tell what the photo shows.
    """
    match, feedback = stored.match, stored.feedback
    # Without the stored signals of the decision, the score would be another one.
    if feedback is None or match.verification != "done" or "signal bias" not in match.evidence:
        return None
    if feedback.verdict == "other_place":
        return Sample(match.score, True, feedback.place_id == match.place_id, "feedback")
    if feedback.verdict == "not_in_collection" or (feedback.verdict == "right" and not match.matched):
        return Sample(match.score, False, False, "feedback")
    return Sample(match.score, True, True, "feedback") if feedback.verdict == "right" else None


def calibration_body(calibration: Calibration) -> CalibrationBody:
    """Describe a calibration, its results on its own samples, and those of other targets."""
    report = describe(calibration)
    error = report.reliability.error
    return CalibrationBody(
        target=calibration.target,
        threshold=calibration.threshold,
        threshold_confidence=calibration.confidence(calibration.threshold),
        promised=calibration.promised,
        needed_unknown=report.questions[0].needed_unknown,
        unknown_by_origin=dict(report.unknown_by_origin),
        known_by_origin=dict(report.known_by_origin),
        simulated=report.simulated,
        maybe_target=MAYBE_TARGET,
        questions=[
            QuestionThresholdBody(
                photos=question.photos,
                threshold=question.threshold,
                promised=question.promised,
                needed_unknown=question.needed_unknown,
                maybe_threshold=question.maybe_threshold,
            )
            for question in report.questions
        ],
        false_answers=_interval(report.false_answers),
        answered=_interval(report.answered),
        right=_interval(report.right),
        wrong_place=_interval(report.wrong_place),
        reliability=[
            BinBody(confidence=tenth.confidence, right=tenth.right, count=tenth.count)
            for tenth in report.reliability.bins
        ],
        calibration_error=None if math.isnan(error) else error,
        curve=_curve(calibration),
        encoder=calibration.models.encoder,
        verifier=calibration.models.verifier,
        prompt_style=calibration.models.prompt_style,
        made_at=calibration.made_at,
    )


def _curve(calibration: Calibration) -> list[CurvePoint]:
    points = []
    for target in _CURVE:
        # With few labelled photos there may be no threshold for a strict target, but one for a lenient target.
        with suppress(InvalidRequest):
            points.append(_point(calibration, target))
    return points


def _point(calibration: Calibration, target: float) -> CurvePoint:
    """Compute the results of another target. The confidence does not depend on it and is not fitted again."""
    threshold, promised = choose_threshold(calibration.samples, target, calibration.places)
    known = [sample.score for sample in calibration.samples if sample.known]
    return CurvePoint(
        target=target,
        threshold=threshold,
        promised=promised,
        answered=_interval(exact_interval(sum(score > threshold for score in known), len(known))),
    )


def _interval(interval: Interval) -> IntervalBody:
    share = None if math.isnan(interval.share) else interval.share
    return IntervalBody(share=share, low=interval.low, high=interval.high, count=interval.count)
