"""Values that the Helm chart refuses, before anything of them is in the cluster or in Helm's records."""

from typing import Any

import pytest
import yaml

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


@pytest.mark.parametrize(
    "values",
    [
        {"worker": {"slotz": 2}},
        {"settings": {"STORAGE_URL": "s3://documents"}},
        {"settings": {"PORT": 80}},
        {"settings": {"DOCSERVER_AUTH": "keys"}},
        {"secrets": {"mysqlUrl": {"name": ""}}},
        {"secrets": {"redisUrl": {"name": "a b"}}},
        {"ingress": {"enabled": True}},
        {"ingress": {"enabled": True, "hosts": ["a b"]}},
        {"ingress": {"enabled": True, "hosts": ["10.0.0.1"]}},
        # A rule of egress without ports would allow all.
        {"networkPolicy": {"redisPorts": []}},
        {"nameOverride": "A b:c"},
        {"fullnameOverride": "A_B"},
        {"storage": {"size": "abc"}},
        {"storage": {"size": "0Gi"}},
        {"storage": {"localSize": "20 Gi"}},
        {"podSecurityContext": {"runAsUser": 0}},
        # The pods' own would be there twice.
        {"podSecurityContext": {"runAsNonRoot": False}},
        {"api": {"podLabels": {"a": "b c"}}},
        {"serviceMonitor": {"interval": "often"}},
        {"worker": {"slots": None}},
        {"secrets": {"secretKey": None}},
    ],
    ids=str,
)
def test_values_that_mean_nothing_are_refused(helm: Helm, values: dict[str, Any]) -> None:
    assert in_schema(refusal(helm, values))


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


def test_with_a_bucket_the_key_that_encrypts_secrets_has_to_be_one_for_all_pods(helm: Helm) -> None:
    error = refusal(helm, {"storage": {"bucketUrl": "s3://documents"}})

    assert "secrets.secretKey.name must name a Secret" in error


@pytest.mark.parametrize(
    "url",
    [
        "s3://c/p?access_key_id=a&secret_access_key=hidden",
        "s3://c/p?region=eu-1&AWS_SECRET_ACCESS_KEY=hidden",
        "s3://c/p?Session_Token=hidden",
        "s3://c/p?sse_customer_key_base64=hidden",
        "s3://c/p?%73ecret_access_key=hidden",
        "s3://c/p?password=hidden",
        "s3://user:hidden@c/p",
        "s3://c/p?endpoint=https://user:hidden@s3.example.org",
        "s3://c/p?proxy_url=http%3A%2F%2Fuser%3Ahid%2Fhidden%40proxy",
        "az://c/p?account_name=n&account_key=hidden",
        "az://c/p?account_name=n&SAS_Token=hidden",
        "az://c/p?sv=2024-11-04&sig=hidden",
        "az://c/p?client_secret=hidden",
        "gs://c/p?token=hidden",
        "gs://c/p?service_account_key=hidden",
    ],
)
def test_a_key_in_the_url_of_the_bucket_is_refused_and_not_repeated(helm: Helm, url: str) -> None:
    error = refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": url}})

    assert "storage.bucketUrl" in error
    assert "from a Secret" in error or "write the name as it is" in error
    assert "hidden" not in error


@pytest.mark.parametrize(
    "url",
    [
        "s3://keys/my-secrets@2?endpoint=https://s3.example.org:9000&sse_kms_key_id=arn:aws:kms:eu-1:1:key/2",
        "s3://c?web_identity_token_file=/token&role_session_name=a@example.org&sse_bucket_key_enabled=true",
        "az://c/p?account_name=n",
        "gs://c/p?service_account=/certificates/account.json",
    ],
)
def test_parameters_that_are_no_keys_are_taken(helm: Helm, url: str) -> None:
    assert refusal(helm, {**SECRET_KEY, "storage": {"bucketUrl": url}}) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AZURE_STORAGE_ACCOUNT_KEY", "hidden"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hidden"),
        ("DOCSERVER_MYSQL_REPLICA_URL", "mysql://docserver:hidden@replica/docserver"),
    ],
)
def test_a_password_in_a_further_variable_is_refused(helm: Helm, name: str, value: str) -> None:
    error = refusal(helm, {"extraEnv": [{"name": name, "value": value}]})

    assert f"extraEnv must not have the value of {name}" in error
    assert "hidden" not in error


def test_further_variables_may_name_secrets_and_files(helm: Helm) -> None:
    reference = {"secretKeyRef": {"name": "docserver", "key": "azure"}}
    values = [
        {"name": "AZURE_STORAGE_ACCOUNT_KEY", "valueFrom": reference},
        {"name": "OTEL_EXPORTER_OTLP_CLIENT_KEY", "value": "/certificates/key.pem"},
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"},
    ]

    assert refusal(helm, {"extraEnv": values}) == ""
