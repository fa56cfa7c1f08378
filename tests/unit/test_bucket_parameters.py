"""Which environment variables complete the URL of a bucket, and when the URL wins."""

import os
import subprocess
import sys

import pytest

from docserver.bucket_parameters import USUAL, is_of_provider
from docserver.settings import SettingsError, load
from docserver.storage.bucket import Bucket
from docserver.storage.bucket_url import BucketUrl

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden"}


def parsed(url: str, **variables: str) -> BucketUrl:
    return BucketUrl.parse(load({"DOCSERVER_STORAGE_URL": url, **variables}, dotenv=None).storage_url)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("s3://docs", "http://s3.example.org"),
        ("s3://docs?endpoint=http://url.example.org", "http://url.example.org"),
        ("s3://docs?endpoint_url=http://url.example.org", "http://url.example.org"),
        ("s3://docs?aws_endpoint_url_s3=http://url.example.org", "http://url.example.org"),
    ],
)
def test_the_url_says_the_endpoint_or_else_the_variable_for_s3_or_else_the_one_for_all(url: str, used: str) -> None:
    variables = {"AWS_ENDPOINT_URL_S3": "http://s3.example.org", "AWS_ENDPOINT_URL": "no address", "AWS_ENDPOINT": "x"}

    assert parsed(url, **variables).config["endpoint"] == used
    assert parsed("s3://docs", AWS_ENDPOINT_URL_S3=" ", AWS_ENDPOINT="http://e").config["endpoint"] == "http://e"


def test_the_default_region_counts_if_no_other_is_named() -> None:
    variables = {"AWS_REGION": "one", "AWS_DEFAULT_REGION": "two"}

    assert parsed("s3://docs", **variables).config == {"region": "one"}
    assert parsed("s3://docs", AWS_DEFAULT_REGION="two").config == {"region": "two"}
    assert parsed("s3://docs?default_region=own", **variables).config == {"region": "own"}


@pytest.mark.parametrize(
    ("url", "variables", "unused"),
    [
        ("s3://docs?role_arn=arn:aws:iam:::role/a&web_identity_token_file=/token", KEYS, "access_key_id"),
        ("s3://docs?access_key_id=own&secret_access_key=own", {"AWS_SESSION_TOKEN": "token"}, "session_token"),
        ("s3://docs?access_key_id=own&secret_access_key=own", {"AWS_ROLE_ARN": "role"}, "role_arn"),
        ("s3://docs?skip_signature=true", KEYS, "secret_access_key"),
        ("az://docs?account_name=a&sas_token=own", {"AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}, "account_key"),
        ("az://docs?account_name=a&azure_storage_access_key=b", {"AZURE_STORAGE_ACCOUNT_KEY": "c"}, ""),
        ("gs://docs?service_account_path=/own", {"GOOGLE_APPLICATION_CREDENTIALS": "/x"}, "application_credentials"),
    ],
)
def test_a_url_that_names_one_way_to_sign_gets_no_other_from_variables(
    url: str, variables: dict[str, str], unused: str
) -> None:
    config = parsed(url, **variables).config

    assert unused not in config
    assert set(config) == set(parsed(url).config)


def test_a_part_of_the_keys_in_the_url_is_completed_by_variables() -> None:
    config = parsed("s3://docs?access_key_id=own", **KEYS, AWS_SESSION_TOKEN="token").config

    assert config == {"access_key_id": "own", "secret_access_key": "hidden", "session_token": "token"}


def test_a_line_end_after_a_value_does_not_count() -> None:
    variables = {name: f" {value}\n" for name, value in KEYS.items()}

    assert parsed("s3://docs?region=eu%0A", **variables).config == {
        "region": "eu",
        "access_key_id": "id",
        "secret_access_key": "hidden",
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_SECRET_ACCESS_KEY", "hid\nden", "a line end or another sign that is not printed"),
        ("AWS_SESSION_TOKEN", "hid\x00den", "a line end or another sign that is not printed"),
        ("AWS_ACCESS_KEY_ID", "hiddén", "not in ASCII"),
        ("AWS_SECRET_ACCESS_KEY", "hid den", "it has a space"),
        ("AWS_REGION", "a b", "such as eu-central-1"),
        ("AWS_ENDPOINT_URL_S3", "s3.example.org", "an address such as https://"),
        ("AWS_ENDPOINT_URL", "https://s3.example.org/docs", "it ends with the bucket's name"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@hidden", "it must begin with /"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is wrong: .*{said}") as refused:
        parsed("s3://docs", **{**KEYS, name: value})

    assert "hid" not in str(refused.value)


def test_a_value_that_is_no_text_is_refused_by_the_name_of_its_variable() -> None:
    with pytest.raises(SettingsError, match=r"^AWS_SECRET_ACCESS_KEY must be text in UTF-8$"):
        parsed("s3://docs", AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY=os.fsdecode(b"hidden\xff"))


def test_a_value_that_the_library_refuses_is_named_by_its_variable() -> None:
    variables = {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "hidden!"}
    settings = load({"DOCSERVER_STORAGE_URL": "az://docs", **variables}, dotenv=None)

    with pytest.raises(SettingsError, match=r"^AZURE_STORAGE_ACCOUNT_KEY is wrong: az:// does not take its value$"):
        Bucket(settings)


def test_all_variables_that_complete_a_url_are_removed_from_the_environment() -> None:
    names = {name for kinds in USUAL.values() for names in kinds.values() for name in names}

    assert all(map(is_of_provider, names))
    assert all(map(is_of_provider, ("AZURE_CLIENT_SECRET", "GOOGLE_SERVICE_ACCOUNT_KEY", "AWS_ALLOW_HTTP")))
    assert not is_of_provider("AWSOME")


PROGRAM = """
import os
from docserver import __main__ as main
main._forget_settings()
print(*(name for name in os.environ if name.startswith(("AWS", "AZURE", "GOOGLE", "SERVICE"))))
"""


def test_a_service_passes_no_variable_of_a_provider_on() -> None:
    names = ("AWS_ENDPOINT", "AWS_SKIP_SIGNATURE", "AZURE_CLIENT_SECRET", "GOOGLE_BEARER_TOKEN", "SERVICE_ACCOUNT")
    environment = {**os.environ, **dict.fromkeys(names, "hidden")}

    left = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=True
    )

    assert left.stdout == "\n"
