"""How sure an answer must be: the calibration of a collection, what it promises, and how it is made."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from contracts import examples

MOST_SAMPLES = 5_000

Target = Annotated[
    float,
    Field(
        ge=0.0001,
        le=0.5,
        allow_inf_nan=False,
        description="share of questions about nothing in the collection that may get an answer, such as 0.02",
    ),
]


class CalibrationRequest(BaseModel):
    """What to calibrate for, and from how much."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [examples.CALIBRATE]}}

    target: Target = 0.02
    photos: int = Field(default=100, ge=8, le=MOST_SAMPLES // 2, description="most photos of the collection to use")
    prompt_style: str | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="for verifiers that use a prompt; default: their own style",
    )
    use_feedback: bool = Field(
        default=True,
        description="also use feedback on answers of the same models: it calibrates the confidence, and answers "
        "reported as not in the collection may raise the threshold; feedback never lowers it",
    )


class CalibrationChange(BaseModel):
    """Another target for what was measured."""

    model_config = {"extra": "forbid"}

    target: Target


class IntervalBody(BaseModel):
    """A share and its exact 95 % interval (Clopper and Pearson)."""

    share: float | None = Field(description="null of nothing")
    low: float
    high: float
    count: int = Field(description="of how many")


class BinBody(BaseModel):
    """Photos whose first place had about the same confidence."""

    confidence: float = Field(description="their mean")
    right: float = Field(description="share of them whose first place was right")
    count: int


class CurvePoint(BaseModel):
    """What another target would do."""

    target: float
    threshold: float
    promised: bool
    answered: IntervalBody = Field(description="photos of the collection's places that would be answered")


class QuestionThresholdBody(BaseModel):
    """When a question of several photos is answered, so that the target holds for questions."""

    photos: int = Field(description="number of different photos, 1 to 5")
    threshold: float = Field(description="log-odds; one of the photos alone must have a higher score")
    promised: bool = Field(description="whether the target is promised for such questions; false: an estimate")
    needed_unknown: int = Field(description="number of unknown photos needed for that promise")
    maybe_threshold: float | None = Field(
        description="log-odds; if one of the photos alone has a higher score, and the question is not answered, the "
        "answer is `maybe`; null: there is none, because `maybe_target` is not promised or not above the target"
    )


class CalibrationBody(BaseModel):
    """A stored calibration, and its results on the photos it was fitted to."""

    target: float
    threshold: float = Field(description="log-odds; a photo is answered if the score of its first place is above this")
    threshold_confidence: float = Field(description="the calibrated confidence at the threshold, [0, 1]")
    promised: bool = Field(
        description="true: there were enough unknown photos to keep the target on photos like them; false: the "
        "threshold is an estimate"
    )
    needed_unknown: int = Field(description="number of unknown photos needed to promise the target")
    unknown_by_origin: dict[str, int] = Field(
        description="number of unknown photos by origin: `labelled`, `left out`, `other collection`"
    )
    known_by_origin: dict[str, int] = Field(description="the same for photos of the collection's places")
    simulated: bool = Field(
        description="true: some of these photos are the collection's own, changed as if taken again; visitors' photos "
        "are harder, so expect fewer answers than `answered` and `right` say"
    )
    maybe_target: float = Field(
        description="share of questions about nothing in the collection that may be answered with `match` or `maybe`"
    )
    questions: list[QuestionThresholdBody] = Field(description="thresholds of questions of one to five photos")
    false_answers: IntervalBody = Field(description="unknown photos that are answered")
    answered: IntervalBody = Field(description="photos of the collection's places that are answered")
    right: IntervalBody = Field(description="those of them answered with the right place")
    wrong_place: IntervalBody = Field(description="those of them answered with another place")
    reliability: list[BinBody] = Field(description="a reliability diagram of the calibrated confidence")
    calibration_error: float | None = Field(description="expected calibration error of it, [0, 1]")
    curve: list[CurvePoint] = Field(description="other targets, from 0.5 % to 20 %")
    encoder: str
    verifier: str
    prompt_style: str | None = Field(description="valid for matches in this prompt style; null: the verifier's own")
    made_at: str = Field(description="UTC, ISO 8601")


class CalibrationJob(BaseModel):
    """A calibration being made, or the latest that was; forgotten a day after it ended."""

    state: Literal["running", "done", "failed", "cancelled"]
    done: int = Field(description="photos asked about")
    total: int = Field(description="photos to ask about; 0 until the collection has been listed")
    seconds_left: float | None = Field(description="at the current pace; null: not known yet, or ended")
    waiting_for: str | None = Field(
        default=None, description="why the job makes no progress now: a service is unavailable"
    )
    target: float
    started_at: str = Field(description="UTC, ISO 8601")
    ended_at: str | None = None
    error: str | None = Field(default=None, description="why it failed")


class CalibrationReply(BaseModel):
    """The stored calibration of a collection, and the running job."""

    collection: str
    state: Literal["none", "valid", "stale", "unknown"] = Field(
        description="none: never calibrated; valid: it decides; stale: made with other models, so the built-in rule "
        "decides until the collection is calibrated again; unknown: the verifier cannot be reached"
    )
    stale_because: str | None = Field(default=None, description="what has changed since, if stale")
    calibration: CalibrationBody | None = None
    job: CalibrationJob | None = None
