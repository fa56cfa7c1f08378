"""Files that settings name: one that cannot be read is refused by its setting, and a pipe keeps nobody waiting."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from docserver import tracing
from docserver.resources import check_settings
from docserver.setting_files import MOST_BYTES, wrong_file
from docserver.settings import SettingsError, load


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, MOST_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "cannot be read (No such file or directory)"),
        (os.mkfifo, "must be a file, and is a pipe or a device"),
        (Path.mkdir, "must be a file, and is a directory"),
        (_huge, "is larger than 10 MB"),
    ],
)
def test_what_is_no_file_of_a_moderate_size_cannot_be_used(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "file"
    make(path)

    assert reason in (wrong_file(str(path)) or "")


def test_a_file_and_a_link_to_one_can_be_used(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"x")
    link.symlink_to(file)

    assert (wrong_file(str(file)), wrong_file(str(link))) == (None, None)
    assert "cannot be read" in (wrong_file("a\0b") or "")


ROLE = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/name"}

NAMED = [
    ("DOCSERVER_MYSQL_URL has a wrong ssl_ca", {"DOCSERVER_MYSQL_URL": "mysql://h/x?ssl_ca={}"}),
    ("DOCSERVER_MYSQL_REPLICA_URL has a wrong ssl_cert", {"DOCSERVER_MYSQL_REPLICA_URL": "mysql://h/x?ssl_cert={}"}),
    ("DOCSERVER_REDIS_URL has a wrong ssl_ca_certs", {"DOCSERVER_REDIS_URL": "rediss://h?ssl_ca_certs={}"}),
    ("DOCSERVER_REDIS_URL has a wrong ssl_keyfile", {"DOCSERVER_REDIS_URL": "rediss+cluster://h?ssl_keyfile={}"}),
    ("DOCSERVER_REDIS_URL has a wrong ssl_ca_path", {"DOCSERVER_REDIS_URL": "rediss+sentinel://h/s?ssl_ca_path={}"}),
    ("AWS_WEB_IDENTITY_TOKEN_FILE is wrong", {"AWS_WEB_IDENTITY_TOKEN_FILE": "{}", **ROLE}),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is wrong", {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{}"}),
    ("GOOGLE_APPLICATION_CREDENTIALS is wrong", {"GOOGLE_APPLICATION_CREDENTIALS": "{}"}),
    (
        "AZURE_FEDERATED_TOKEN_FILE is wrong",
        {"AZURE_FEDERATED_TOKEN_FILE": "{}", "AZURE_STORAGE_ACCOUNT_NAME": "account"},
    ),
]

BUCKETS = {"AWS": "s3://bucket", "GOO": "gs://bucket", "AZU": "az://container"}


@pytest.mark.parametrize(("refusal", "variables"), NAMED)
def test_a_pipe_is_refused_at_once_by_the_setting_that_names_it(
    tmp_path: Path, refusal: str, variables: dict[str, str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    given = {name: value.format(pipe) for name, value in variables.items()}
    bucket = BUCKETS.get(next(iter(given))[:3])
    given |= {"DOCSERVER_DATA_DIR": str(tmp_path)} | ({"DOCSERVER_STORAGE_URL": bucket} if bucket else {})

    with pytest.raises(SettingsError, match=f"^{refusal}: it must be ") as refused:
        check_settings(load(given, dotenv=None))

    assert str(pipe) not in str(refused.value)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")

    with pytest.raises(SettingsError, match="DOCSERVER_REDIS_URL names a file in ssl_ca_certs"):
        check_settings(load({"DOCSERVER_REDIS_URL": f"rediss://h?ssl_ca_certs={file}"}, dotenv=None))


def test_a_pipe_in_the_place_of_the_collectors_certificate_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "pipe"),
    }

    with pytest.raises(tracing.TracingError, match="OTEL_EXPORTER_OTLP_CERTIFICATE is wrong"):
        tracing.start(variables)
