"""Values that the Helm chart refuses, before anything of them is in the cluster or in Helm's records."""

from typing import Any

import pytest
import yaml

from docserver.settings import Settings
from tests.support.chart import CHART, Helm

SECRET_KEY = {"secrets": {"secretKey": {"name": "docserver"}}}


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tmp_path_factory.mktemp("helm"))


def refusal(helm: Helm, values: dict[str, Any]) -> str:
    """The error of Helm; empty if it renders the chart."""
    result = helm.template(values)
    assert bool(result.returncode) == bool(result.stderr)
    return result.stderr


def in_schema(error: str) -> bool:
    return "don't meet the specifications of the schema" in error


def test_null_is_refused_where_the_chart_needs_a_group_of_values(helm: Helm) -> None:
    groups = [
        name
        for name, value in yaml.safe_load((CHART / "values.yaml").read_text()).items()
        if isinstance(value, dict) and name != "podSecurityContext"
    ]
    error = refusal(helm, dict.fromkeys(groups))

    assert in_schema(error)
    for name in groups:
        assert f"'{name}'" in error


def test_ids_are_left_to_openshift(helm: Helm) -> None:
    ids = dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"))

    assert refusal(helm, {"podSecurityContext": ids}) == ""


def test_a_release_whose_name_no_service_can_have_needs_another(helm: Helm) -> None:
    assert "set fullnameOverride" in helm.template({}, release="2nd.docserver").stderr
    assert helm.template({"fullnameOverride": "second"}, release="2nd.docserver").stderr == ""


def test_keda_cannot_have_a_least_number_of_workers_above_the_largest(helm: Helm) -> None:
    error = refusal(helm, {"keda": {"enabled": True, "minReplicas": 20, "maxReplicas": 3}})

    assert "keda.minReplicas must not be larger than keda.maxReplicas" in error


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"extraEnv": [{"name": "A"}, {"name": "A"}]}, "extraEnv has A, which is there already"),
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes has tmp, which is there already"),
        ({"extraVolumeMounts": [{"name": "a", "mountPath": "/data/"}]}, "extraVolumeMounts has /data, which is there"),
        ({"extraVolumeMounts": [{"name": "a", "mountPath": "/a"}]}, "the volume a, which extraVolumes has not"),
        ({"api": {"resources": {"requests": {"memory": "4Gi"}}}}, "api.resources.requests.memory must not be larger"),
        ({"worker": {"resources": {"limits": {"cpu": "1900m"}}}}, "worker.resources.requests.cpu must not be larger"),
        ({"migrations": {"resources": {"limits": {"cpu": "10m"}}}}, "migrations.resources.requests.cpu must not be"),
        ({"api": {"resources": {"requests": {"memory": "4e9"}}}}, "api.resources.requests.memory must not be larger"),
        ({"worker": {"resources": {"requests": {"example.org/gpu": 1}}}}, "limits needs example.org/gpu too"),
        ({"settings": {"CHILD_MEMORY_MB": 8000}}, "limits.memory must not be smaller than settings.CHILD_MEMORY_MB"),
    ],
    ids=str,
)
def test_pods_that_kubernetes_would_refuse_are_not_rendered(helm: Helm, values: dict[str, Any], reason: str) -> None:
    assert reason in refusal(helm, values)


def test_a_request_may_be_as_large_as_its_limit(helm: Helm) -> None:
    api = {"requests": {"cpu": "2000m", "memory": "3145728Ki"}, "limits": {"cpu": 2, "memory": 3 * 1024**3}}
    worker = {"requests": {"cpu": ".5", "memory": "1G"}, "limits": {"cpu": "500000u", "memory": "1e9"}}

    assert refusal(helm, {"api": {"resources": api}, "worker": {"resources": worker}}) == ""


def test_requests_without_limits_have_no_bound(helm: Helm) -> None:
    assert refusal(helm, {"worker": {"resources": {"limits": None, "requests": {"memory": "1Ti"}}}}) == ""


def test_with_a_bucket_the_key_that_encrypts_secrets_has_to_be_one_for_all_pods(helm: Helm) -> None:
    error = refusal(helm, {"storage": {"bucketUrl": "s3://documents"}})

    assert "secrets.secretKey.name must name a Secret" in error


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///prefix", "s3://a/p", "s3://docs#p", "file:///data", "https://docs.example.org/p"]
)
def test_a_bucket_needs_a_name(helm: Helm, url: str) -> None:
    error = refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": url}})

    assert "storage.bucketUrl must be like s3://bucket/prefix" in error


@pytest.mark.parametrize("settings", [{}, {"STORAGE_CACHE_MB": 50_000}, {"MAX_UPLOAD_MB": 30_000}])
def test_the_disk_of_a_pod_has_room_for_copies_of_the_bucket(helm: Helm, settings: dict[str, int]) -> None:
    cache_mb = settings.get("STORAGE_CACHE_MB", Settings().storage_cache_mb)
    upload_mb = settings.get("MAX_UPLOAD_MB", Settings().max_upload_mb)
    bytes_needed = int((cache_mb + upload_mb) * 1_000_000) + 2 * 1024**3

    def refusal_of(size: int) -> str:
        storage = {"bucketUrl": "s3://documents", "localSize": str(size)}
        return refusal(helm, {**SECRET_KEY, "settings": settings, "storage": storage})

    assert "storage.localSize must be larger than settings.STORAGE_CACHE_MB" in refusal_of(bytes_needed)
    assert refusal_of(bytes_needed + 1) == ""


def test_text_that_is_no_prefix_of_redis_is_refused_and_not_repeated(helm: Helm) -> None:
    error = refusal(helm, {"settings": {"REDIS_PREFIX": "token=hidden"}})

    assert in_schema(error)
    assert "hidden" not in error


def test_the_endpoint_of_a_bucket_is_a_url(helm: Helm) -> None:
    error = refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": "s3://documents?endpoint=minio:9000"}})

    assert "The endpoint in storage.bucketUrl must begin with https:// or http://" in error


@pytest.mark.parametrize("url", ["", "gs://documents"])
def test_links_to_the_bucket_need_one_of_s3(helm: Helm, url: str) -> None:
    values = {**SECRET_KEY, "storage": {"bucketUrl": url}, "settings": {"STORAGE_REDIRECTS": True}}

    assert "settings.STORAGE_REDIRECTS needs an S3 bucket" in refusal(helm, values)
    assert refusal(helm, {**values, "storage": {"bucketUrl": "s3://documents"}}) == ""


@pytest.mark.parametrize("name", ["s3AccessKeyId", "s3SecretAccessKey"])
def test_half_a_pair_of_keys_is_refused(helm: Helm, name: str) -> None:
    error = refusal(helm, {"secrets": {name: {"name": "docserver"}}})

    assert "secrets.s3AccessKeyId and secrets.s3SecretAccessKey must both name a Secret" in error


@pytest.mark.parametrize(
    "url",
    [
        "s3://docs/p?access_key_id=a&secret_access_key=hidden",
        "s3://docs/p?region=eu-1&AWS_SECRET_ACCESS_KEY=hidden",
        "s3://docs/p?Session_Token=hidden",
        "s3://docs/p?sse_customer_key_base64=hidden",
        "s3://docs/p?%73ecret_access_key=hidden",
        "s3://docs/p?secret_access_key%3Dhidden",
        "s3://docs/p?secret_access%255Fkey=hidden",
        "s3://docs/p?password=hidden",
        "s3://user:hidden@docs/p",
        "s3://hidden@docs/p",
        "s3://docs/p?endpoint=https://user:hidden@s3.example.org",
        "s3://docs/p?proxy_url=http%3A%2F%2Fuser%3Ahid%2Fhidden%40proxy",
        "s3://docs/p?endpoint=https%3A%2F%2Fuser%3Ahid%26hidden%40s3.example.org&region=eu-1",
        "s3://docs/p?endpoint=https%3A%2F%2Fuser%3A12%252F34hidden%40s3.example.org",
        "az://docs/p?account_name=n&account_key=hidden",
        "az://docs/p?account_name=n&SAS_Token=hidden",
        "az://docs/p?sv=2024-11-04&sig=hidden",
        "az://docs/p?sv=2024-11-04&sig%3Dhidden",
        "az://docs/p?client_secret=hidden",
        "gs://docs/p?token=hidden",
        "gs://docs/p?service_account_key=hidden",
        "gs://docs/p?service_account=%7B%22private_key%22:%22hidden%22%7D",
        "gs://docs/p?service_account=hidden",
    ],
)
def test_a_secret_in_the_url_of_the_bucket_is_refused_and_not_repeated(helm: Helm, url: str) -> None:
    error = refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": url}})

    assert "storage.bucketUrl has a password, a key or a token in it: use an existing Secret" in error
    assert "hidden" not in error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORS_ORIGINS", "https://app.example.org?password=hidden"),
        ("CORS_ORIGINS", "https://user:hidden@app.example.org"),
        ("LANGUAGES", "eng?sig%3Dhidden"),
    ],
)
def test_a_secret_in_a_setting_is_refused_and_not_repeated(helm: Helm, name: str, value: str) -> None:
    error = refusal(helm, {"settings": {name: value}})

    assert f"settings.{name} has a password, a key or a token in it: use an existing Secret" in error
    assert "hidden" not in error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AZURE_STORAGE_ACCOUNT_KEY", "hidden"),
        ("AZURE_CLIENT_SECRET", "hidden"),
        ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=docs;AccountKey=hidden"),
        ("AWS_SESSION_TOKEN", "hidden"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hidden"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/?api-key=hidden"),
        ("DOCSERVER_MYSQL_REPLICA_URL", "mysql://docserver:hidden@replica/docserver"),
        ("HTTPS_PROXY", "http://hidden@proxy:3128"),
        ("SOME_URL", "https://docs.example.org/?a=b&secret_access_key=hidden"),
        ("SOME_URL", "https://docs.example.org/?sig%3Dhidden"),
        ("SOME_URL", "redis%3A%2F%2F%3Ahidden%40redis"),
        ("SOME_URL", "mysql://user:hid%26hidden@mysql/docserver"),
        ("SOME_URL", "mysql://user:%40hidden@mysql/docserver"),
        ("SOME_URL", "mysql://user:hid%20hidden@mysql/docserver"),
        ("SOME_URL", "mysql://user:12%2F34hidden@mysql/docserver"),
        ("SOME_URL", "mysql://user:hid%2526hidden@mysql/docserver"),
        ("SOME_URL", "mysql://user:12&hid=hidden@mysql/docserver?a=b"),
        ("SOME_URL", "redis://:%26hidden@redis"),
        ("SOME_URL", "https://docs.example.org/?a=b&auth=hidden"),
        ("HTTPS_PROXY", "http://user:hid%26hidden@proxy:3128"),
        ("HTTPS_PROXY", "http://hid%26hidden@proxy:3128"),
        ("HTTPS_PROXY", "user:hidden@proxy:3128"),
        ("OTEL_RESOURCE_ATTRIBUTES", "api-key=hidden"),
        ("GOOGLE_SERVICE_ACCOUNT", '{"private_key": "hidden"}'),
        ("SOME_TEXT", "Basic dXNlcjpoaWRkZW4="),
        ("LIBPQ", "host=db user=docs password=hidden"),
    ],
)
def test_a_secret_in_a_further_variable_is_refused_and_not_repeated(helm: Helm, name: str, value: str) -> None:
    error = refusal(helm, {"extraEnv": [{"name": name, "value": value}]})

    assert f"The value of {name} in extraEnv has a password, a key or a token in it: use an existing Secret" in error
    assert "valueFrom.secretKeyRef" in error
    assert "hidden" not in error


@pytest.mark.parametrize(
    "path",
    [
        "api.podAnnotations",
        "worker.podAnnotations",
        "service.annotations",
        "ingress.annotations",
        "serviceAccount.annotations",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        'proxy_set_header Authorization "Bearer hidden12345";',
        "proxy_set_header X-Api-Key hidden;",
        "https://user:hid%26hidden@docs.example.org",
    ],
)
def test_a_secret_in_an_annotation_is_refused_and_not_repeated(helm: Helm, path: str, text: str) -> None:
    group, name = path.split(".")
    error = refusal(helm, {group: {name: {"example.org/text": text}}})

    assert f"example.org/text of {path} has a password, a key or a token in it" in error
    assert "hidden" not in error


def test_annotations_may_name_secrets_and_variables(helm: Helm) -> None:
    snippet = 'proxy_set_header Authorization $http_authorization; proxy_set_header A "Bearer $http_a_token";'
    template = '{{ with secret "a" }}mysql://{{ .Data.user }}:{{ .Data.word }}@mysql?password={{ .Data.b }}{{ end }}'
    ingress = {
        "example.org/contact": "mailto:docs@example.org",
        "nginx.ingress.kubernetes.io/auth-secret": "basic-auth",
        "nginx.ingress.kubernetes.io/auth-realm": "Basic Authentication",
        "nginx.ingress.kubernetes.io/configuration-snippet": snippet,
    }
    account = {"iam.gke.io/gcp-service-account": "docserver@docs.iam.gserviceaccount.com"}

    values = {
        "ingress": {"annotations": ingress},
        "serviceAccount": {"annotations": account},
        "api": {"podAnnotations": {"vault.hashicorp.com/agent-inject-template-a": template}},
    }
    assert refusal(helm, values) == ""


@pytest.mark.parametrize(
    "url",
    [
        "s3://keys/my-secrets@2?endpoint=https://s3.example.org:9000&sse_kms_key_id=arn:aws:kms:eu-1:1:key/2",
        "s3://docs?web_identity_token_file=/token&role_session_name=a@example.org&sse_bucket_key_enabled=true",
        "s3://docs?endpoint=https://s3.example.org:9000/&role_session_name=a@example.org",
        "s3://docs?endpoint=https://[2001:db8::1]:9000",
        "s3://documents/2024-key=1/p?region=eu-1",
        "az://docs/p?account_name=n",
        "gs://docs/p?service_account=/certificates/account.json",
    ],
)
def test_parameters_that_are_no_secrets_are_taken(helm: Helm, url: str) -> None:
    assert refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": url}}) == ""


def test_settings_and_further_variables_may_name_keys_secrets_and_files(helm: Helm) -> None:
    reference = {"secretKeyRef": {"name": "docserver", "key": "azure"}}
    variables = [
        {"name": "AZURE_STORAGE_ACCOUNT_KEY", "valueFrom": reference},
        {"name": "AZURE_CLIENT_SECRET", "value": "$(AZURE_STORAGE_ACCOUNT_KEY)"},
        {"name": "DOCSERVER_MYSQL_REPLICA_URL", "value": "mysql://docs:$(AZURE_STORAGE_ACCOUNT_KEY)@replica/docserver"},
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "https://collector:4318/@team?token=$(AZURE_CLIENT_SECRET)"},
        {"name": "OTEL_EXPORTER_OTLP_CLIENT_KEY", "value": "/certificates/key.pem"},
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "service.namespace=docs,host.name=a"},
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"},
        {"name": "SASL_MECHANISM", "value": "plain"},
        {"name": "SENTINELS", "value": "redis+sentinel://a:26379,b:26379/docs@2"},
        {"name": "TOKENIZERS_PARALLELISM", "value": ""},
    ]
    settings = {
        "RATE_LIMIT_COSTS": "keys=2,create-key=5",
        "CORS_ORIGINS": "https://a.example.org:8443,https://b.example.org",
    }

    assert refusal(helm, {"extraEnv": variables, "settings": settings}) == ""
