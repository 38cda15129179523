"""The verifier service's wire: one query photo and its candidates in, ranked verdicts out.

``POST /verify`` is multipart: ``request`` (a VerifyRequest as JSON), ``file`` (the query photo, any accepted
format) and optionally ``features`` (the bytes of SearchReply.query_features). Several photos of one thing are several
``file`` parts; then there are as many ``features`` parts, empty where there are none, or no such part at all.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from contracts.images import refuse_half_a_position

Language = Literal["en", "zh"]
"""In which reasons are given."""


MOST_PHOTOS = 5
"""Of one thing in one request."""


class CandidateRef(BaseModel):
    """A candidate as the gateway hands it on."""

    image_id: str = Field(min_length=1, max_length=100)
    place_id: str = Field(min_length=1)
    similarity: float
    local_score: float | None = Field(default=None, ge=0)
    photo: int = Field(default=0, ge=0, lt=MOST_PHOTOS, description="index of the photo that it was found for, from 0")
    further_view: bool = Field(
        default=False,
        description="another image of a place that is among the candidates anyway; language models verify it only "
        "where it can change whether there is an answer, unless they are shown it together with a candidate",
    )


class LocationBody(BaseModel):
    """Where the visitor is. It makes places nearby likelier, and excludes none."""

    latitude: float | None = Field(default=None, ge=-90, le=90, description="degrees, WGS 84")
    longitude: float | None = Field(default=None, ge=-180, le=180, description="degrees, WGS 84")
    accuracy_m: float = Field(default=30, gt=0, le=100_000, description="accuracy of the position, as phones report it")
    area: dict[str, str] = Field(
        default_factory=dict,
        max_length=10,
        description='compared with the places\' metadata, e.g. {"floor": "2", "room": "12", "beacon": "a7"}',
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_says_nothing(cls, given: Any) -> Any:
        """Let further fields of a phone's position pass, but not a location of unknown fields alone."""
        if isinstance(given, dict) and given and not given.keys() & cls.model_fields.keys():
            raise ValueError(
                f"{', '.join(map(str, given))[:100]} says nothing of a location; accepted: latitude and longitude, area"
            )
        return given

    @model_validator(mode="after")
    def _refuse_half_a_position(self) -> Self:
        refuse_half_a_position(self.latitude, self.longitude)
        return self


class ReasonsRequest(BaseModel):
    """Which verdict to give reasons for; ``POST /reasons`` is multipart like ``POST /verify``, with one photo."""

    image_id: str = Field(min_length=1, max_length=100)
    views: list[str] = Field(
        default_factory=list, max_length=20, description="further images that the verdict is about, as it says"
    )
    prompt_style: str | None = Field(default=None, max_length=50)
    is_match: bool = Field(description="what the verdict said")


class ReasonsReply(BaseModel):
    """A model's own reasons."""

    reasons: str | None = Field(description="null from a verifier that writes none")


class VerifyRequest(BaseModel):
    """What to verify."""

    collection: str = Field(default="default", min_length=1, max_length=200)
    candidates: list[CandidateRef] = Field(max_length=100 * MOST_PHOTOS)
    prompt_style: str | None = Field(default=None, max_length=50)
    explain: bool = False
    language: Language = "en"
    location: LocationBody | None = None
    in_background: bool = Field(
        default=False, description="no visitor waits for it: refused with 503 while any other photo is verified"
    )


class CorrespondencesBody(BaseModel):
    """Agreeing points, as fractions of the upright photos' width and height."""

    query_points: list[tuple[float, float]]
    candidate_points: list[tuple[float, float]]
    rotation: int = Field(description="degrees the query was turned counter-clockwise: 0, 90, 180 or 270")
    query_region: list[tuple[float, float]] = Field(
        default_factory=list,
        description="corners of the matched region in the query; empty if there are fewer than 3 points",
    )
    candidate_region: list[tuple[float, float]] = Field(
        default_factory=list, description="the same region in the candidate's photo"
    )
    is_planar: bool = Field(
        default=False,
        description="true: the points are in one plane, and the regions are the part of it that both photos show; "
        "false: the regions are the hulls of the points",
    )


class VerdictBody(BaseModel):
    """The verifier's answer for one pair."""

    is_match: bool
    confidence: float = Field(ge=0, le=1)
    response: str
    views: list[str] = Field(
        default_factory=list,
        description="ids of further images of the place that a language model was shown in the same question, with "
        "`views_together` in M3_VERIFIER_OPTIONS",
    )
    written_reasons: str | None = Field(
        default=None,
        description="what a language model wrote about this pair: in a style that has it write before it answers, or "
        "of the answer with reasons=true",
    )
    correspondences: CorrespondencesBody | None = Field(default=None, description="with explain=true, where known")
    reasons: list[str] = Field(
        default_factory=list, description="with explain=true: what was seen when these two photos were compared"
    )
    reasons_in: dict[Language, list[str]] = Field(
        default_factory=dict, description="the same reasons in every language"
    )


class DecisionBody(BaseModel):
    """What the answer was drawn from."""

    score: float = Field(description="log-odds of the first place: the sum of all signals except `location`")
    photo_score: float | None = Field(
        default=None,
        description="the highest score of one photo alone; the score, if one photo was sent. If the collection is "
        "calibrated, this must be above the threshold too: further photos make an answer surer, but open no threshold",
    )
    threshold: float = Field(description="an answer is given if the score is above this")
    signals: dict[str, float] = Field(
        description="contribution of every signal; `location` orders the places and is not part of the score"
    )
    calibration: Literal["none", "valid", "stale"] = Field(
        description="none: the built-in rule decides; valid: the collection's calibration decides; stale: "
        "nothing is promised for this match, see `stale_because`"
    )
    target: float | None = Field(
        default=None,
        description="share of questions about nothing in the collection, of as many photos, that may get an answer; "
        "null where nothing is promised",
    )
    stale_because: str | None = Field(
        default=None, description="what has changed: the models, the size of the collection, or the kind of request"
    )
    maybe_threshold: float | None = Field(
        default=None,
        description="the answer is `maybe` if the score is above this and not above `threshold`; null: there is no "
        "`maybe`, because the collection has no calibration that promises `maybe_target`",
    )
    maybe_target: float | None = Field(
        default=None,
        description="share of questions about nothing in the collection that may be answered with `match` or `maybe`",
    )
    rule_fitted: bool | None = Field(
        default=None,
        description="whether the built-in rule was fitted to answers of these models; if not, and without a valid "
        "calibration, the confidence is the verifier's own; null: the verifier is too old to say",
    )


class RankedVerdict(BaseModel):
    """A verdict and the candidate it belongs to."""

    image_id: str
    photo: int = Field(default=0, description="index of the photo that it was compared with, from 0")
    verdict: VerdictBody


class VerifyReply(BaseModel):
    """Verdicts in final order and the decision drawn from them."""

    ranking: list[RankedVerdict] = Field(
        description="best first; every candidate of the request that could be verified, once for each photo, without "
        "further views that were not needed, and without those that are `views` of another"
    )
    dropped: list[str] = Field(
        default_factory=list,
        description="ids of candidates deleted since they were retrieved, or whose photo cannot be read",
    )
    matched: bool
    maybe: bool = Field(default=False, description="not matched, but the first candidate is worth comparing")
    confidence: float = Field(ge=0, le=1)
    decision: DecisionBody | None = Field(default=None, description="null without candidates")
    reason: str
    reasons: list[str] = Field(
        default_factory=list, description="with explain=true: why this answer, in sentences of the language asked for"
    )
    reasons_in: dict[Language, list[str]] = Field(
        default_factory=dict, description="the same reasons in every language"
    )
    verifier: str
    photo_side: int | None = Field(
        default=None,
        description="longest side of a visitor's photo that this verifier makes use of, pixels; null: it reads larger "
        "photos too",
    )
    prompt_style: str | None = Field(
        default=None, description="prompt style used, with a digest of its texts; null: the verifier's own, or none"
    )
    timings_ms: dict[str, float]
    cpu_ms: dict[str, float] = Field(default_factory=dict, description="per stage, milliseconds of work of all threads")
