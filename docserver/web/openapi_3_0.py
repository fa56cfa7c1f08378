"""Turns an OpenAPI 3.1 document into 3.0, for programs that know no newer version."""

from typing import Any

VERSION = "3.0.3"

_NULL = {"type": "null"}
_NULL_3_0 = {"type": "object", "nullable": True, "enum": [None]}

_VALUES = ("example", "value", "default", "enum")
"""Members that have values and no parts of a description."""


def as_3_0(document: dict[str, Any]) -> dict[str, Any]:
    """The same document in OpenAPI 3.0.

    Only what 3.0 writes in another way differs: null, the `examples` of schemas, and what stands beside a `$ref`. The
    webhooks are left out, because 3.0 has none.
    """
    converted: dict[str, Any] = _converted({name: part for name, part in document.items() if name != "webhooks"})
    return {**converted, "openapi": VERSION}


def _converted(node: Any) -> Any:
    if isinstance(node, list):
        return [_NULL_3_0 if item == _NULL else _converted(item) for item in node]
    if not isinstance(node, dict):
        return node
    converted = {
        key: {name: _converted(its) for name, its in value.items()}
        # A property may have the name of any member.
        if key == "properties"
        else value
        if key in _VALUES
        else _converted(value)
        for key, value in node.items()
    }
    if isinstance(node.get("type"), list):
        converted["type"], converted["nullable"] = node["type"][0], True
    if isinstance(node.get("examples"), list):
        converted["example"] = converted.pop("examples")[0]
    if "$ref" in node and len(node) > 1:
        converted["allOf"] = [{"$ref": converted.pop("$ref")}]
    return converted
