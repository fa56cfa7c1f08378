"""The OpenAPI document tells everything: each part has a description, and each body an example that fits its schema."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from openapi_schema_validator import OAS30Validator, OAS31Validator

from docserver.web import enumerations
from docserver.web.openapi_3_0 import as_3_0
from docserver.webhook_types import EventType
from docserver.webhooks.signing import signed_headers
from tests.support import openapi
from tests.support.receiver import SECRET

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"

SENTENCE = re.compile(r"[A-Zn0-9`].*[^.]\.", re.DOTALL)
"""What describes something; n begins null."""

VERBS = ("begin", "cancel", "complete", "create", "delete", "enable", "get", "list", "post", "put", "replay", "retry")
MORE_VERBS = ("inspect", "revoke", "rotate", "search", "set", "test", "upload")


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi.description()


@pytest.fixture(scope="module", params=[OAS31Validator, OAS30Validator])
def either(request: pytest.FixtureRequest, document: Any) -> Any:
    """The document in both versions, each with what checks values. Objects may have only what is described."""
    closed = openapi.closed(document if request.param is OAS31Validator else as_3_0(document))
    return closed, request.param({"components": closed["components"]})


def errors(checks: Any, schema: Any, value: Any) -> list[str]:
    """What is wrong with a value, by a schema with references into the document."""
    return [error.message for error in checks.evolve(schema=schema).iter_errors(value)]


def test_every_operation_has_a_summary_and_a_description_and_a_tag_that_is_described(document: Any) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    for name, operation in openapi.operations(document):
        assert operation["summary"], name
        assert not operation["summary"].endswith("."), name
        assert operation["description"].endswith("."), name
        assert tags[operation["tags"][0]], name


def test_every_operation_is_named_by_a_verb_and_what_it_acts_on(document: Any) -> None:
    for name, _ in openapi.operations(document):
        assert re.fullmatch(rf"({'|'.join((*VERBS, *MORE_VERBS))})(_[a-z]+)+", name), name


def test_every_parameter_has_a_description_and_an_example_that_fits(either: Any) -> None:
    described, checks = either
    for place, parameter in openapi.parameters(described):
        schema = parameter["schema"]
        assert parameter["description"].strip().endswith("."), place
        example = schema["examples"][0] if "examples" in schema else schema["example"]
        assert errors(checks, schema, example) == [], place


def test_every_header_of_a_response_has_a_description_and_an_example_that_fits(either: Any) -> None:
    described, checks = either
    for place, header in openapi.response_headers(described):
        assert header["description"], place
        assert errors(checks, header["schema"], header["example"]) == [], place


def test_every_property_of_every_schema_has_a_description(document: Any) -> None:
    assert [place for place, schema in openapi.properties(document) if not schema.get("description")] == []
    assert [name for name, schema in document["components"]["schemas"].items() if not schema.get("description")] == []


def test_every_body_of_a_request_and_every_response_has_a_description(document: Any) -> None:
    for name, operation in openapi.operations(document):
        for place, body in {"request": operation.get("requestBody"), **operation["responses"]}.items():
            assert body is None or openapi.resolved(document, body)["description"], (name, place)


def test_every_body_that_is_text_has_an_example_that_fits_its_schema(either: Any) -> None:
    described, checks = either
    for place, media_type, content in openapi.contents(described):
        examples = {
            name: openapi.resolved(described, its)["value"] for name, its in content.get("examples", {}).items()
        }
        if "example" in content:
            examples["example"] = content["example"]
        assert examples or content["schema"].get("format") == "binary", (place, media_type)
        for name, example in examples.items():
            assert errors(checks, content["schema"], example) == [], (place, name)


def test_every_operation_has_an_example(document: Any) -> None:
    exemplified = {place.split()[0] for place, _, content in openapi.contents(document) if content.keys() > {"schema"}}

    assert {name for name, _ in openapi.operations(document)} == exemplified


def test_the_examples_of_a_problem_have_the_status_that_they_explain(document: Any) -> None:
    for place, media_type, content in openapi.contents(document):
        if media_type == "application/problem+json":
            for name, reference in content["examples"].items():
                problem = openapi.resolved(document, reference)["value"]
                assert (str(problem["status"]), problem["code"]) == (place.split()[1], name)


def test_every_enumeration_has_a_name(document: Any) -> None:
    components = document["components"]["schemas"]
    named = [components[name]["enum"] for name in enumerations.ENUMERATIONS]

    assert [schema["enum"] for schema in openapi.schemas(document) if "enum" in schema] == named
    assert len({tuple(values) for values in named}) == len(named)


def test_null_is_a_value_where_it_is_described_as_one_and_nowhere_else(either: Any) -> None:
    described, checks = either
    job = {"$ref": "#/components/schemas/Job"}
    pending = next(
        content["example"] for place, _, content in openapi.contents(described) if place == "upload_document 202"
    )
    assert (pending["error"], pending["engine"], pending["pages"]["total"]) == (None, None, None)

    entry = {"$ref": "#/components/schemas/HistoryEntry"}
    (ended,) = next(
        content["example"]["history"] for place, _, content in openapi.contents(described) if place == "get_job 200"
    )
    assert errors(checks, entry, {**ended, "code": "lost"}) == errors(checks, entry, {**ended, "code": None}) == []
    assert errors(checks, entry, {**ended, "code": "unknown"})
    assert errors(checks, job, {**pending, "error": {}})
    assert errors(checks, job, {**pending, "status": None})
    assert errors(checks, job, {**pending, "progress": None})


def test_answers_may_have_more_fields_and_requests_may_not(document: Any) -> None:
    closed = {name for name, its in document["components"]["schemas"].items() if "additionalProperties" in its}

    assert {"NewKey", "NewWebhook", "BegunUpload"} <= closed
    assert closed.isdisjoint({"Job", "Document", "DocumentList", "Result", "Page", "Problem", "Usage", "Key"})


def test_both_versions_differ_only_in_how_they_write_the_same(document: Any) -> None:
    older = as_3_0(document)
    written = orjson.dumps(older)

    assert older.keys() == document.keys() - {"webhooks"}
    assert older["paths"].keys() == document["paths"].keys()
    assert older["components"]["examples"] == document["components"]["examples"]
    assert b'"null"' not in written
    assert b'"examples":[' not in written


def test_every_webhook_is_described_with_a_body_that_the_service_would_send(document: Any) -> None:
    closed = openapi.closed(document)
    checks = OAS31Validator({"components": closed["components"]})

    headers = signed_headers(UUID(int=1), 0, b"", signing_secrets=[SECRET]).keys()
    assert document["webhooks"].keys() == set(EventType)
    for name, item in closed["webhooks"].items():
        operation = item["post"]
        assert operation["summary"], name
        assert SENTENCE.fullmatch(operation["description"]), name
        assert {its["name"] for its in operation["parameters"]} == headers, name
        content = operation["requestBody"]["content"]["application/json"]
        assert content["example"]["type"] == name
        assert errors(checks, content["schema"], content["example"]) == [], name


def test_what_is_deprecated_is_announced(document: Any) -> None:
    deprecated = {
        *(name for name, operation in openapi.operations(document) if operation.get("deprecated")),
        *(place for place, parameter in openapi.parameters(document) if parameter.get("deprecated")),
        *(place for place, schema in openapi.properties(document) if schema.get("deprecated")),
    }
    announced = re.findall(r"^### Deprecated$", CHANGELOG.read_text(), re.MULTILINE)

    assert bool(deprecated) == bool(announced)
