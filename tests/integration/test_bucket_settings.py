"""What the settings say of a bucket: variables that are usual, parameters, and what `doctor` finds."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession

from docserver.doctor import machine
from docserver.doctor.findings import Status
from docserver.model import new_id
from docserver.settings import Settings, SettingsError, load
from docserver.storage.bucket_url import BucketUrl
from docserver.storage.objects import ObjectStorage
from tests.support.role_services import answering
from tests.support.s3_server import S3Server


def test_the_usual_variables_complete_the_url_and_a_parameter_wins(tmp_path: Path) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "other"} | {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_STS": "https://127.0.0.1:2",
    }
    url = "s3://bucket/prefix?region=own"

    loaded = load({"DOCSERVER_STORAGE_URL": url, "DOCSERVER_DATA_DIR": str(tmp_path), **variables}, dotenv=None)

    config = BucketUrl.parse(loaded.storage_url).config
    assert (config["region"], config["access_key_id"]) == ("own", "id")
    assert BucketUrl.parse(loaded.storage_url).allow_http
    assert ObjectStorage(loaded)


TOKEN_PARAMETERS = (
    "web_identity_token_file=%s&role_arn=arn:aws:iam::123456789012:role/name",
    "container_authorization_token_file=%s",
)


@pytest.mark.parametrize("parameters", TOKEN_PARAMETERS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read .No such file"),
        (b"", "is empty"),
        (b"proof\n", "ends with a line end, which must be left out"),
        (b"two\nlines", "must have a token alone"),
        (b"\xff\x00", "must have a token alone"),
        (b" proof", "must have a token alone"),
        (b"x" * 3_000_000, "must have a token alone"),
    ],
)
def test_a_file_that_has_no_token_is_refused_at_the_start_by_its_name(
    bucket_settings: Settings, tmp_path: Path, parameters: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    url = bucket_settings.storage_url.partition("&access_key_id")[0]
    name = parameters.partition("=")[0]

    with pytest.raises(SettingsError, match=rf"wrong {name}: the file {reason}"):
        ObjectStorage(replace(bucket_settings, storage_url=f"{url}&{parameters % path}"))


def test_a_directory_in_the_place_of_a_token_is_refused_but_not_if_keys_are_given(
    bucket_settings: Settings, tmp_path: Path
) -> None:
    with_keys = f"{bucket_settings.storage_url}&{TOKEN_PARAMETERS[0] % tmp_path}"
    without = f"{with_keys.partition('&access_key_id')[0]}&{TOKEN_PARAMETERS[0] % tmp_path}"

    assert ObjectStorage(replace(bucket_settings, storage_url=with_keys))
    with pytest.raises(SettingsError, match="must be a file, and is a directory"):
        ObjectStorage(replace(bucket_settings, storage_url=without))


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            {"AWS_ROLE_ARN": "arn:aws:iam:::role/name"},
            r"AWS_ROLE_ARN is wrong: .*AWS_WEB_IDENTITY_TOKEN_FILE\) is missing",
        ),
        (
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"},
            r"AWS_WEB_IDENTITY_TOKEN_FILE is wrong: .*AWS_ROLE_ARN\) is missing",
        ),
        ({"AWS_ROLE_ARN": "nonsense"}, "AWS_ROLE_ARN is wrong: it must be like arn:aws:iam::"),
        ({"AWS_ENDPOINT_URL_STS": "http://sts"}, "AWS_ENDPOINT_URL_STS is wrong: it must begin with https://"),
    ],
)
def test_half_a_role_and_a_token_service_without_tls_are_refused_by_their_variables(
    variables: dict[str, str], reason: str, tmp_path: Path
) -> None:
    given = {"DOCSERVER_STORAGE_URL": "s3://bucket", "DOCSERVER_DATA_DIR": str(tmp_path), **variables}

    with pytest.raises(SettingsError, match=reason):
        ObjectStorage(load(given, dotenv=None))


def test_parameters_that_nobody_knows_are_refused_without_saying_a_secret(bucket_settings: Settings) -> None:
    url = f"{bucket_settings.storage_url}&endpiont=x"

    with pytest.raises(SettingsError, match="DOCSERVER_STORAGE_URL") as refused:
        ObjectStorage(replace(bucket_settings, storage_url=url))

    assert "testing" not in str(refused.value)


async def test_the_keys_of_a_role_read_write_and_sign(bucket_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("proof")
    url, _, _ = bucket_settings.storage_url.partition("&access_key_id")
    document_id = new_id()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"original"

    with answering() as services:
        services.keys = {"AccessKeyId": "test:tester", "SecretAccessKey": "testing", "Token": ""}
        url += f"&container_credentials_full_uri={quote(services.url)}/keys"
        url += f"&container_authorization_token_file={tmp_path}/token"
        storage = ObjectStorage(replace(bucket_settings, storage_url=url))
        await storage.prepare()
        await storage.keep(await storage.receive(chunks(), max_bytes=100), document_id)
        assert storage.links is not None
        link = await storage.links.download(document_id, method="GET", size=8, headers={})
        assert await storage.discard_abandoned(0) == 0

    async with ClientSession() as http, http.get(link) as answer:
        assert await answer.read() == b"original"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({}, Status.OK), ({"secret": "nothing"}, Status.PROBLEM), ({"bucket": "nothing"}, Status.PROBLEM)],
)
async def test_doctor_says_whether_the_bucket_takes_writes(
    s3: S3Server, bucket_settings: Settings, tmp_path: Path, wrong: dict[str, Any], status: Status
) -> None:
    settings = replace(bucket_settings, storage_url=s3.url(tmp_path.name, **wrong))

    bucket, key = [finding async for finding in machine.check_storage(settings)]

    assert (bucket.subject, bucket.status) == ("storage", status)
    assert (key.subject, key.status) == ("secret key", Status.WARNING)
