"""Values that the Helm chart refuses, before anything of them is in the cluster or in Helm's records."""

from typing import Any

import pytest
import yaml

from docserver.settings import Settings
from docserver.storage.bucket_url import PARAMETERS
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


@pytest.mark.parametrize(
    ("name", "meant"),
    [("SLOTS", "worker.slots"), ("MYSQL_REPLICA_URL", "extraEnv"), ("MYSQL_URL", "secrets.mysqlUrl")],
)
def test_a_setting_that_stands_elsewhere_in_the_values_is_refused_with_its_place(
    helm: Helm, name: str, meant: str
) -> None:
    error = refusal(helm, {"settings": {name: "mysql://user:hidden@host/x"}})

    assert f"/settings/{name}" in error
    assert meant in error
    assert "hidden" not in error


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
    ("name", "values"),
    [
        ("storage.bucketUrl", {"storage": {"bucketUrl": "s3://docs/p?access_key_id=a&secret_access_key=hidden"}}),
        ("storage.bucketUrl", {"storage": {"bucketUrl": "az://docs/p?account_name=n&AZURE_STORAGE_SAS_TOKEN=hidden"}}),
        ("storage.bucketUrl", {"storage": {"bucketUrl": "s3://docs/p?endpoint=https://user:hidden@s3.example.org"}}),
        ("settings.CORS_ORIGINS", {"settings": {"CORS_ORIGINS": "https://user:hidden@app.example.org"}}),
        ("SOME_URL in extraEnv", {"extraEnv": [{"name": "SOME_URL", "value": "mysql://user:hidden@mysql/docs"}]}),
        ("AZURE_CLIENT_SECRET in", {"extraEnv": [{"name": "AZURE_CLIENT_SECRET", "value": "hidden"}]}),
    ],
    ids=str,
)
def test_a_secret_that_can_be_told_for_sure_is_refused_and_not_repeated(
    helm: Helm, name: str, values: dict[str, Any]
) -> None:
    error = refusal(helm, {**SECRET_KEY, **values})

    assert f"{name} " in error
    assert "has a password, a key or a token in it: use an existing Secret" in error
    assert "hidden" not in error


@pytest.mark.parametrize(
    "url",
    [
        "az://docs/p?account_name=n&access_key=hidden",
        "az://docs/p?account_name=n&azure_storage_master_key=hidden",
        "az://docs/p?account_name=n&sas_key=hidden",
        "az://docs/p?account_name=n&bearer%5ftoken=hidden",
        "s3://docs/p?secret%5Faccess_key=hidden",
        "s3://docs/p?region=eu-1&session%5Ftoken=hidden",
        "s3://docs/p?access_key_id=hidden",
        "s3://docs/p?endpoint=https%3A%2F%2Fuser:hidden@s3.example.org",
        "s3://docs/p?endpoint=https%3A%2F%2Fuser%3Ahidden%40s3.example.org",
        "s3://docs/p?secret_access_key=$(KEY)&region=eu-1&password=hidden",
    ],
)
def test_parameters_of_a_bucket_that_may_be_secrets_are_refused_and_not_repeated(helm: Helm, url: str) -> None:
    error = refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": url}})

    assert "storage.bucketUrl may have these parameters alone" in error
    assert "hidden" not in error


def test_all_parameters_without_secrets_are_taken(helm: Helm) -> None:
    names = PARAMETERS - {"endpoint", "access_key_id", "secret_access_key", "session_token"}
    url = "s3://docs/p?endpoint=$(ENDPOINT)&secret_access_key=$(KEY)&" + "&".join(f"{name}=1" for name in sorted(names))

    assert refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": url}}) == ""


@pytest.mark.parametrize(
    "url",
    [
        "s3://docs/p?$(PARAMETERS)",
        "az://docs/p?account_name=n&client_id=c&tenant_id=t&federated_token_file=/t&account_key=$(KEY)",
        "s3://keys/my-secrets@2?endpoint=https://s3.example.org:9000&sse_kms_key_id=arn:aws:kms:eu-1:1:key/2",
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
        {"name": "HTTPS_PROXY", "value": "http://docs:$(AZURE_STORAGE_ACCOUNT_KEY)@proxy:3128"},
        {"name": "OTEL_EXPORTER_OTLP_HEADERS", "value": "authorization=Bearer%20$(TOKEN),x-scope-orgid=ocr"},
        {"name": "OTEL_EXPORTER_OTLP_CLIENT_KEY", "value": "/certificates/key.pem"},
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"},
        {"name": "SENTINELS", "value": "redis+sentinel://a:26379,b:26379/docs@2"},
        {"name": "TOKENIZERS_PARALLELISM", "value": ""},
    ]
    settings = {"RATE_LIMIT_COSTS": "keys=2,create-key=5", "CORS_ORIGINS": "https://a.example.org:8443"}
    ingress = {"annotations": {"example.org/resource-tags": "team=docs,secret=no"}}

    assert refusal(helm, {"extraEnv": variables, "settings": settings, "ingress": ingress}) == ""
