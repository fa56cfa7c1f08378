"""The Helm chart: rendered by Helm with the defaults and with everything on, and read as Kubernetes would."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from docserver import __version__
from docserver.command_line import make_parser
from docserver.errors import Misdirected
from docserver.settings import Settings, load, service_links, unknown
from docserver.web.hosts import AllowedHosts
from tests.support.chart import CHART, TOP, Helm, Manifest, faults, pods, variables

OLDEST, NEWEST = "1.30.0", "1.37.0"
"""The versions of Kubernetes against whose schemas the chart is checked; the first is the oldest that it allows."""

EVERYTHING: dict[str, Any] = {
    "image": {"repository": "registry.example.org/docserver", "digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "registry"}],
    "settings": {
        "AUTH": "off",
        "SANDBOX": "require",
        "RETENTION_S": 2_592_000,
        "WEBHOOK_CONNECTIONS": 8,
        "ALLOWED_HOSTS": "docs.example.org",
    },
    "secrets": {"secretKey": {"name": "docserver"}},
    "storage": {"storageClassName": "nfs"},
    "api": {
        "podLabels": {"a": "b"},
        "podAnnotations": {"a": "b"},
        "priorityClassName": "documents",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
    "worker": {
        "podLabels": {"a": "b"},
        "podAnnotations": {"a": "b"},
        "priorityClassName": "documents",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
    "keda": {"enabled": True},
    "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "0"},
        "hosts": ["docs.example.org"],
        "tlsSecret": "docs",
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {
        "apiFrom": [{"namespaceSelector": {}}],
        "extraEgress": [{"ports": [{"port": 4318}]}],
    },
    "serviceAccount": {"annotations": {"a": "b"}},
    "extraEnv": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}],
    "extraVolumes": [{"name": "certificates", "configMap": {"name": "certificates"}}],
    "extraVolumeMounts": [{"name": "certificates", "mountPath": "/certificates", "readOnly": True}],
}

BUCKET: dict[str, Any] = {
    "storage": {"bucketUrl": "s3://documents/production?region=eu-1", "localSize": "30Gi"},
    "secrets": {name: {"name": "docserver"} for name in ("secretKey", "s3AccessKeyId", "s3SecretAccessKey")},
}

Rendered = dict[str, list[Manifest]]


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def charts(helm: Helm) -> Rendered:
    return {"defaults": helm.rendered({}), "everything": helm.rendered(EVERYTHING), "bucket": helm.rendered(BUCKET)}


@pytest.fixture(params=["defaults", "everything", "bucket"])
def chart(request: pytest.FixtureRequest, charts: Rendered) -> list[Manifest]:
    return charts[request.param]


def of_kind(chart: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in chart if manifest["kind"] == kind]


def only(chart: list[Manifest], kind: str, *, named: str) -> Manifest:
    (manifest,) = [each for each in of_kind(chart, kind) if each["metadata"]["name"] == named]
    return manifest


def matches(selector: dict[str, str], manifest: Manifest) -> bool:
    labels: dict[str, str] = manifest["metadata"]["labels"]
    return selector.items() <= labels.items()


@pytest.mark.parametrize("values", [{}, EVERYTHING, BUCKET])
def test_helm_finds_no_fault(helm: Helm, values: dict[str, Any]) -> None:
    result = helm.lint(values)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
def test_kubernetes_accepts_every_object(chart: list[Manifest], kubernetes: str) -> None:
    assert [fault for manifest in chart for fault in faults(manifest, kubernetes=kubernetes)] == []


def test_a_field_that_kubernetes_does_not_know_would_be_noticed(chart: list[Manifest]) -> None:
    for manifest in chart:
        assert faults({**manifest, "spec": {**manifest.get("spec", {}), "replica": 1}}, kubernetes=NEWEST)


def test_everything_renders_each_template(charts: Rendered) -> None:
    templates = "".join(path.read_text() for path in CHART.glob("templates/*.yaml"))

    assert {manifest["kind"] for manifest in charts["everything"]} == set(
        re.findall(r"^kind: (\w+)", templates, re.MULTILINE)
    )


def test_the_chart_is_of_the_version_of_the_program_and_of_the_oldest_kubernetes() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert (about["appVersion"], about["version"]) == (__version__, __version__)
    assert about["kubeVersion"] == f">={OLDEST}-0"


def test_each_pod_keeps_to_the_restricted_standard_and_writes_to_its_volumes_alone(chart: list[Manifest]) -> None:
    for _, template in pods(chart):
        spec = template["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()


def test_each_pod_runs_a_command_with_settings_that_exist(chart: list[Manifest]) -> None:
    commands = {}
    for component, template in pods(chart):
        given = variables(template)
        assert unknown(given, dotenv=None) == []
        settings = load(given, dotenv=None)
        names = [each["name"] for each in template["spec"]["containers"][0]["env"]]
        assert len(names) == len(set(names)), "server-side apply, as of Helm 4, refuses the second"
        options = make_parser().parse_args(template["spec"]["containers"][0]["args"])
        commands[component] = (options.command, options.worker_only, settings.slots)
    assert commands == {"api": ("serve", False, 0), "worker": (None, True, 2), "migrate": ("migrate", False, -1)}


def test_settings_of_the_values_reach_each_pod_as_they_were_written(charts: Rendered) -> None:
    for _, template in pods(charts["everything"]):
        given = variables(template)
        assert given["DOCSERVER_RETENTION_S"] == "2592000"
        assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"


def test_off_without_quotes_is_not_taken_for_something_else(helm: Helm) -> None:
    # YAML reads it as a boolean.
    for _, template in pods(helm.rendered({"settings": {"AUTH": False}})):
        assert variables(template)["DOCSERVER_AUTH"] == "off"


def test_null_leaves_a_setting_to_its_default(helm: Helm) -> None:
    for _, template in pods(helm.rendered({"settings": {"MAX_PAGES": None, "LOG_LEVEL": None}})):
        assert not {"DOCSERVER_MAX_PAGES", "DOCSERVER_LOG_LEVEL"} & variables(template).keys()


def test_the_service_answers_to_the_hosts_of_its_ingress_and_to_its_own_names(helm: Helm) -> None:
    values = {
        "settings": {"ALLOWED_HOSTS": "docs.example.org"},
        "ingress": {"enabled": True, "hosts": ["a.example.org"], "tlsSecret": "a"},
    }
    for _, template in pods(helm.rendered(values)):
        hosts = AllowedHosts(load(variables(template), dotenv=None).allowed_hosts, local_only=False)
        for host in ("a.example.org", "docserver:8000", "docserver.ocr.svc", "docserver.ocr.svc.cluster.local"):
            hosts.check(host)
        with pytest.raises(Misdirected):
            hosts.check("docserver.other.svc")


def test_the_security_of_pods_may_be_written_again_or_made_stricter(helm: Helm) -> None:
    own = {"runAsNonRoot": True, "fsGroupChangePolicy": "Always", "seccompProfile": {"type": "RuntimeDefault"}}

    for _, template in pods(helm.rendered({"podSecurityContext": own})):
        assert own.items() <= template["spec"]["securityContext"].items()


def test_empty_allowed_hosts_are_none(helm: Helm) -> None:
    for _, template in pods(helm.rendered({"settings": {"ALLOWED_HOSTS": ""}})):
        assert load(variables(template), dotenv=None).allowed_hosts == ()


def test_passwords_come_from_secrets_that_exist_and_are_nowhere_in_the_chart(chart: list[Manifest]) -> None:
    assert of_kind(chart, "Secret") == []
    for _, template in pods(chart):
        secret = {
            each["name"]: each["valueFrom"]["secretKeyRef"]["name"]
            for each in template["spec"]["containers"][0]["env"]
            if "valueFrom" in each
        }
        assert {"DOCSERVER_MYSQL_URL", "DOCSERVER_REDIS_URL"} <= secret.keys()
        assert set(secret.values()) == {"docserver"}


def test_a_pod_that_ends_has_time_for_its_pages_and_requests(chart: list[Manifest]) -> None:
    for component, template in pods(chart):
        if component == "migrate":
            continue
        (container,) = template["spec"]["containers"]
        grace_s = load(variables(template), dotenv=None).grace_s
        before_s = container.get("lifecycle", {"preStop": {"sleep": {"seconds": 0}}})["preStop"]["sleep"]["seconds"]
        assert template["spec"]["terminationGracePeriodSeconds"] >= before_s + grace_s + 10
        if component == "worker":
            assert grace_s > Settings().page_timeout_s
        else:
            assert before_s > 0


def test_the_probes_ask_ports_that_exist_for_a_host_that_is_allowed(chart: list[Manifest]) -> None:
    paths = {}
    for component, template in pods(chart):
        (container,) = template["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        settings = load(variables(template), dotenv=None)
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe := container.get(kind, {}).get("httpGet"):
                paths[component, kind] = (ports[probe["port"]], probe["path"])
                if probe["port"] == "http":
                    hosts = {header["name"]: header["value"] for header in probe["httpHeaders"]}
                    AllowedHosts(settings.allowed_hosts, local_only=False).check(hosts["Host"])
        assert not ports or set(ports.values()) <= {settings.port, settings.metrics_port}
    assert paths == {
        ("api", "livenessProbe"): (8000, "/livez"),
        ("api", "readinessProbe"): (8000, "/readyz"),
        ("worker", "startupProbe"): (9464, "/livez"),
        ("worker", "livenessProbe"): (9464, "/livez"),
    }


def test_a_pod_has_no_service_links_and_those_of_others_set_nothing(chart: list[Manifest]) -> None:
    for _, template in pods(chart):
        assert template["spec"]["enableServiceLinks"] is False
    links: dict[str, str] = {}
    for service in of_kind(chart, "Service"):
        (port,) = service["spec"]["ports"]
        prefix, number = service["metadata"]["name"].upper().replace("-", "_"), port["port"]
        links |= {
            f"{prefix}_SERVICE_HOST": "10.0.0.1",
            f"{prefix}_SERVICE_PORT": str(number),
            f"{prefix}_SERVICE_PORT_{port['name'].upper()}": str(number),
            f"{prefix}_PORT": f"tcp://10.0.0.1:{number}",
            f"{prefix}_PORT_{number}_TCP": f"tcp://10.0.0.1:{number}",
            f"{prefix}_PORT_{number}_TCP_PROTO": "tcp",
            f"{prefix}_PORT_{number}_TCP_PORT": str(number),
            f"{prefix}_PORT_{number}_TCP_ADDR": "10.0.0.1",
        }
    assert {"DOCSERVER_PORT", "DOCSERVER_METRICS_PORT"} <= links.keys()

    assert service_links(links) == sorted(links)
    assert unknown(links, dotenv=None) == []
    assert load(links, dotenv=None) == Settings()


def test_every_selector_finds_pods_or_services_of_the_chart(chart: list[Manifest]) -> None:
    templates = [template for _, template in pods(chart)]
    for manifest in chart:
        spec = manifest.get("spec", {})
        selector = {"NetworkPolicy": "podSelector", "Service": "selector"}.get(manifest["kind"], "selector")
        if selector in spec:
            labels = spec[selector].get("matchLabels", spec[selector])
            among = of_kind(chart, "Service") if manifest["kind"] == "ServiceMonitor" else templates
            assert any(matches(labels, each) for each in among), manifest["metadata"]["name"]


def test_migrations_run_before_the_pods_and_need_nothing_that_the_chart_makes(chart: list[Manifest]) -> None:
    job = only(chart, "Job", named="docserver-migrate")
    spec = job["spec"]["template"]["spec"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "serviceAccountName" not in spec
    assert spec["containers"][0]["resources"]["limits"] == {"memory": "512Mi"}
    assert not [volume for volume in spec.get("volumes", []) if "persistentVolumeClaim" in volume]
    policy = only(chart, "NetworkPolicy", named="docserver-migrate")
    assert policy["metadata"]["annotations"]["helm.sh/hook"] == job["metadata"]["annotations"]["helm.sh/hook"]
    assert int(policy["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
    api = only(chart, "Deployment", named="docserver-api")["spec"]["template"]["spec"]
    for choice in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert spec.get(choice) == api.get(choice), "it runs on the same nodes"


@pytest.mark.parametrize("component", ["api", "worker"])
def test_an_upgrade_replaces_pods_while_others_work(chart: list[Manifest], component: str) -> None:
    strategy = only(chart, "Deployment", named=f"docserver-{component}")["spec"]["strategy"]

    assert strategy["type"] == "RollingUpdate"
    # 25 % of one or two pods is rounded down to none.
    assert strategy["rollingUpdate"]["maxUnavailable"] in (0, "25%")


def test_the_number_of_workers_is_left_to_keda_which_asks_for_the_backlog(charts: Rendered) -> None:
    chart = charts["everything"]
    scaled = only(chart, "ScaledObject", named="docserver-worker")
    (trigger,) = scaled["spec"]["triggers"]
    url = urlsplit(trigger["metadata"]["url"])
    service = only(chart, "Service", named=str(url.hostname).partition(".")[0])
    told = (TOP / "docs" / "metrics.md").read_text()

    target = only(chart, "Deployment", named=scaled["spec"]["scaleTargetRef"]["name"])
    assert "replicas" not in target["spec"]
    assert only(charts["defaults"], "Deployment", named="docserver-worker")["spec"]["replicas"] == 2
    assert scaled["spec"]["minReplicaCount"] == 0
    assert url.hostname == f"{service['metadata']['name']}.ocr.svc"
    assert url.port == service["spec"]["ports"][0]["port"]
    assert f"curl localhost:{url.port}{url.path}\n" in told
    assert f'{{"{trigger["metadata"]["valueLocation"]}":' in told


def test_the_metrics_are_on_no_service_that_is_published(charts: Rendered) -> None:
    chart = charts["everything"]
    published = [service for service in of_kind(chart, "Service") if service["spec"].get("type") == "LoadBalancer"]
    (ingress,) = of_kind(chart, "Ingress")

    assert [(each["metadata"]["name"], len(each["spec"]["ports"])) for each in published] == [("docserver", 1)]
    assert published[0]["spec"]["ports"][0]["targetPort"] == "http"
    (rule,) = ingress["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "docserver", "port": {"name": "http"}}


def test_workers_reach_the_servers_and_names_alone(charts: Rendered) -> None:
    policy = only(charts["defaults"], "NetworkPolicy", named="docserver-worker")

    ports = [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 5353, 5353, 3306, 6379]


def test_the_documents_stay_when_the_release_is_uninstalled(charts: Rendered, helm: Helm) -> None:
    (claim,) = of_kind(charts["defaults"], "PersistentVolumeClaim")
    existing = helm.rendered({"storage": {"existingClaim": "documents"}})

    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert of_kind(existing, "PersistentVolumeClaim") == []
    assert {
        volume["persistentVolumeClaim"]["claimName"]
        for component, template in pods(existing)
        if component != "migrate"
        for volume in template["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    } == {"documents"}


def test_with_a_bucket_pods_share_no_volume_and_get_its_keys_from_a_secret(charts: Rendered) -> None:
    chart = charts["bucket"]

    assert of_kind(chart, "PersistentVolumeClaim") == []
    for component, template in pods(chart):
        secrets = {each["name"] for each in template["spec"]["containers"][0]["env"] if "valueFrom" in each}
        assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DOCSERVER_SECRET_KEY"} < secrets
        assert variables(template)["DOCSERVER_STORAGE_URL"] == BUCKET["storage"]["bucketUrl"]
        if component != "migrate":
            volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
            assert volumes["data"] == {"name": "data", "emptyDir": {"sizeLimit": "30Gi"}}
    policy = only(chart, "NetworkPolicy", named="docserver-worker")
    assert [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]] == [
        53,
        53,
        5353,
        5353,
        3306,
        6379,
        80,
        443,
    ]


def test_each_value_that_the_documentation_names_exists() -> None:
    known = yaml.safe_load((CHART / "values.yaml").read_text())
    paths = re.findall(rf"`((?:{'|'.join(known)})\.[\w.]+)`", (TOP / "docs" / "kubernetes.md").read_text())

    assert paths
    for path in paths:
        value: Any = known
        for name in path.split("."):
            assert path.startswith("settings.") or name in value, path
            value = value.get(name, {})
