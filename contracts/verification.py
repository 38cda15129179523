"""The verifier service's wire: one query photo and its candidates in, ranked verdicts out.

``POST /verify`` is multipart: ``request`` (a VerifyRequest as JSON), ``file`` (the query photo, any accepted
format) and optionally ``features`` (the bytes of SearchReply.query_features).
"""

from typing import Literal

from pydantic import BaseModel, Field

Language = Literal["en", "zh"]
"""In which reasons are given."""


class CandidateRef(BaseModel):
    """A candidate as the gateway hands it on."""

    image_id: str = Field(min_length=1, max_length=100)
    place_id: str = Field(min_length=1)
    similarity: float


class VerifyRequest(BaseModel):
    """What to verify."""

    candidates: list[CandidateRef] = Field(max_length=100)
    prompt_style: str | None = Field(default=None, max_length=50)
    explain: bool = False
    language: Language = "en"


class CorrespondencesBody(BaseModel):
    """Agreeing points, as fractions of the upright photos' width and height."""

    query_points: list[tuple[float, float]]
    candidate_points: list[tuple[float, float]]
    rotation: int = Field(description="degrees the query was turned counter-clockwise: 0, 90, 180 or 270")
    query_region: list[tuple[float, float]] = Field(
        default_factory=list, description="corners of the matched region in the query; empty with fewer than 3 points"
    )
    candidate_region: list[tuple[float, float]] = Field(
        default_factory=list, description="the same region in the candidate's photo"
    )
    is_planar: bool = Field(
        default=False,
        description="true: the points lie in one plane and the regions are its part that both photos show; "
        "false: the regions are the hulls of the points",
    )


class VerdictBody(BaseModel):
    """The verifier's answer for one pair."""

    is_match: bool
    confidence: float = Field(ge=0, le=1)
    response: str
    correspondences: CorrespondencesBody | None = Field(default=None, description="with explain=true, where known")
    reasons: list[str] = Field(
        default_factory=list, description="with explain=true: what was seen when these two photos were compared"
    )


class RankedVerdict(BaseModel):
    """A verdict and the candidate it belongs to."""

    image_id: str
    verdict: VerdictBody


class VerifyReply(BaseModel):
    """Verdicts in final order and the decision drawn from them."""

    ranking: list[RankedVerdict] = Field(
        description="best first; every candidate of the request that could be judged, once"
    )
    dropped: list[str] = Field(
        default_factory=list,
        description="ids of candidates deleted since they were retrieved, or whose photo cannot be read",
    )
    matched: bool
    confidence: float = Field(ge=0, le=1)
    reason: str
    reasons: list[str] = Field(
        default_factory=list, description="with explain=true: why this answer, in sentences of the language asked for"
    )
    verifier: str
    timings_ms: dict[str, float]
