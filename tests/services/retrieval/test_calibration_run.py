"""A calibration's measurement: the service's own search, a scripted verifier, and parts that are away for a while."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient

from clients.errors import ServiceError, ServiceRefused, VerifierUnavailable
from contracts.calibration import CalibrationRequest
from contracts.errors import ErrorBody, ErrorCode, ErrorDetail
from contracts.verification import DecisionBody, RankedVerdict, VerdictBody, VerifyReply, VerifyRequest
from core.calibration.samples import NOTHING_FOUND
from core.evaluation.calibration_queries import gallery_photos
from core.retrieval.exclusion import Exclusion
from services.retrieval.background.calibration_run import MOST_TRIES, CalibrationRun
from services.retrieval.background.calibrations import Measurement
from services.retrieval.service import RetrievalService

PLACES = ["a", "a", *"bcdefgh"]


def refusal(status: int, code: ErrorCode, retry_after: str | None = None) -> ServiceRefused:
    """A refusal as a service answers it."""
    body = ErrorBody(error=ErrorDetail(code=code, message="because", accepted=None, field=None))
    return ServiceRefused(status, body.model_dump_json().encode(), retry_after)


class ScriptedVerifierClient:
    """Believes in the first candidate; fails as often as it is to, and notes what it was asked."""

    def __init__(self, failures: list[ServiceError] | None = None, fingerprints: list[str] | None = None) -> None:
        self.requests: list[VerifyRequest] = []
        self.is_busy = False
        self._failures = failures or []
        self._fingerprints = fingerprints or []

    async def verify(self, photos: list[bytes], features: list[str | None], request: VerifyRequest) -> VerifyReply:
        if self.is_busy and request.in_background:
            raise refusal(503, ErrorCode.OVERLOADED)
        if self._failures:
            raise self._failures.pop()
        self.requests.append(request)
        verdict = VerdictBody(is_match=True, confidence=0.9, response="")
        return VerifyReply(
            ranking=[RankedVerdict(image_id=request.candidates[0].image_id, verdict=verdict)],
            matched=True,
            confidence=0.9,
            decision=DecisionBody(score=2.0, threshold=0.0, signals={}, calibration="none"),
            reason="",
            verifier=self._fingerprints.pop() if self._fingerprints else "verifier",
            timings_ms={},
        )


class Measured:
    """One run over a service's collection, and the pauses that it made."""

    def __init__(self, client: AppClient, verifier: ScriptedVerifierClient) -> None:
        self.pauses: list[float] = []
        service: RetrievalService = client.app.state.loading.get()
        self.run = CalibrationRun(
            gallery=service.gallery,
            engine=service.engine,
            verifier=verifier,
            workers=service.workers,
            pause=self._pause,
        )
        self.measurement: Measurement = client.call(self.run.measure, "default", CalibrationRequest(photos=8))

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def filled(retrieval: AppClient) -> AppClient:
    """Eight places, one of them seen twice; with eight photos asked about, one of nine is not."""
    for number, place in enumerate(PLACES):
        photo = encode(draw_place(number))
        retrieval.post("/index/images", files={"file": (f"{number}.jpg", photo)}, data={"place_id": place})
    return retrieval


def test_each_photo_is_asked_about_twice(filled: AppClient):
    """Its place left out, and then as a photo of a known place; the verifier is asked behind all visitors."""
    verifier = ScriptedVerifierClient()

    measured = Measured(filled, verifier)

    samples = measured.measurement.samples
    assert [(sample.known, sample.origin) for sample in samples] == [(False, "left out"), (True, "simulated")] * 8
    assert sum(sample.right for sample in samples) >= 6
    assert all(request.in_background for request in verifier.requests)
    assert (measured.run.done, measured.run.total, measured.pauses) == (16, 16, [])
    assert measured.measurement.verifier == "verifier"


def test_what_is_left_out_is_no_candidate(filled: AppClient):
    """The place or the image that a question leaves out is never compared with its photo."""
    verifier = ScriptedVerifierClient()
    service: RetrievalService = filled.app.state.loading.get()
    questions = [question for photo in gallery_photos(service.gallery, "default", 8) for question in photo.questions]

    Measured(filled, verifier)

    left_out = [question.exclusion or Exclusion() for question in questions]
    assert len(verifier.requests) == len(left_out) == 16
    for excluded, request in zip(left_out, verifier.requests, strict=True):
        assert excluded.place_id not in {candidate.place_id for candidate in request.candidates}
        assert excluded.image_id not in {candidate.image_id for candidate in request.candidates}


def test_a_collection_without_anything_left_finds_nothing(retrieval: AppClient):
    """The only place left out: that is an answer, which the verifier is not asked for."""
    retrieval.post("/index/images", files={"file": ("a.jpg", encode(draw_place(1)))})
    verifier = ScriptedVerifierClient()

    samples = Measured(retrieval, verifier).measurement.samples

    assert [(sample.score, sample.known) for sample in samples] == [(NOTHING_FOUND, False), (2.0, True)]
    assert len(verifier.requests) == 1


def test_a_photo_that_is_gone_is_passed_over(filled: AppClient):
    """Its file is missing: the others are asked about, and the total says so."""
    service: RetrievalService = filled.app.state.loading.get()
    for image in list(service.gallery.all_images("default"))[:2]:
        service.gallery.fetch_original(image).unlink()

    measured = Measured(filled, ScriptedVerifierClient())

    assert measured.run.done == measured.run.total == len(measured.measurement.samples)
    assert measured.run.total in {12, 14}
    assert measured.pauses == []


def test_a_verifier_that_is_away_is_waited_for(filled: AppClient):
    """Longer and longer, at least as long as it says; nothing is lost."""
    away = VerifierUnavailable("away")
    loading = refusal(503, ErrorCode.BACKEND_UNAVAILABLE, "7")

    # Taken from the end; the first failure ends the attempt to ask in the background.
    measured = Measured(filled, ScriptedVerifierClient([away, away, loading, away]))

    assert measured.pauses == [7.0, 2.0, 4.0]
    assert (len(measured.measurement.samples), measured.run.waiting_for) == (16, None)


def test_a_verifier_that_stays_away_ends_it(filled: AppClient):
    """After some minutes it is given up, and the reason is told."""
    with pytest.raises(VerifierUnavailable):
        Measured(filled, ScriptedVerifierClient([VerifierUnavailable("away")] * (MOST_TRIES + 1)))


def test_a_changed_verifier_ends_it(filled: AppClient):
    """Scores of two verifiers are never mixed."""
    with pytest.raises(ServiceError, match="was changed during the calibration"):
        Measured(filled, ScriptedVerifierClient(fingerprints=["new", "old"]))


def test_visitors_at_the_verifier_go_first(filled: AppClient):
    """While it verifies a visitor's photo it is asked again later, but not for ever: then it takes its turn."""
    verifier = ScriptedVerifierClient()
    verifier.is_busy = True

    measured = Measured(filled, verifier)

    assert len(measured.measurement.samples) == 16
    assert sum(measured.pauses) == pytest.approx(16 * 10)
    assert not any(request.in_background for request in verifier.requests)


def test_visitors_searches_go_first(filled: AppClient):
    """It waits while a search is at work, but not for ever."""
    service: RetrievalService = filled.app.state.loading.get()

    def visit(use: Callable[[], Any]) -> Any:
        with service.engine.gate.admit():
            return use()

    measured = visit(lambda: Measured(filled, ScriptedVerifierClient()))

    assert len(measured.measurement.samples) == 16
    assert sum(measured.pauses) == pytest.approx(16 * 10)
