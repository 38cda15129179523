"""The public wire of ``POST /match``."""

from typing import Literal

from pydantic import BaseModel, Field

from contracts.images import PlaceBody
from contracts.verification import VerdictBody


class MatchCandidate(BaseModel):
    """One place that was considered, in final order."""

    image_id: str
    place: PlaceBody
    similarity: float = Field(description="cosine of the global embeddings, [-1, 1]")
    rank: int = Field(ge=1, description="final rank, after verification")
    retrieval_rank: int = Field(ge=1)
    verdict: VerdictBody | None = Field(description="null when nothing was verified")
    preview_url: str
    file_url: str


class Models(BaseModel):
    """Which models answered."""

    encoder: str
    verifier: str | None


class MatchReply(BaseModel):
    """The answer to a photo. ``matched: false`` is an answer, not an error."""

    matched: bool
    place: PlaceBody | None = Field(description="the place, or null: not in the collection")
    confidence: float = Field(ge=0, le=1, description="that the first candidate shows the query's place")
    reason: str
    verification: Literal["done", "skipped", "unavailable"]
    collection: str
    candidates: list[MatchCandidate]
    timings_ms: dict[str, float] = Field(description="per stage, milliseconds")
    models: Models
    request_id: str
