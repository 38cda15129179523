"""``POST /verify``: verdicts for the candidates of a photo."""

from collections.abc import Sequence
from typing import Annotated, get_args

import numpy as np
from fastapi import Depends, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, Json
from starlette.datastructures import FormData, UploadFile

from contracts.verification import (
    MOST_PHOTOS,
    CorrespondencesBody,
    DecisionBody,
    RankedVerdict,
    ReasonsReply,
    ReasonsRequest,
    VerdictBody,
    VerifyReply,
    VerifyRequest,
)
from core.calibration.calibration import MAYBE_TARGET
from core.decision.explanations import Explanation, Language, Reason
from core.decision.matched_region import MatchedRegion
from core.results import Correspondences
from core.verifiers.base import photo_side
from services.verifier.engine import Verified, VerifierEngine
from services.verifier.pairs import Pair
from services.verifier.settings import VerifierSettings
from serving.auth.restriction import OPEN_TO_RESTRICTED
from serving.deadlines import RequestTimeout, until_disconnect
from serving.errors import InvalidUpload
from serving.loading import Loading
from serving.observability import StageTimer
from serving.openapi import error_answers, form_body
from serving.routers import Router
from serving.uploads import MAX_FIELD_BYTES, open_form, parse_fields, uploaded_files

# The candidates come from the retrieval service, which has checked the collections of a restricted key.
router = Router(tags=["verification"], dependencies=[OPEN_TO_RESTRICTED])

# Packed local features of a query: a handful of views of some 70 KB each.
_MAX_FEATURES_BYTES = 8 * 1024 * 1024
# JSON has no infinity; no score comes near this threshold.
_BEYOND_DOUBT = 1000.0


class VerifyFields(BaseModel):
    """The text fields of the form."""

    request: Json[VerifyRequest]


class ReasonsFields(BaseModel):
    """The text fields of the form of ``POST /reasons``."""

    request: Json[ReasonsRequest]


async def get_engine(request: Request) -> VerifierEngine:
    """Return the running engine.

    Raises:
        NotReady: the verifier is still being loaded.
        Exception: the error with which loading failed.
    """
    engine: Loading[VerifierEngine] = request.app.state.loading
    return engine.get()


async def get_settings(request: Request) -> VerifierSettings:
    """Return the settings of this process."""
    settings: VerifierSettings = request.app.state.settings
    return settings


@router.post(
    "/verify",
    response_model=VerifyReply,
    summary="Which of these candidates show this photo's place?",
    description="Verdicts come best first. `dropped` lists candidates that were deleted meanwhile, whose photo cannot "
    "be read, or that got no readable verdict while others did; this is not an error.",
    responses=error_answers(400, 408, 413, 415, 422, 503, 504),
    openapi_extra=form_body(
        VerifyFields,
        file="The query photo, or several photos of the same thing.",
        several=True,
        at_most=MOST_PHOTOS,
        optional=("features",),
    ),
)
async def verify(
    request: Request,
    engine: Annotated[VerifierEngine, Depends(get_engine)],
    settings: Annotated[VerifierSettings, Depends(get_settings)],
    timeout_s: RequestTimeout = None,
) -> Response:
    """Read the form and verify its candidates."""
    timer = StageTimer()
    limit = settings.max_photo_bytes + MOST_PHOTOS * _MAX_FEATURES_BYTES + MAX_FIELD_BYTES
    with engine.body_slots.admit() as incoming:
        async with open_form(request, incoming, max_bytes=limit, max_files=2 * MOST_PHOTOS, in_memory=True) as form:
            fields = parse_fields(VerifyFields, form, files=frozenset({"file", "features"}))
            photos = [await photo.read() for photo in uploaded_files(form, "file")]
            features = await _features(form, len(photos))
    _check_photos(fields.request, len(photos))
    async with until_disconnect(request, timeout_s):
        verified = await engine.verify(photos, features, fields.request, timer)
    explanation, language = verified.explanation, fields.request.language
    reply = VerifyReply(
        ranking=[
            RankedVerdict(
                image_id=pair.candidate.image_id,
                photo=pair.candidate.photo,
                verdict=_verdict_body(pair, rank, explanation, language),
            )
            for rank, pair in enumerate(verified.ranking)
        ],
        dropped=verified.dropped,
        matched=verified.decision.matched,
        maybe=verified.decision.is_maybe,
        confidence=verified.decision.confidence,
        decision=_decision_body(verified),
        reason=verified.decision.reason,
        reasons=_said(explanation.reasons)[language] if explanation is not None else [],
        reasons_in=_said(explanation.reasons) if explanation is not None else {},
        verifier=engine.verifier.fingerprint,
        photo_side=photo_side(engine.verifier),
        prompt_style=engine.verifier.style(fields.request.prompt_style),
        timings_ms=timer.finish(),
        cpu_ms=timer.cpu_ms,
    )
    request.state.timings_ms, request.state.cpu_ms = reply.timings_ms, reply.cpu_ms
    return Response(reply.model_dump_json(), media_type="application/json")


@router.post(
    "/reasons",
    response_model=ReasonsReply,
    summary="Why does this photo show what the candidate shows, or not, in the model's words?",
    description="Written token by token, and only while no verdict is waited for. `null` from those that write none.",
    responses=error_answers(400, 404, 408, 413, 415, 422, 503, 504),
    openapi_extra=form_body(ReasonsFields, file="The query photo."),
)
async def write_reasons(
    request: Request,
    engine: Annotated[VerifierEngine, Depends(get_engine)],
    settings: Annotated[VerifierSettings, Depends(get_settings)],
    timeout_s: RequestTimeout = None,
) -> ReasonsReply:
    """Read the form and write the reasons."""
    limit = settings.max_photo_bytes + MAX_FIELD_BYTES
    with engine.body_slots.admit() as incoming:
        async with open_form(request, incoming, max_bytes=limit, max_files=1, in_memory=True) as form:
            fields = parse_fields(ReasonsFields, form)
            (photo,) = [await file.read() for file in uploaded_files(form, "file")]
    async with until_disconnect(request, timeout_s):
        return ReasonsReply(reasons=await engine.reasons.write(photo, fields.request))


def _said(reasons: Sequence[Reason]) -> dict[Language, list[str]]:
    return {language: [reason.say(language) for reason in reasons] for language in get_args(Language)}


async def _features(form: FormData, photos: int) -> list[bytes | None]:
    """Read the features of the photos; None for a photo without features."""
    sent = [await part.read() for part in form.getlist("features") if isinstance(part, UploadFile)]
    if not sent:
        return [None] * photos
    if len(sent) != photos:
        raise InvalidUpload(
            f"{photos} photos came with the features of {len(sent)}",
            accepted="features of each photo, empty where there are none, or no such part",
            field="features",
        )
    return [data or None for data in sent]


def _check_photos(request: VerifyRequest, photos: int) -> None:
    number = max((candidate.photo for candidate in request.candidates), default=0)
    if photos > MOST_PHOTOS or number >= photos:
        raise InvalidUpload(
            f"{photos} photos came, and a candidate of photo {number}",
            accepted=f"up to {MOST_PHOTOS} photos, and candidates of these, counted from 0",
            field="request.candidates",
        )


def _decision_body(verified: Verified) -> DecisionBody | None:
    decision, acceptance = verified.decision, verified.acceptance
    if decision.score is None:
        return None
    return DecisionBody(
        score=decision.score,
        photo_score=decision.photo_score,
        threshold=max(-_BEYOND_DOUBT, min(_BEYOND_DOUBT, acceptance.threshold)),
        signals=verified.contributions,
        calibration=acceptance.state,
        target=acceptance.calibration.target if acceptance.calibration and acceptance.promised else None,
        stale_because=acceptance.stale_because,
        maybe_threshold=acceptance.maybe_threshold,
        maybe_target=None if acceptance.maybe_threshold is None else MAYBE_TARGET,
        rule_fitted=verified.rule_fitted,
    )


def _verdict_body(pair: Pair, rank: int, explanation: Explanation | None, language: Language) -> VerdictBody:
    verdict = pair.verdict
    body = VerdictBody(
        is_match=verdict.is_match,
        confidence=verdict.confidence,
        response=verdict.response,
        views=[view.image_id for view in pair.views],
        written_reasons=verdict.reasons or None,
    )
    if explanation is not None:
        body.reasons_in = _said(explanation.pair_reasons[rank])
        body.reasons = body.reasons_in[language]
        if verdict.correspondences is not None:
            body.correspondences = _correspondences_body(verdict.correspondences, explanation.regions[rank])
    return body


def _correspondences_body(points: Correspondences, region: MatchedRegion | None) -> CorrespondencesBody:
    return CorrespondencesBody(
        query_points=_fractions(points.query_points),
        candidate_points=_fractions(points.candidate_points),
        rotation=points.rotation,
        query_region=[] if region is None else _fractions(region.query),
        candidate_region=[] if region is None else _fractions(region.candidate),
        is_planar=region is not None and region.is_planar,
    )


def _fractions(points: NDArray[np.floating]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points.round(4).tolist()]
