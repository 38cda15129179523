"""What can go wrong between a process and the services that it asks.

ServiceError
├── ServiceRefused           a service answered with an error of the caller's making, or is busy: passed on unchanged
├── RetrievalUnavailable     cannot be reached
├── VerifierUnavailable      cannot be reached or failed, and verification is required
├── UnusableReply            a service failed or answered something that is no reply
├── DeadlineExceeded         a service took longer than its budget
└── OutOfTime                the caller would not wait as long as the service may take
"""

from pydantic import ValidationError

from contracts.errors import ErrorBody, ErrorCode, ErrorDetail

_ABOUT_PARTS = frozenset({ErrorCode.GALLERY_UNAVAILABLE, ErrorCode.BACKEND_UNAVAILABLE})


class ServiceError(Exception):
    """Base of everything below."""


class ServiceRefused(ServiceError):
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

    @property
    def detail(self) -> ErrorDetail | None:
        """What the service said; None where the answer has another shape than the services' own."""
        try:
            return ErrorBody.model_validate_json(self.body).error
        except ValidationError:
            return None

    def for_visitors(self) -> "ServiceRefused":
        """The same without what only operators should read: addresses, and what a database or a server said."""
        detail = self.detail
        if detail is None or detail.code not in _ABOUT_PARTS:
            return self
        detail.message = "there is no answer now, because a part of the system fails; try again soon"
        return ServiceRefused(self.status, ErrorBody(error=detail).model_dump_json().encode(), self.retry_after)


class RetrievalUnavailable(ServiceError):
    """Without retrieval there is nothing to answer from."""


class VerifierUnavailable(ServiceError):
    """The verifier gave no verdicts."""


class UnusableReply(ServiceError):
    """A service failed, or its reply breaks the contract."""


class DeadlineExceeded(ServiceError):
    """A service took longer than its budget."""


class OutOfTime(ServiceError):
    """The caller's own limit left a service less than its budget, and that was not enough: no fault of the service."""
