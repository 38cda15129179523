"""The retrieval service's wire: a photo in, candidates out.

``POST /search`` takes the raw photo as body (any accepted format) and the rest as query parameters.
The ``/index`` routes are shared with the gateway's public API; see ``images``.
"""

from pydantic import BaseModel, Field

from contracts.images import ImageBody
from contracts.names import CollectionName

SIGNATURE_SIDE = 32
"""Of a photo's signature, in numbers."""


class SearchParams(BaseModel):
    """The query parameters of ``POST /search``."""

    collection: CollectionName = "default"
    top_k: int = Field(default=5, ge=1, le=50, description="number of candidates, of different places if possible")
    features: bool = Field(default=True, description="return the photo's local features, to pass on to the verifier")
    signature: bool = Field(default=False, description="return the photo's signature, by which copies of it are known")
    copy_side: int | None = Field(
        default=None,
        ge=16,
        le=4096,
        description="return a copy of the photo with this longest side, pixels, to pass on to the verifier",
    )


class RetrievedCandidate(BaseModel):
    """A gallery image that may show the query's place."""

    image: ImageBody
    similarity: float = Field(description="cosine, [-1, 1]")
    rank: int = Field(ge=1)
    local_score: float | None = Field(default=None, description="evidence of the cheap local test, >= 0")


class RetrievalDecision(BaseModel):
    """What retrieval alone would answer: the stricter rule, used if nothing can be verified."""

    matched: bool
    confidence: float = Field(ge=0, le=1)
    reason: str


class SearchReply(BaseModel):
    """Candidates, best first, at most one image per place unless places run out."""

    candidates: list[RetrievedCandidate]
    further_views: list[RetrievedCandidate] = Field(
        default_factory=list, description="other images of the first places, to be verified with the candidates"
    )
    decision: RetrievalDecision
    collection: str | None = Field(
        default=None, description="that was searched, under the name that it has now; null: the one of the request"
    )
    encoder: str
    query_width: int
    query_height: int
    query_features: str | None = Field(
        default=None, description="the query's local features (base64), to pass on to the verifier"
    )
    query_copy: str | None = Field(
        default=None,
        description="the photo as a JPEG (base64) with the longest side `copy_side`; null: the photo itself serves as "
        "well, because it is not much larger, or because fewer pixels of it were decoded",
    )
    looks: int = Field(default=1, ge=1, description="number of looks at the photo: whole, enlarged, parts, turned")
    out_of_time: bool = Field(
        default=False,
        description="the time budget ended before a candidate agreed clearly; further looks were left out",
    )
    query_signature: str | None = Field(
        default=None, description="int8 [32, 32] (base64), zero mean: copies of one photo correlate by 0.98 or more"
    )
    timings_ms: dict[str, float]
    cpu_ms: dict[str, float] = Field(default_factory=dict, description="per stage, milliseconds of work of all threads")
