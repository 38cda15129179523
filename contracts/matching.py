"""The public wire of ``POST /match``."""

from pydantic import BaseModel, Field, Json

from contracts import examples
from contracts.feedback import Answer, Verification
from contracts.images import PlaceBody
from contracts.names import CollectionName
from contracts.verification import DecisionBody, Language, LocationBody, VerdictBody

LEAST_CONSIDERED = 5
"""Places compared with every photo, however few are to be listed: a decision looks at those beside the first."""


class MatchFields(BaseModel):
    """The text fields that go with the photo."""

    top_k: int = Field(default=5, ge=1, le=50, description="how many places to list; at least five are considered")
    collection: CollectionName = "default"
    verify: bool = Field(default=True, description="false: answer from retrieval alone, faster and stricter")
    prompt_style: str | None = Field(default=None, max_length=50, description="for verifiers that use a prompt")
    explain: bool = Field(
        default=False,
        description="also give what is known anyway: agreeing points, matched regions, and reasons drawn from them",
    )
    reasons: bool = Field(
        default=False,
        description="also have a language model write why the answer is the answer: `written_reasons` of its verdict. "
        "Takes seconds; in events it comes after the answer, else the answer waits for it. Only where the photo is "
        "matched, and from verifiers that write",
    )
    location: Json[LocationBody] | None = Field(
        default=None, description="JSON: the visitor's position; places nearby become more likely, none is excluded"
    )
    language: Language | None = Field(
        default=None,
        description="language of the reasons; default: the first supported language of Accept-Language, else en",
    )


class MatchCandidate(BaseModel):
    """One place that was considered, in final order."""

    image_id: str
    photo: int = Field(default=0, description="index of the photo that it was found for, from 0")
    place: PlaceBody
    similarity: float = Field(description="cosine of the global embeddings, [-1, 1]")
    rank: int = Field(ge=1, description="final rank, after verification")
    retrieval_rank: int = Field(ge=1)
    verdict: VerdictBody | None = Field(description="null if nothing was verified")
    preview_url: str
    file_url: str


class ModelsBody(BaseModel):
    """Which models answered."""

    encoder: str
    verifier: str | None
    prompt_style: str | None = Field(
        default=None, description="prompt style used, with a digest of its texts; null: the verifier's own, or none"
    )


class MatchReply(BaseModel):
    """The answer to a photo. ``matched: false`` is an answer, not an error."""

    model_config = {"json_schema_extra": {"examples": [examples.MATCHED, examples.NOT_MATCHED]}}

    matched: bool
    answer: Answer = Field(
        description="`match`: as `matched`; `maybe`: not matched, but the first candidate may be it, so show it and "
        "ask; `none`: nothing in the collection. See `decision.maybe_threshold`"
    )
    place: PlaceBody | None = Field(description="the place, or null: not in the collection")
    confidence: float = Field(ge=0, le=1, description="confidence that the first candidate shows the query's place")
    decision: DecisionBody | None = Field(
        default=None, description="how the answer was decided; null if nothing was verified"
    )
    reason: str
    reasons: list[str] = Field(
        default_factory=list, description="with explain=true, where it was verified: why, in the language asked for"
    )
    reasons_in: dict[Language, list[str]] = Field(
        default_factory=dict, description="the same reasons in every language"
    )
    verification: Verification
    collection: str
    candidates: list[MatchCandidate]
    looks: int = Field(default=1, ge=1, description="number of looks at the photos: whole, enlarged, parts, turned")
    looks_left_out: bool = Field(
        default=False,
        description="true: nothing clear was found before the time budget ended, and further looks, such as at the "
        "photo turned by 90 degrees, were left out; under less load the answer may differ",
    )
    copies: list[int] = Field(
        default_factory=list,
        description="which of the photos sent, 0 for the first, are one sent before, whatever was done to the file; "
        "such a photo counts once",
    )
    timings_ms: dict[str, float] = Field(
        description="per stage, milliseconds. `retrieval_vector_search`, `retrieval_local_test`, "
        "`retrieval_further_looks` and `retrieval_second_features` are parts of `retrieval_search`; "
        "`verification_first_stage` and `verification_second_stage`, of verifiers that have them, are parts of "
        "`verification_verify`"
    )
    models: ModelsBody
    request_id: str
    cpu_ms: dict[str, float] = Field(
        default_factory=dict,
        description="per stage, milliseconds of work of all threads together; not of the stages that only wait or pass "
        "on. A photo that was encoded in a batch has its share of the batch",
    )
