"""What can go wrong between the gateway and its services, and how it is answered.

GatewayError
├── ServiceRefused           a service answered with an error of the caller's making, or is busy: passed on unchanged
├── RetrievalUnavailable     cannot be reached
├── VerifierUnavailable      cannot be reached or failed, and verification is required
├── UnusableReply            a service failed or answered something that is no reply
├── AlreadyCalibrating       another calibration is being made
├── DeadlineExceeded         a service took longer than its budget
└── OutOfTime                the caller would not wait as long as the service may take
"""

from pydantic import ValidationError

from contracts.errors import ErrorBody, ErrorCode
from serving.errors import ErrorRow, ErrorTable

_ABOUT_PARTS = frozenset({ErrorCode.GALLERY_UNAVAILABLE, ErrorCode.BACKEND_UNAVAILABLE})


class GatewayError(Exception):
    """Base of everything below."""


class ServiceRefused(GatewayError):
    """A service's own error answer.

    Attributes:
        status: of the answer.
        body: of the answer, an ``ErrorBody`` as JSON.
        retry_after: the header of that name, where there was one.
    """

    def __init__(self, status: int, body: bytes, retry_after: str | None) -> None:
        super().__init__(f"a service answered {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after

    def for_visitors(self) -> "ServiceRefused":
        """The same without what only operators should read: addresses, and what a database or a server said."""
        try:
            body = ErrorBody.model_validate_json(self.body)
        except ValidationError:
            return self
        if body.error.code not in _ABOUT_PARTS:
            return self
        body.error.message = "there is no answer now, because a part of the system fails; try again soon"
        return ServiceRefused(self.status, body.model_dump_json().encode(), self.retry_after)


class RetrievalUnavailable(GatewayError):
    """Without retrieval there is nothing to answer from."""


class VerifierUnavailable(GatewayError):
    """The verifier gave no verdicts."""


class UnusableReply(GatewayError):
    """A service failed, or its reply breaks the contract."""


class AlreadyCalibrating(GatewayError):
    """Calibrations are made one at a time."""


class DeadlineExceeded(GatewayError):
    """A service took longer than its budget."""


class OutOfTime(GatewayError):
    """The caller's own limit left a service less than its budget, and that was not enough: no fault of the service."""


GATEWAY_ERRORS: ErrorTable = {
    RetrievalUnavailable: ErrorRow(503, ErrorCode.RETRIEVAL_UNAVAILABLE, retry_after_s=5),
    VerifierUnavailable: ErrorRow(503, ErrorCode.VERIFIER_UNAVAILABLE, retry_after_s=5),
    UnusableReply: ErrorRow(502, ErrorCode.RETRIEVAL_UNAVAILABLE),
    DeadlineExceeded: ErrorRow(504, ErrorCode.DEADLINE_EXCEEDED),
    OutOfTime: ErrorRow(504, ErrorCode.DEADLINE_EXCEEDED),
    AlreadyCalibrating: ErrorRow(
        409, ErrorCode.ALREADY_RUNNING, accepted="when it has ended, or was cancelled: DELETE"
    ),
    GatewayError: ErrorRow(502, ErrorCode.INTERNAL),
}
