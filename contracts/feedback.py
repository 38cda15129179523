"""What is said of an answer, and how the gateway tells the retrieval service, which keeps the numbers, of answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, FiniteFloat, model_validator

from contracts import examples

FeedbackVerdict = Literal["right", "wrong", "other_place", "not_in_collection"]
Verification = Literal["done", "skipped", "unavailable"]
Answer = Literal["match", "maybe", "none"]

_YEAR_9000 = 221_845_392_000  # what calendars can show
REQUEST_ID_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"


def verifier_asked(verifier: str, prompt_style: str | None) -> str:
    """The name of a verifier in a stored match, with its style: in another style, its scores differ.

    Args:
        verifier: its fingerprint.
        prompt_style: as ``VerifyReply.prompt_style`` gives it; None is the verifier's own.
    """
    return verifier if prompt_style is None else f"{verifier}, asked in the style {prompt_style}"


class FeedbackRequest(BaseModel):
    """Feedback on an answer from somebody who knows the truth."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [examples.FEEDBACK]}}

    request_id: str = Field(pattern=REQUEST_ID_PATTERN, description="`request_id` of the answer of `POST /match`")
    verdict: FeedbackVerdict = Field(
        description="`right`, `wrong`, `other_place` (then `place_id` says which), or `not_in_collection`. After an "
        "answer without a place, `right` says that the photo shows nothing in the collection; a visitor who confirms "
        "the place of a `maybe` says `other_place` with its id"
    )
    place_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="the place that the photo shows; only with `other_place`",
    )

    @model_validator(mode="after")
    def check_place(self) -> "FeedbackRequest":
        """Refuse a place without the verdict that takes one, and the reverse."""
        if (self.verdict == "other_place") != (self.place_id is not None):
            raise ValueError("place_id is accepted only with the verdict other_place, which needs it")
        return self


class FeedbackReply(BaseModel):
    """The feedback is on the disk."""

    model_config = {"json_schema_extra": {"examples": [examples.FEEDBACK_KEPT]}}

    request_id: str
    collection: str
    verdict: FeedbackVerdict
    place_id: str | None
    at: str = Field(description="UTC, ISO 8601")
    features_kept: bool = Field(
        description="whether the photo's embedding and keypoints are kept for a while; never the photo"
    )


class MatchRecordBody(BaseModel):
    """The numbers of one answer."""

    request_id: str = Field(pattern=REQUEST_ID_PATTERN)
    at: float = Field(ge=0, le=_YEAR_9000, allow_inf_nan=False, description="seconds since 1970 UTC")
    collection: str = Field(min_length=1, max_length=200)
    matched: bool
    place_id: str | None = Field(max_length=200)
    place_name: str | None = Field(max_length=500)
    confidence: float = Field(ge=0, le=1)
    score: float = Field(allow_inf_nan=False)
    verification: Verification
    encoder: str = Field(max_length=1000)
    verifier: str | None = Field(max_length=1000)
    evidence: dict[Annotated[str, Field(max_length=50)], FiniteFloat] = Field(default_factory=dict, max_length=30)


class MatchRecords(BaseModel):
    """Answers, oldest first."""

    matches: list[MatchRecordBody] = Field(max_length=1000)


class RecordReply(BaseModel):
    """The records are on the disk."""

    recorded: int
