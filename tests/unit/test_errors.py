"""The errors that clients meet: one status and code each, and the codes are those that were published."""

import inspect
import re

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request

from docserver import errors
from docserver.errors import DocumentErrorCode, Failure, ServiceError, Unprocessable
from docserver.web import problems

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, ServiceError) and found.__module__ == errors.__name__
]

STATUSES = {
    "internal_error": 500,
    "bad_request": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "request_timeout": 408,
    "conflict": 409,
    "not_ready": 409,
    "job_failed": 409,
    "deleted": 410,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "expectation_failed": 417,
    "invalid": 422,
    "rate_limited": 429,
    "unavailable": 503,
    "database_unavailable": 503,
    "redis_unavailable": 503,
    "storage_full": 507,
}
"""Published: a client may rely on each."""

DOCUMENT_CODES = {
    "encrypted": False,
    "corrupt": False,
    "unsupported": False,
    "empty": False,
    "page_out_of_range": False,
    "too_many_pages": False,
    "too_many_pixels": False,
    "page_timeout": True,
    "out_of_memory": True,
    "engine_crashed": True,
    "storage_missing": False,
    "lost": True,
}
"""Published codes of documents and pages, and whether sending the same again could end better."""


def test_every_published_error_has_the_status_it_was_published_with() -> None:
    statuses = {error.code: error.status for error in CLASSES}

    assert {code: statuses.get(code) for code in STATUSES} == STATUSES


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in CLASSES]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("found", CLASSES)
def test_every_error_has_a_code_and_a_title_fit_to_be_shown(found: type[ServiceError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", found.code)
    assert found.title
    assert 400 <= found.status < 600


def test_the_documentation_explains_every_status() -> None:
    # 405 and 500 are those of no operation.
    assert {error.status for error in CLASSES} - {405, 500} <= problems.DESCRIPTIONS.keys()


def test_the_codes_of_documents_are_those_that_were_published() -> None:
    codes = {code.value: Failure(code, "m").retryable for code in DocumentErrorCode}

    assert {code: codes.get(code) for code in DOCUMENT_CODES} == DOCUMENT_CODES


def test_an_error_carries_its_own_copies_of_what_it_was_given() -> None:
    headers = {"Retry-After": "1"}
    error = ServiceError("detail", headers=headers)

    error.headers["X"] = "y"

    assert headers == {"Retry-After": "1"}
    assert (str(error), error.detail, error.errors, error.extra) == ("detail", "detail", [], {})


def test_an_error_is_told_though_it_speaks_of_what_is_no_text() -> None:
    # aiohttp reads a part's name from a header, where bytes that are no UTF-8 become lone surrogates.
    odd = "colour\udcff"
    error = Unprocessable(f"{odd}: Unknown field.", errors=[{"detail": "Unknown field.", "pointer": f"/{odd}"}])

    response = problems.response(make_mocked_request("POST", "/"), error)

    assert isinstance(response.body, bytes)
    problem = orjson.loads(response.body)
    assert (response.status, problem["code"]) == (422, "invalid")
    assert problem["errors"][0]["pointer"].startswith("/colour")
