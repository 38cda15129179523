"""The events that a webhook receives, in the form of Standard Webhooks (https://www.standardwebhooks.com)."""

from typing import Literal

from pydantic import BaseModel, Field

from contracts.feedback import FeedbackReply

_AT = "when it happened: UTC, ISO 8601"


class FeedbackGiven(BaseModel):
    """Somebody has said whether an answer was right."""

    type: Literal["feedback.given"] = "feedback.given"
    timestamp: str = Field(description=_AT)
    data: FeedbackReply


class HealthProblems(BaseModel):
    """The problems of a collection now, and at the check before."""

    collection: str
    faulty_photos: int
    similar_places: int = Field(description="pairs of places that may be confused")
    former_faulty_photos: int
    former_similar_places: int


class HealthWorse(BaseModel):
    """A daily check of a collection has found more problems than the one before."""

    type: Literal["health.worse"] = "health.worse"
    timestamp: str = Field(description=_AT)
    data: HealthProblems


class UnusualWeek(BaseModel):
    """A week whose answers differ from those before."""

    collection: str
    week: str = Field(description="its Monday")
    en: str
    zh: str


class DriftFound(BaseModel):
    """The answers of a collection have changed; sent once for every unusual week."""

    type: Literal["drift.found"] = "drift.found"
    timestamp: str = Field(description=_AT)
    data: UnusualWeek


WebhookEvent = FeedbackGiven | HealthWorse | DriftFound

WEBHOOK_EVENTS: tuple[type[WebhookEvent], ...] = (FeedbackGiven, HealthWorse, DriftFound)
