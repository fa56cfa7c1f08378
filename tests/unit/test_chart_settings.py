"""The settings that the schema of the Helm chart's values knows: those of docserver, with their types and bounds."""

import json
from dataclasses import Field, fields
from typing import Any, get_type_hints

from docserver.setting_types import Auth, Costs, Hosts, Network, Origins, Ports, Rate, SandboxMode
from docserver.settings import CHOICES, REDIS_PREFIX, Settings
from tests.support.chart import CHART

OWN = {
    *("PORT", "METRICS_PORT", "DATA_DIR", "EMBEDDED", "SLOTS", "GRACE_S"),
    *("MYSQL_URL", "MYSQL_REPLICA_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY"),
}
"""Those that the chart sets itself, or that come from Secrets. The schema says which value is meant."""

KINDS = {
    bool: "flag",
    int: "whole",
    int | None: "whole",
    float: "number",
    str: "text",
    Rate: "rate",
    Ports: "portList",
    Hosts: "hosts",
    tuple[Network, ...]: "networks",
    Origins: "text",
    Costs: "costs",
}
"""The definitions in the schema. They accept numbers as text, too."""

ENUMS = {
    # Pods cannot be reached at other addresses: theirs are not known before they start.
    "host": ["0.0.0.0", "::"],
    # YAML reads `off` without quotes as false.
    "auth": [*Auth, False],
    "sandbox": [*SandboxMode, False, None],
    **{name: [*values, None] for name, values in CHOICES.items()},
}


def schema_of(setting: "Field[Any]") -> dict[str, Any]:
    """The schema that the chart must have for a setting."""
    if setting.name == "redis_prefix":
        # Helm repeats what does not match a pattern, and it may be a secret.
        others = REDIS_PREFIX.pattern.replace("[", "[^").replace("{1,64}", "|.{65}")
        return {"type": ["integer", "string", "null"], "not": {"type": "string", "pattern": others}}
    if setting.name in ENUMS:
        return {"enum": ENUMS[setting.name]}
    kind = {"$ref": f"#/definitions/{KINDS[get_type_hints(Settings)[setting.name]]}"}
    least, most = setting.metadata["least"], setting.metadata["most"]
    if least is None and most is None:
        return kind
    return {"allOf": [kind], "minimum": least, "maximum": most}


def test_the_chart_knows_the_settings_of_docserver_and_their_bounds() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    known = schema["properties"]["settings"]["properties"]
    assert {name for name, of_name in known.items() if of_name.keys() == {"const"}} == OWN
    assert {name: of_name for name, of_name in known.items() if name not in OWN} == {
        setting.name.upper(): schema_of(setting) for setting in fields(Settings) if setting.name.upper() not in OWN
    }
