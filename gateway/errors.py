"""The HTTP status and code of every error of the services' clients and of the keys file. Data only."""

from clients.errors import (
    DeadlineExceeded,
    OutOfTime,
    RetrievalUnavailable,
    ServiceError,
    UnusableReply,
    VerifierUnavailable,
)
from contracts.errors import ErrorCode
from serving.auth.keys import KeyRefused, KeysError, UnknownKey
from serving.errors import ErrorRow, ErrorTable

GATEWAY_ERRORS: ErrorTable = {
    RetrievalUnavailable: ErrorRow(503, ErrorCode.RETRIEVAL_UNAVAILABLE, retry_after_s=5),
    VerifierUnavailable: ErrorRow(503, ErrorCode.VERIFIER_UNAVAILABLE, retry_after_s=5),
    UnusableReply: ErrorRow(502, ErrorCode.RETRIEVAL_UNAVAILABLE),
    DeadlineExceeded: ErrorRow(504, ErrorCode.DEADLINE_EXCEEDED),
    OutOfTime: ErrorRow(504, ErrorCode.DEADLINE_EXCEEDED),
    ServiceError: ErrorRow(502, ErrorCode.INTERNAL),
    KeyRefused: ErrorRow(409, ErrorCode.INVALID_REQUEST),
    UnknownKey: ErrorRow(404, ErrorCode.NOT_FOUND),
    KeysError: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE),
}
