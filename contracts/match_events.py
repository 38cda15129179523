"""What ``POST /match`` tells while it works, to those who accept ``text/event-stream``; the last event is the reply."""

from typing import ClassVar

from pydantic import BaseModel, Field

from contracts.matching import MatchCandidate


class CandidatesEvent(BaseModel):
    """What was found, in retrieval's order; nothing is decided yet."""

    event: ClassVar[str] = "candidates"

    request_id: str
    collection: str
    candidates: list[MatchCandidate] = Field(description="without verdicts; `rank` is retrieval's")
    verifying: bool = Field(description="true: the candidates are now verified; false: the answer follows at once")


class VerdictEvent(BaseModel):
    """One candidate has been compared closely. The evidence comes with the reply."""

    event: ClassVar[str] = "verdict"

    image_id: str
    photo: int = Field(default=0, description="index of the photo that it was compared with, from 0")
    is_match: bool
    confidence: float = Field(ge=0, le=1)
