"""What ``POST /match`` tells, to those who accept ``text/event-stream``.

What it finds out while it works, then the reply, and with ``reasons=true`` what a model wrote about it.
"""

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


class ReasonsEvent(BaseModel):
    """With ``reasons=true``, after the reply: why it is the answer, in a model's words."""

    event: ClassVar[str] = "reasons"

    request_id: str
    image_id: str | None = Field(description="of the candidate that was compared; null where nothing was matched")
    written_reasons: str | None = Field(description="null where nothing was matched, or nothing could be written")
