"""Values that cannot work, which the schema of the Helm chart refuses, and unusual ones that it accepts.

All but the last tests apply the schema without Helm, which takes most of a second for each set of values.
"""

from typing import Any

import pytest
import yaml

from tests.support.chart import Helm, faults, refused


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    values: dict[str, Any] = value
    return values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.repository", "Docserver"),
        ("image.repository", "https://registry.example.org/docserver"),
        ("image.repository", "docserver:0.1.0"),
        ("image.repository", "docserver/"),
        ("image.tag", 1.1),
        ("image.tag", "a b"),
        ("image.digest", "sha256:abc"),
        ("image.pullPolicy", "always"),
        ("imagePullSecrets", ["registry"]),
        ("nameOverride", "A b:c"),
        ("fullnameOverride", "A_B"),
        ("fullnameOverride", "a" * 64),
        ("settings.AUTH", "nonsense"),
        ("settings.AUTH", None),
        ("settings.AUHT", "keys"),
        ("settings.AWS_SECRET_ACCESS_KEY", "hidden"),
        ("settings.STORAGE_URL", "s3://documents"),
        ("settings.PORT", 80),
        ("settings.DOCSERVER_AUTH", "keys"),
        ("settings.HOST", "127.0.0.1"),
        ("settings.HOST", "localhost"),
        # With API keys, the metrics' port would be this machine's alone.
        ("settings.HOST", ""),
        ("settings.HOST", None),
        ("settings.MAX_UPLOAD_MB", -1),
        ("settings.MAX_UPLOAD_MB", "-1"),
        ("settings.MAX_PAGES", "many"),
        ("settings.MAX_PAGES", 1.5),
        ("settings.DEDUPLICATE", "maybe"),
        ("settings.SANDBOX", True),
        ("settings.LOG_LEVEL", "LOUD"),
        ("settings.RATE_LIMIT_READS", "10 per second"),
        ("settings.RATE_LIMIT_COSTS", "password=hidden"),
        ("settings.WEBHOOK_PORTS", 0),
        ("settings.ALLOWED_HOSTS", "https://docs.example.org"),
        ("settings.TRUSTED_PROXIES", "ingress"),
        ("settings.REDIS_PREFIX", "a b{"),
        ("secrets.secretKey", None),
        ("secrets.mysqlUrl", {"name": ""}),
        ("secrets.redisUrl", {"name": "a b"}),
        ("storage.size", "abc"),
        # Bytes.
        ("storage.size", "100"),
        ("storage.size", "0Gi"),
        ("storage.size", "-1Gi"),
        ("storage.localSize", "20 Gi"),
        ("storage.localSize", "20GB"),
        ("storage.existingClaim", "a_b"),
        ("api.replicas", -1),
        ("api.replicas", "2"),
        ("api.replicas", 10**12),
        ("api.graceSeconds", -1),
        ("api.graceSeconds", "25s"),
        ("api.podLabels", {"a": "b c"}),
        ("api.podLabels", {"a b": "c"}),
        ("api.podLabels", {"app.kubernetes.io/component": "web"}),
        ("worker.podLabels", {"app.kubernetes.io/name": "docserver"}),
        ("api.podAnnotations", {"a": 1}),
        ("api.podAnnotations", {"a/b/c": "d"}),
        ("api.nodeSelector", {"a": True}),
        ("api.resources", {"memory": "1Gi"}),
        ("api.resources", {"limits": {"memory": "1Gb"}}),
        ("api.resources", {"limits": {"memory": "500m"}}),
        ("api.resources", {"limits": {"memory": "-1"}}),
        ("api.resources", {"requests": {"cpu": -1}}),
        ("api.resources", {"requests": {"cpu": "two"}}),
        ("api.resources", {"requests": {"cpus": 2}}),
        ("api.resources", {"limits": {"nvidia.com/gpu": 1.5}}),
        ("api.tolerations", {"key": "a"}),
        ("worker.slotz", 2),
        ("worker.slots", 0),
        ("worker.slots", None),
        ("keda.maxReplicas", 0),
        ("keda.minReplicas", -1),
        ("keda.pollingInterval", 0),
        ("keda.cooldownPeriod", "5m"),
        ("keda.enabled", "yes"),
        ("migrations.activeDeadlineSeconds", 0),
        ("service.type", "ExternalName"),
        ("service.port", 0),
        ("service.port", 65536),
        ("service.port", "http"),
        ("service.annotations", {"a": False}),
        ("ingress.enabled", True),
        ("ingress.hosts", ["a b"]),
        ("ingress.hosts", ["10.0.0.1"]),
        ("ingress.hosts", ["https://docs.example.org"]),
        ("ingress.hosts", ["docs.example.org:443"]),
        ("ingress.hosts", [f"{'a' * 64}.example.org"]),
        ("ingress.hosts", ["a.example.org", "a.example.org"]),
        ("ingress.hosts", [{"host": "docs.example.org"}]),
        ("ingress.annotations", {"nginx.ingress.kubernetes.io/proxy-body-size": 0}),
        ("serviceMonitor.interval", "often"),
        ("serviceMonitor.interval", "15"),
        ("serviceMonitor.interval", "0s"),
        ("serviceMonitor.interval", "1s1m"),
        ("podDisruptionBudget", {"minAvailable": 1, "maxUnavailable": 1}),
        # A rule of egress without ports would allow all.
        ("networkPolicy.redisPorts", []),
        ("networkPolicy.mysqlPorts", [0]),
        ("networkPolicy.webhookPorts", ["https"]),
        # A peer that is empty is none.
        ("networkPolicy.apiFrom", [{}]),
        ("serviceAccount.name", "a b"),
        ("podSecurityContext.runAsUser", 0),
        ("podSecurityContext.fsGroup", -1),
        ("podSecurityContext.runAsNonRoot", False),
        ("extraEnv", {"A": "b"}),
        ("extraEnv", [{"value": "a"}]),
        ("extraEnv", [{"name": "A=B", "value": "a"}]),
        ("extraEnv", [{"name": "A", "value": 1}]),
        ("extraEnv", [{"name": "A", "secretKeyRef": {"name": "a", "key": "b"}}]),
        ("extraEnv", [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a"}}}]),
        ("extraEnv", [{"name": "A", "value": "a", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]),
        ("extraEnv", [{"name": "DOCSERVER_EMBEDDED", "value": "on"}]),
        ("extraEnv", [{"name": "DOCSERVER_LANGUAGE", "value": "deu"}]),
        # Workers have one of their own.
        ("extraEnv", [{"name": "DOCSERVER_WEBHOOK_CONNECTIONS", "value": "5"}]),
        ("extraEnv", [{"name": "docserver_auth", "value": "off"}]),
        ("extraVolumes", [{"name": "A_B", "configMap": {"name": "a"}}]),
        ("extraVolumeMounts", [{"name": "a"}]),
        ("extraVolumeMounts", [{"name": "a", "mountPath": "certificates"}]),
        ("extraVolumeMounts", [{"name": "a", "mountPath": "/"}]),
    ],
    ids=str,
)
def test_values_that_cannot_work_are_refused(path: str, value: Any) -> None:
    places = refused(nested(path, value))

    assert places
    assert all(place.startswith(f"$.{path.split('.', maxsplit=1)[0]}") for place in places)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.repository", "localhost:5000/team/docserver"),
        ("image.repository", "123.dkr.ecr.eu-1.amazonaws.com/doc__server/a-b"),
        ("image.repository", "[2001:db8::1]:5000/docserver"),
        ("image.digest", f"sha256:{'0' * 64}"),
        ("settings.HOST", "::"),
        ("settings.MAX_PAGES", "100"),
        ("settings.MAX_UPLOAD_MB", "0.5"),
        ("settings.DEDUPLICATE", "off"),
        ("settings.DEDUPLICATE", False),
        ("settings.SANDBOX", False),
        ("settings.RETENTION_S", ""),
        ("settings.RATE_LIMIT_DEFAULT", "60 / 60"),
        ("settings.REDIS_PREFIX", 123),
        ("settings.RATE_LIMIT_COSTS", "keys=2, create-key=5"),
        ("settings.WEBHOOK_PORTS", 8443),
        ("settings.WEBHOOK_PORTS", "80, 443"),
        ("settings.TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8"),
        ("settings.ALLOWED_HOSTS", "docs.example.org, .example.org, *.example.net, [::1]"),
        ("settings.QUOTA_MAX_BYTES", 10**12),
        ("storage.size", "1.5Ti"),
        ("api.replicas", 0),
        ("api.podLabels", {"azure.workload.identity/use": "true"}),
        ("api.resources", {"requests": {"cpu": 0.5, "memory": "1.5Gi", "ephemeral-storage": "30Gi"}}),
        ("api.resources", {"limits": {"cpu": "1500m", "nvidia.com/gpu": 1, "hugepages-2Mi": "4Mi"}}),
        ("api.resources", {"limits": {"memory": 3221225472}}),
        ("api.resources", {"limits": {"memory": "5e9"}, "requests": {"memory": "3221225472000m"}}),
        ("api.resources", {"requests": {"cpu": ".5"}, "limits": {"cpu": "500000u"}}),
        ("extraEnv", [{"name": "DOCSERVER_MYSQL_REPLICA_URL", "value": "mysql://replica/docserver"}]),
        ("ingress.hosts", ["*.example.org", "localhost"]),
        ("serviceMonitor.interval", "1m30s"),
        ("networkPolicy.metricsFrom", []),
        ("podSecurityContext", {"runAsUser": 1000660000, "supplementalGroups": [2000]}),
        ("podSecurityContext", None),
    ],
    ids=str,
)
def test_unusual_values_that_can_work_are_accepted(path: str, value: Any) -> None:
    assert refused(nested(path, value)) == []


def test_what_the_schema_refuses_is_refused_by_helm(tmp_path: Any) -> None:
    error = Helm(tmp_path).template({"settings": {"AUTH": "nonsense"}, "api": {"podLabels": {"a": "b c"}}}).stderr

    assert "'/settings/AUTH': value must be one of 'off', 'keys', false" in error
    assert "'/api/podLabels/a'" in error


@pytest.mark.parametrize("kubernetes", ["1.30.0", "1.37.0"])
def test_kubernetes_accepts_unusual_values_that_the_chart_does(tmp_path: Any, kubernetes: str) -> None:
    values = {
        "image": {"repository": "localhost:5000/team/docserver", "digest": f"sha256:{'0' * 64}"},
        "settings": {"HOST": "::", "MAX_PAGES": "100", "QUOTA_MAX_BYTES": 10**12},
        "api": {"resources": {"requests": {"cpu": 0.5, "memory": "1.5Gi"}}},
        "podSecurityContext": {"runAsUser": 1000660000, "supplementalGroups": [2000]},
        "extraEnv": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b", "optional": True}}},
            {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "C", "value": "1"},
        ],
        "extraVolumes": [
            {"name": "certificates", "secret": {"secretName": "certificates"}},
            {"name": "models", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        ],
        "extraVolumeMounts": [
            {"name": "certificates", "mountPath": "/certificates", "readOnly": True},
            {"name": "models", "mountPath": "/data/models", "subPath": "best"},
        ],
    }

    manifests = Helm(tmp_path).rendered(values)

    assert [fault for manifest in manifests for fault in faults(manifest, kubernetes=kubernetes)] == []


def test_names_that_yaml_takes_for_numbers_and_booleans_stay_text(tmp_path: Any) -> None:
    values = {
        "nameOverride": "0x10",
        "fullnameOverride": "yes",
        "storage": {"storageClassName": "no", "size": "1073741824"},
        "api": {"priorityClassName": "on"},
        "ingress": {"enabled": True, "hosts": ["off"], "className": "y", "tlsSecret": "1e3"},
        "serviceAccount": {"name": "true"},
    }

    rendered = Helm(tmp_path).template(values, release="2").stdout

    manifests = [manifest for manifest in yaml.safe_load_all(rendered) if manifest]
    assert {manifest["metadata"]["labels"]["app.kubernetes.io/instance"] for manifest in manifests} == {"2"}
    assert [fault for manifest in manifests for fault in faults(manifest, kubernetes="1.30.0")] == []
