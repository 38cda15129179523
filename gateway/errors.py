"""The HTTP status and code of every error of the services' clients. Data only."""

from clients.errors import (
    DeadlineExceeded,
    OutOfTime,
    RetrievalUnavailable,
    ServiceError,
    UnusableReply,
    VerifierUnavailable,
)
from contracts.errors import ErrorCode
from serving.errors import ErrorRow, ErrorTable

GATEWAY_ERRORS: ErrorTable = {
    RetrievalUnavailable: ErrorRow(503, ErrorCode.RETRIEVAL_UNAVAILABLE, retry_after_s=5),
    VerifierUnavailable: ErrorRow(503, ErrorCode.VERIFIER_UNAVAILABLE, retry_after_s=5),
    UnusableReply: ErrorRow(502, ErrorCode.RETRIEVAL_UNAVAILABLE),
    DeadlineExceeded: ErrorRow(504, ErrorCode.DEADLINE_EXCEEDED),
    OutOfTime: ErrorRow(504, ErrorCode.DEADLINE_EXCEEDED),
    ServiceError: ErrorRow(502, ErrorCode.INTERNAL),
}
