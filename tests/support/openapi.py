"""The OpenAPI document of the application, and its parts: operations, contents, parameters, headers and schemas."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import orjson

from docserver.resources import Resources
from docserver.settings import Settings
from docserver.web.app import make_app
from docserver.web.documentation import DOCUMENT

METHODS = ("get", "put", "post", "delete")


def unused_resources() -> Resources:
    """The routes need no resources until they are asked."""
    return Mock(spec=Resources, reads=None, redis=None, settings=Settings())


def description() -> Any:
    """The document as clients get it."""
    return orjson.loads(orjson.dumps(make_app(unused_resources())[DOCUMENT]()))


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    """Each operation with its id."""
    for item in document["paths"].values():
        for method, operation in item.items():
            assert method in METHODS
            yield operation["operationId"], operation


def resolved(document: Any, part: Any) -> Any:
    """The part that a reference leads to, or the part itself."""
    while "$ref" in part and len(part) == 1:
        target = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def contents(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Each body of a request or response: where it is, its media type, and what is said of it."""
    for name, operation in operations(document):
        bodies = {"request": operation["requestBody"]} if "requestBody" in operation else {}
        for place, body in (bodies | operation["responses"]).items():
            for media_type, content in resolved(document, body).get("content", {}).items():
                yield f"{name} {place}", media_type, content


def parameters(document: Any) -> Iterator[tuple[str, Any]]:
    """Each parameter with its place."""
    for name, operation in operations(document):
        for parameter in operation["parameters"]:
            yield f"{name} {parameter['in']} {parameter['name']}", parameter


def response_headers(document: Any) -> Iterator[tuple[str, Any]]:
    """Each header of a response with its place."""
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            for header, described in resolved(document, answer)["headers"].items():
                yield f"{name} {status} {header}", resolved(document, described)


def properties(document: Any) -> Iterator[tuple[str, Any]]:
    """Each property of a schema, with its place: of components, and of the bodies of requests and responses."""
    for name, schema in document["components"]["schemas"].items():
        yield from _properties(name, schema)
    for place, _, content in contents(document):
        yield from _properties(place, content["schema"])


def _properties(place: str, schema: Any) -> Iterator[tuple[str, Any]]:
    for name, its in schema.get("properties", {}).items():
        yield f"{place}.{name}", its
        yield from _properties(f"{place}.{name}", its)
    if isinstance(schema.get("items"), dict):
        yield from _properties(f"{place}[]", schema["items"])


def schemas(part: Any) -> Iterator[Any]:
    """Each schema in a part of a document: whatever has a type, an enumeration or alternatives."""
    if isinstance(part, list):
        for item in part:
            yield from schemas(item)
    elif isinstance(part, dict):
        if part.keys() & {"type", "enum", "anyOf", "allOf", "properties"}:
            yield part
        for key, value in part.items():
            if key not in ("example", "examples", "value", "default", "enum"):
                yield from schemas(value)


def closed(document: Any) -> Any:
    """The document with objects that have no more than their properties, so that a member that nobody described is
    found."""
    if isinstance(document, list):
        return [closed(item) for item in document]
    if not isinstance(document, dict):
        return document
    closed_parts = {key: closed(value) for key, value in document.items()}
    is_object = isinstance(document.get("properties"), dict) and document.get("type") == "object"
    return {"additionalProperties": False, **closed_parts} if is_object else closed_parts
