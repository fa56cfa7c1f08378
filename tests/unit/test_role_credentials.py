"""Temporary keys of a role, as the services of Amazon give them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from docserver.storage import BucketError
from docserver.storage.bucket_url import BucketUrl
from docserver.storage.role_credentials import RoleCredentials
from docserver.storage.signed_urls import SignedUrls
from tests.support.role_services import ROLES, RoleServices, answering


@pytest.fixture
def services() -> Iterator[RoleServices]:
    with answering() as services:
        yield services


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    (tmp_path / "token").write_text("proof\n")
    return str(tmp_path / "token")


def test_a_web_identity_gets_the_keys_of_its_role(services: RoleServices, token_file: str) -> None:
    config = {"web_identity_token_file": token_file, "role_arn": "arn:role", "endpoint_url_sts": f"{services.url}/"}

    keys = RoleCredentials(config).keys()

    assert (keys.access_key_id, keys.secret_access_key, keys.session_token) == ("id", "secret", "token&")
    ((method, path, body),) = services.asked
    assert (method, path) == ("POST", "/")
    form = parse_qs(body)
    assert (form["Action"], form["RoleArn"], form["WebIdentityToken"]) == (
        ["AssumeRoleWithWebIdentity"],
        ["arn:role"],
        ["proof"],
    )


def test_a_container_gets_the_keys_of_its_role(services: RoleServices, token_file: str) -> None:
    config = {
        "container_credentials_full_uri": f"{services.url}/keys",
        "container_authorization_token_file": token_file,
    }

    assert RoleCredentials(config).keys().session_token == "token&"
    assert services.asked == [("GET", "/keys", "proof")]


def test_a_machine_gets_the_keys_of_its_role(services: RoleServices) -> None:
    assert RoleCredentials({"metadata_endpoint": services.url}).keys().access_key_id == "id"
    assert services.asked == [
        ("PUT", "/latest/api/token", ""),
        ("GET", ROLES, "machine"),
        ("GET", f"{ROLES}role", "machine"),
    ]


def test_keys_are_fetched_again_before_they_expire_and_links_end_with_them(services: RoleServices) -> None:
    urls = SignedUrls(BucketUrl.parse(f"s3://bucket/a?container_credentials_full_uri={services.url}/keys"))

    link = urls.public("GET", "key", expires_s=60)
    again = urls.public("GET", "key", expires_s=60)
    longest_s = urls.longest_s(86_400)
    fetched = len(services.asked)
    services.valid_s = 300.0
    expiring = SignedUrls(BucketUrl.parse(f"s3://bucket/a?container_credentials_full_uri={services.url}/keys"))
    for _ in range(2):
        expiring.public("GET", "key", expires_s=60)

    assert all("X-Amz-Security-Token=token%26" in each for each in (link, again))
    assert 3500 < longest_s <= 3600
    assert (fetched, len(services.asked)) == (1, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"container_credentials_full_uri": "http://127.0.0.1:1/keys"},
        {"container_credentials_full_uri": "{url}/nothing"},
        {"container_credentials_full_uri": "{url}/latest/api/token"},
        {"web_identity_token_file": "/nothing", "role_arn": "arn:role"},
        {"web_identity_token_file": "{file}"},
        {"web_identity_token_file": "{file}", "role_arn": "arn:role", "endpoint_url_sts": "{url}/keys"},
    ],
)
def test_where_there_are_no_keys_nothing_is_signed_and_no_token_is_told(
    services: RoleServices, token_file: str, wrong: dict[str, str]
) -> None:
    config = {name: value.format(url=services.url, file=token_file) for name, value in wrong.items()}

    with pytest.raises(BucketError, match="no keys of a role") as refused:
        RoleCredentials(config).keys()

    assert "proof" not in str(refused.value)
