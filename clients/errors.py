"""Errors between a process and the services that it calls.

ServiceError
├── ServiceRefused           a service refused the request or is busy; its answer is passed on unchanged
├── RetrievalUnavailable     the retrieval service cannot be reached
├── VerifierUnavailable      the verifier cannot be reached or failed, and verification is required
├── UnusableReply            a service failed, or its answer is not a valid reply
├── DeadlineExceeded         a service took longer than its timeout
└── OutOfTime                the caller's time limit, shorter than the service's timeout, has passed
"""

from pydantic import ValidationError

from contracts.errors import ErrorBody, ErrorCode, ErrorDetail

_ABOUT_PARTS = frozenset({ErrorCode.GALLERY_UNAVAILABLE, ErrorCode.BACKEND_UNAVAILABLE})


class ServiceError(Exception):
    """Base of everything below."""


class ServiceRefused(ServiceError):
    """An error answer of a service.

    Attributes:
        status: of the answer.
        body: of the answer, an ``ErrorBody`` as JSON.
        retry_after: the ``Retry-After`` header; None without one.
    """

    def __init__(self, status: int, body: bytes, retry_after: str | None) -> None:
        super().__init__(f"a service answered {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after

    @property
    def detail(self) -> ErrorDetail | None:
        """The service's error; None if the body is not an ``ErrorBody``."""
        try:
            return ErrorBody.model_validate_json(self.body).error
        except ValidationError:
            return None

    def for_visitors(self) -> "ServiceRefused":
        """The same error without details for operators: addresses, and messages of a database or server."""
        detail = self.detail
        if detail is None or detail.code not in _ABOUT_PARTS:
            return self
        detail.message = "there is no answer now, because a part of the system fails; try again soon"
        return ServiceRefused(self.status, ErrorBody(error=detail).model_dump_json().encode(), self.retry_after)


class RetrievalUnavailable(ServiceError):
    """The retrieval service cannot be reached."""


class VerifierUnavailable(ServiceError):
    """The verifier gave no verdicts."""


class UnusableReply(ServiceError):
    """A service failed, or its reply breaks the contract."""


class DeadlineExceeded(ServiceError):
    """A service took longer than its timeout."""


class OutOfTime(ServiceError):
    """The caller's time limit, shorter than the service's timeout, has passed. The service is not at fault."""
