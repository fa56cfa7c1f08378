"""Which URLs of buckets are refused, and what the refusal says."""

from dataclasses import replace
from urllib.parse import quote

import pytest

from docserver.settings import Settings, SettingsError, load
from docserver.storage.bucket import Bucket
from docserver.storage.bucket_url import BucketUrl


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://", "has no bucket"),
        ("s3:///prefix", "has no bucket"),
        ("s3://Bad_Bucket!/x", "has a wrong bucket"),
        ("s3://key:hidden@docs/x", "has a wrong bucket"),
        ("s3://10.0.0.1/x", "has a wrong bucket"),
        ("s3://a..b/x", "has a wrong bucket"),
        ("s3://docs//a//b", "has a wrong prefix"),
        ("s3://docs/a/../b", "has a wrong prefix"),
        ("s3://docs#a", "has a #"),
        ("s3://docs?region=eu#", "has a #"),
        ("s3://1.1.1.1/x", "no IP address"),
        ("s3://docs/a%0Ab", "has a wrong prefix"),
        ("s3://docs/a\nb", "has a line end"),
        ("s3://docs/%ff", "in UTF-8"),
        ("s3://docs?region=%ff", "in UTF-8"),
        ("az://key:hidden@docs/x", "has a wrong bucket"),
        ("az://docs?account_name=a/b", "wrong account_name: it must be letters, digits and hyphens"),
        ("az://docs?account_key=hidden", "has no account_name"),
        ("s3://docs?endpoint=", "wrong endpoint: it is empty"),
        ("s3://docs?region=a%0Ab", "wrong region: it has a line end"),
        ("s3://docs?region=a/b", "wrong region: .* such as eu-central-1"),
        ("s3://docs?access_key_id=a%7Fb&secret_access_key=hidden", "wrong access_key_id: it has a line end"),
        ("s3://docs?access_key_id=a&secret_access_key=hid+den", "wrong secret_access_key: .* %2B"),
        ("s3://docs?sse_kms_key_id=%C3%BC", "wrong sse_kms_key_id: .* not in ASCII"),
        ("s3://docs?region=a&aws_region=b", "has region twice"),
        ("s3://docs?endpoint=http://host&endpoint=http://host", "has endpoint twice"),
        ("s3://docs?skip_signature=yes", "wrong skip_signature: it must be true or false"),
        ("s3://docs?endpoint=http://host/docs", "wrong endpoint: it ends with the bucket's name"),
        ("s3://docs?public_endpoint=http://host/s3/docs/", "wrong public_endpoint: it ends with the bucket's name"),
        ("s3://docs?endpoint=https://docs.s3.eu-1.amazonaws.com", "its host begins with the bucket's name"),
        ("s3://docs?endpoint=http://host&virtual_hosted_style_request=true", "its host must begin with the bucket's"),
        *(
            (f"s3://docs?endpoint={quote(address)}", "wrong endpoint: it must be an address")
            for address in (
                *("http://256.1.1.1", "http://a.1", "http://a.0x1", "http://[::1", "http://[::1]x", "http://[v1.a]"),
                *("http://xn--a", "http://a..b", "http://.", "http://host/a b", "http://host:b", "http://:80"),
            )
        ),
        ("s3://docs?endpoint=http://b%C3%BCcket.example", "wrong endpoint: .* as in DNS"),
        ("s3://docs?container_credentials_full_uri=foo", "wrong container_credentials_full_uri: "),
        ("gs://docs?service_account_key=hidden", "wrong service_account_key: gs:// does not take its value"),
        ("s3://docs?endpoint=127.0.0.1:28080", "wrong endpoint: .* https://"),
        ("s3://docs?endpoint=s3.example.org", "wrong endpoint: .* https://"),
        ("s3://docs?aws_endpoint_url=127.0.0.1:28080", "wrong aws_endpoint_url: "),
        ("s3://docs?endpoint=http://host:99999", "wrong endpoint: "),
        ("s3://docs?endpoint=http://key:hidden@host", "wrong endpoint: "),
        ("s3://docs?public_endpoint=foo", "wrong public_endpoint: "),
        ("az://docs?endpoint=foo", "wrong endpoint: "),
        ("s3://docs?endpont=http://host", "unknown parameter endpont; did you mean endpoint"),
        ("s3://docs?AWS_SECRET_ACCESS_KEY=hidden", "AWS_SECRET_ACCESS_KEY; did you mean secret_access_key"),
        ("s3://docs?secret_access_key=hid&d%21en=x", "special characters"),
        ("s3://docs?allow_http=true", "unknown parameter allow_http"),
        ("s3://docs?server_side_encryption=foo", "must be AES256 or aws:kms or aws:kms:dsse"),
        ("s3://docs?access_key_id=only", "only one of access_key_id and secret_access_key"),
        ("s3://docs?checksum_algorithm=foo", "wrong checksum_algorithm: it must be sha256 or crc64nvme"),
        ("s3://docs?copy_if_not_exists=foo", "wrong copy_if_not_exists: s3:// does not take its value"),
        ("az://docs?read_timeout=1", "has an unknown parameter read_timeout"),
        ("gs://docs?google_allow_http=true", "has an unknown parameter google_allow_http"),
        ("gs://docs?foo=x", "has an unknown parameter foo"),
    ],
)
def test_a_wrong_url_is_refused_by_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"DOCSERVER_STORAGE_URL .*{said}") as refused:
        Bucket(replace(Settings(), storage_url=url))

    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://my-bucket.2/a/b/",
        "s3://docs?endpoint=http://[::1]:9000&public_endpoint=https://files.example.org/s3",
        "s3://docs?endpoint=https://docs.example.org&virtual_hosted_style_request=true",
        "s3://docs?endpoint=http://docs.example.org&checksum_algorithm=sha256&conditional_put=etag",
        "s3://docs?access_key_id=a&secret_access_key=%C3%BC%2B%2F",
        "s3://docs?endpoint=http://object_store:9000&server_side_encryption=aws:kms&sse_kms_key_id=key",
    ],
)
def test_a_url_that_can_be_used_is_taken(url: str) -> None:
    assert BucketUrl.parse(url).scheme == "s3"
    Bucket(replace(Settings(), storage_url=url))


def test_the_usual_variables_of_azure_complete_the_url() -> None:
    variables = {"AZURE_STORAGE_ACCOUNT_NAME": "documents", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}

    loaded = load({"DOCSERVER_STORAGE_URL": "az://docs/a?account_name=own", **variables}, dotenv=None)

    config = BucketUrl.parse(loaded.storage_url).config
    assert config == {"account_name": "own", "account_key": "a2V5"}
    Bucket(loaded)
