"""What operators ask about a collection: its health, its recent matches, and whether it answers as it used to."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from contracts.feedback import Answer, FeedbackVerdict, Verification
from contracts.images import PhotoFault
from contracts.texts import LanguageTag

MAX_COLLECTION = 200


class CollectionParams(BaseModel):
    """What is counted of a collection."""

    hidden: bool = Field(default=True, description="false: without hidden places and their photos")


class NewCollection(BaseModel):
    """A collection to be created, without photos."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"name": "city-museum"}]}}

    name: str = Field(min_length=1, max_length=MAX_COLLECTION, description="its id; no other collection's name")
    language: LanguageTag | None = Field(default=None, description="of its names and descriptions (BCP 47)")


class CollectionChange(BaseModel):
    """The fields of a collection that can be changed. Fields left out stay as they are."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"name": "city-museum"}]}}

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_COLLECTION,
        description="the new name; no other collection may have it",
    )
    language: LanguageTag | None = Field(
        default=None, description="of its names and descriptions (BCP 47); null: not known"
    )

    @model_validator(mode="after")
    def _refuse_nothing(self) -> Self:
        if self.name is None and "language" not in self.model_fields_set:
            raise ValueError("nothing to change; give name, language or both")
        return self


class PlaceRefBody(BaseModel):
    """A place, and how many photos show it."""

    place_id: str
    name: str
    images: int


class FaultyPhoto(BaseModel):
    """A photo that should be taken again."""

    image_id: str
    filename: str
    place: PlaceRefBody
    faults: list[PhotoFault]
    blur: float = Field(description="0 to 1; sharp photos 0.2 to 0.45, clearly blurred ones from 0.55")
    brightness: int = Field(description="grey level that a twentieth of the photo's pixels exceed, 0 to 255")
    preview_url: str


class SimilarPlaces(BaseModel):
    """Two places whose photos resemble each other, by their most similar pair of photos."""

    kind: Literal["same_picture", "confused", "look_alike"] = Field(
        description="same_picture: one picture is filed under both places; confused: the verifier takes photos of "
        "both for the same place; look_alike: the photos are similar"
    )
    first: PlaceRefBody
    first_image_id: str
    first_preview_url: str
    second: PlaceRefBody
    second_image_id: str
    second_preview_url: str
    similarity: float
    local_score: float | None
    confidence: float | None = Field(
        description="the verifier's confidence that both are the same place; null: it was not asked"
    )


class AdviceBody(BaseModel):
    """What to do about one place."""

    place: PlaceRefBody
    reasons: list[Literal["no_usable_photo", "confusable", "one_view", "faulty_photo"]]
    en: str
    zh: str


class FaultyPhotos(BaseModel):
    """The worst photos, and how many there are."""

    total: int
    entries: list[FaultyPhoto]


class SimilarPlacesList(BaseModel):
    """The pairs most likely to be confused, and how many there are."""

    total: int
    entries: list[SimilarPlaces]


class PlaceRefs(BaseModel):
    """Some places, and how many there are."""

    total: int
    entries: list[PlaceRefBody]


class AdviceList(BaseModel):
    """The most important advice, and how much there is in total."""

    total: int
    entries: list[AdviceBody]


class HealthBody(BaseModel):
    """The report of one health check."""

    generation: int = Field(description="the gallery's count of changes when the check began")
    computed_at: str = Field(description="UTC, ISO 8601")
    took_s: float
    is_complete: bool = Field(description="false: the time ran out before everything was checked")
    images: int
    places: int
    photos_measured: int
    photos_compared: int
    pairs_tested: int
    pairs_verified: int
    faulty_photos: FaultyPhotos
    pairs: SimilarPlacesList
    one_view: PlaceRefs
    unnamed: PlaceRefs
    undescribed: PlaceRefs
    advice: AdviceList


class HealthReply(BaseModel):
    """The newest health report, and whether it describes the current gallery."""

    collection: str
    state: Literal["fresh", "stale", "computing"] = Field(
        description="`fresh`: describes the current gallery; `stale`: the gallery has changed and a new check runs; "
        "`computing`: the first check runs, ask again"
    )
    generation: int = Field(description="the gallery's count of changes now")
    report: HealthBody | None = Field(description="null while `computing`")


class HealthParams(BaseModel):
    """How long to wait for a check, and how many entries to list."""

    model_config = {"extra": "forbid"}

    limit: int = Field(default=20, ge=1, le=500, description="most entries of every list")
    wait_s: float = Field(default=2, ge=0, le=20, description="seconds to wait for a running check")


class MatchParams(BaseModel):
    """Which matches to list."""

    model_config = {"extra": "forbid"}

    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=4000, description="`next_cursor` of the previous page")
    commented: bool = Field(default=False, description="only matches with feedback")


class FeedbackEntry(BaseModel):
    """The feedback on an answer."""

    verdict: FeedbackVerdict
    place_id: str | None
    at: str


class MatchEntry(BaseModel):
    """One answer, without the photo."""

    request_id: str
    at: str = Field(description="UTC, ISO 8601")
    matched: bool
    answer: Answer = Field(description="as in the reply of `POST /match`")
    place_id: str | None = Field(description="id of the first candidate's place: the answer if `matched`")
    place_name: str | None
    confidence: float
    score: float
    verification: Verification
    evidence: dict[str, float]
    feedback: FeedbackEntry | None


class MatchPage(BaseModel):
    """One page of matches, newest first."""

    matches: list[MatchEntry]
    next_cursor: str | None = None


class ShareBody(BaseModel):
    """A share and its exact 95 % interval (Clopper and Pearson)."""

    count: int
    total: int
    share: float | None
    low: float
    high: float


class WeekBody(BaseModel):
    """One week's answers."""

    start: str = Field(description="its Monday")
    is_complete: bool
    is_reference: bool = Field(description="true: other weeks are compared with this one")
    answered: ShareBody
    precision: ShareBody = Field(description="right answers among those with feedback")
    psi: float | None = Field(description="population stability index of the scores beyond chance; null: not tested")
    ks_p: float | None = Field(
        description="p-value of the two-sample Kolmogorov-Smirnov test of the scores; null: not tested"
    )
    answers_changed: bool
    scores_changed: bool


class DriftReply(BaseModel):
    """Whether the collection's answers have changed over time."""

    collection: str
    state: Literal["too_few", "usual", "unusual"]
    en: str
    zh: str
    reference_source: Literal["calibration", "first_weeks"] | None
    reference: ShareBody = Field(description="photos answered in the reference")
    weeks: list[WeekBody] = Field(description="oldest first, at most the last 60")
    precision: ShareBody = Field(description="over all weeks")
    left_out: int = Field(
        description="matches not verified, answered by other models, or older than the newest 100,000"
    )
