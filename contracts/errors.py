"""The one error shape every process answers with."""

from enum import StrEnum

from pydantic import BaseModel, Field

from contracts import examples


class ErrorCode(StrEnum):
    """Machine-readable causes. Callers branch on these, never on the message."""

    INVALID_REQUEST = "invalid_request"
    INVALID_IMAGE = "invalid_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNSUPPORTED_AUDIO = "unsupported_audio"
    IMAGE_TOO_LARGE = "image_too_large"
    UPLOAD_TOO_SLOW = "upload_too_slow"
    UNKNOWN_COLLECTION = "unknown_collection"
    UNKNOWN_PLACE = "unknown_place"
    UNKNOWN_IMAGE = "unknown_image"
    UNKNOWN_RECORDING = "unknown_recording"
    UNKNOWN_DELETION = "unknown_deletion"
    COLLECTION_EXISTS = "collection_exists"
    CHANGED_MEANWHILE = "changed_meanwhile"
    UNKNOWN_MATCH = "unknown_match"
    UNKNOWN_INBOX_PHOTO = "unknown_inbox_photo"
    EMPTY_GALLERY = "empty_gallery"
    ENCODER_MISMATCH = "encoder_mismatch"
    ALREADY_RUNNING = "already_running"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    RETRIEVAL_UNAVAILABLE = "retrieval_unavailable"
    VERIFIER_UNAVAILABLE = "verifier_unavailable"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    GALLERY_UNAVAILABLE = "gallery_unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INTERNAL = "internal"


class ErrorDetail(BaseModel):
    """What went wrong, for a program (``code``) and for a person (``message``, ``accepted``)."""

    code: ErrorCode
    message: str = Field(description="The fact, the value, and what to do.")
    accepted: str | None = Field(default=None, description="What would have been accepted, if known.")
    field: str | None = Field(default=None, description="The name of the wrong request field, if there is one.")


class ErrorBody(BaseModel):
    """Body of every 4xx and 5xx answer."""

    model_config = {"json_schema_extra": {"examples": [examples.ERROR]}}

    error: ErrorDetail
