"""Every error that is raised on purpose has its own answer."""

import inspect
from types import ModuleType

import pytest

import clients.errors
import core.errors
import serving.auth.keys
import serving.errors
from clients.errors import ServiceError, ServiceRefused
from contracts.errors import ErrorCode
from gateway.errors import GATEWAY_ERRORS
from services.errors import CORE_ERRORS
from serving.auth.keys import KeysError
from serving.errors import SERVING_ERRORS, ErrorTable, ServingError

# Answered by a handler of its own, with the service's own body.
PASSED_ON = {ServiceRefused}


def errors_of(module: ModuleType, base: type[Exception]) -> set[type[Exception]]:
    """The error classes a module defines."""
    return {found for _, found in inspect.getmembers(module, inspect.isclass) if issubclass(found, base)}


@pytest.mark.parametrize(
    ("errors", "table"),
    [
        (errors_of(core.errors, core.errors.SemanticMatchError), CORE_ERRORS),
        (errors_of(serving.errors, ServingError), SERVING_ERRORS),
        (errors_of(clients.errors, ServiceError) | errors_of(serving.auth.keys, KeysError), GATEWAY_ERRORS),
    ],
    ids=["services", "serving", "gateway"],
)
def test_every_error_class_has_its_own_row(errors: set[type[Exception]], table: ErrorTable):
    """A new error class without a row fails here, not in front of a visitor."""
    abstract = {ServingError}

    assert errors - PASSED_ON - abstract == set(table) - abstract


def test_callers_faults_are_4xx_and_ours_are_5xx():
    """The status class says whose fault an error is, and only what may pass later asks to come back."""
    rows = [row for table in (CORE_ERRORS, SERVING_ERRORS, GATEWAY_ERRORS) for row in table.values()]
    ours = {
        ErrorCode.OVERLOADED, ErrorCode.BACKEND_UNAVAILABLE, ErrorCode.GALLERY_UNAVAILABLE, ErrorCode.INTERNAL,
        ErrorCode.RETRIEVAL_UNAVAILABLE, ErrorCode.VERIFIER_UNAVAILABLE, ErrorCode.DEADLINE_EXCEEDED,
    }  # fmt: skip

    assert all((row.status >= 500) == (row.code in ours) for row in rows)
    assert all(row.status == 503 for row in rows if row.retry_after_s is not None)


def test_every_code_is_in_use():
    """No code is promised that nothing answers with."""
    by_status = {ErrorCode.NOT_FOUND, ErrorCode.METHOD_NOT_ALLOWED}
    used = {row.code for table in (CORE_ERRORS, SERVING_ERRORS, GATEWAY_ERRORS) for row in table.values()}

    assert used | by_status == set(ErrorCode)
