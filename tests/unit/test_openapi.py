"""The OpenAPI document: valid, complete, and the same for every application."""

import re
from typing import Any

import orjson
import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from docserver import __version__
from docserver.setting_types import ROUTES
from docserver.sniff import SUPPORTED
from docserver.web.app import make_app
from docserver.web.documentation import DOCUMENT, DOCUMENT_3_0
from docserver.web.middleware import PUBLIC, UNLIMITED
from docserver.web.openapi_parts import BEFORE_LIMITS, IN_FORM_TOO
from tests.support import openapi

OWN = {"/", "/openapi.json", "/openapi-3.0.json", "/docs", "/docs/{name}"}
"""Routes about the interface, not of it."""


@pytest.fixture
def app() -> web.Application:
    return make_app(openapi.unused_resources())


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi.description()


def test_the_document_is_valid_openapi_in_both_versions(app: web.Application) -> None:
    newer, older = (orjson.loads(orjson.dumps(app[key]())) for key in (DOCUMENT, DOCUMENT_3_0))
    OpenAPIV31SpecValidator(newer).validate()
    OpenAPIV30SpecValidator(older).validate()

    assert (newer["openapi"], older["openapi"]) == ("3.1.0", "3.0.3")
    assert newer["info"]["version"] == older["info"]["version"] == __version__


def test_the_document_says_whose_it_is_and_where(document: Any) -> None:
    assert document["info"]["license"]["name"] == "MIT"
    assert document["info"].keys() >= {"title", "description", "contact"}
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_two_applications_of_one_process_are_described_alike(document: Any) -> None:
    second = make_app(openapi.unused_resources())[DOCUMENT]()

    assert orjson.loads(orjson.dumps(second)) == document


def test_every_route_is_described_with_its_methods_and_nothing_else_is(app: web.Application, document: Any) -> None:
    served = {
        (route.resource.canonical, route.method.lower())
        for route in app.router.routes()
        if route.resource and route.resource.canonical not in OWN and route.method != "HEAD"
    }

    assert {(path, method) for path, item in document["paths"].items() for method in item} == served


def test_every_route_has_a_name_and_is_either_limited_or_exempt(app: web.Application) -> None:
    served = [route.name for route in app.router.routes() if route.method != "HEAD"]

    assert sorted(map(str, served)) == sorted([*ROUTES, *PUBLIC, *UNLIMITED])


def test_every_limited_route_documents_its_limit_and_no_other_does(app: web.Application, document: Any) -> None:
    for route in app.router.routes():
        if route.resource and route.resource.canonical not in OWN and route.method != "HEAD":
            answers = document["paths"][route.resource.canonical][route.method.lower()]["responses"]
            # Any client may have too many connections.
            refused = openapi.resolved(document, answers["429"])
            assert ("RateLimit" in refused["headers"]) == (route.name in ROUTES), route.name


def test_every_parameter_in_a_path_is_described(document: Any) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            described = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert described == set(re.findall(r"{(\w+)}", path)), path


def test_every_operation_tells_what_it_answers_and_every_refusal_is_a_problem(document: Any) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            statuses = operation["responses"]
            assert any(status.startswith("2") for status in statuses), path
            assert operation["summary"]
            for status, answer in statuses.items():
                if status[0] in "45" and "/readyz" not in path:
                    content = openapi.resolved(document, answer)["content"]
                    assert content.keys() == {"application/problem+json"}, (path, status)


def test_every_answer_names_its_request_and_a_limited_one_what_is_left(document: Any) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            refused = openapi.resolved(document, operation["responses"]["429"])
            limits = {"RateLimit", "RateLimit-Policy"} & refused["headers"].keys()
            for status, answer in operation["responses"].items():
                expected = {"X-Request-ID"} | (limits if int(status) not in BEFORE_LIMITS else set())
                expected |= {"Retry-After"} if status in ("429", "503") else set()
                assert openapi.resolved(document, answer)["headers"].keys() >= expected, (path, status)


def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    names = [name for name, _ in openapi.operations(document)]

    assert len(set(names)) == len(names)


def test_every_link_leads_to_an_operation_and_gives_what_its_path_needs(document: Any) -> None:
    operations = dict(openapi.operations(document))
    links = [
        link
        for operation in operations.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]

    assert links
    for link in links:
        parameters = operations[link["operationId"]]["parameters"]
        needed = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert needed <= link["parameters"].keys() <= {parameter["name"] for parameter in parameters}
        assert link["description"]


@pytest.mark.parametrize(("text", "possible"), [("1", True), ("1-3,7", True), ("", False), ("0", False), ("a", False)])
def test_the_pattern_of_page_ranges_is_that_of_the_service(document: Any, text: str, possible: bool) -> None:
    operation = document["paths"]["/v1/documents/upload-document"]["post"]
    body = operation["requestBody"]["content"]["multipart/form-data"]["schema"]

    assert bool(re.search(body["properties"]["pages"]["pattern"], text)) is possible


def test_an_upload_has_a_file_and_the_options_that_the_service_takes(document: Any) -> None:
    operation = document["paths"]["/v1/documents/upload-document"]["post"]
    body = operation["requestBody"]["content"]["multipart/form-data"]["schema"]

    assert body["required"] == ["file"]
    assert (body["properties"]["file"]["type"], body["properties"]["file"]["format"]) == ("string", "binary")
    in_query = [parameter for parameter in operation["parameters"] if parameter["in"] == "query"]
    assert {parameter["description"] for parameter in in_query} == {IN_FORM_TOO}
    options = {parameter["name"] for parameter in in_query}
    assert (
        options
        == body["properties"].keys() - {"file", "password"}
        == {
            *(
                "languages",
                "mode",
                "rotate",
                "barcodes",
                "engine",
                "pages",
                "expires_in",
                "callback_url",
                "callback_secret",
            )
        }
    )


def test_the_list_describes_all_its_parameters_with_their_bounds(document: Any) -> None:
    parameters = {
        parameter["name"]: parameter["schema"]
        for parameter in document["paths"]["/v1/documents/list-document"]["get"]["parameters"]
        if parameter["in"] == "query"
    }

    assert parameters.keys() == {
        "limit",
        "offset",
        "cursor",
        "filename",
        "content_type",
        "date_from",
        "date_to",
        "status",
        "sort",
    }
    limit = parameters["limit"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 100, 10)
    assert parameters["sort"]["default"] == "created_at_desc"


def test_the_file_is_described_in_every_kind_that_it_can_have(document: Any) -> None:
    answer = document["paths"]["/v1/documents/{document_id}/file"]["get"]["responses"]["200"]

    assert answer["content"].keys() == set(SUPPORTED)


def test_the_shapes_of_jobs_and_problems_are_part_of_the_document(document: Any) -> None:
    shapes = document["components"]["schemas"]

    assert {"job_id", "status", "pages", "progress", "links"} <= shapes["Job"]["properties"].keys()
    assert {"type", "title", "status", "detail", "code"} <= shapes["Problem"]["properties"].keys()
