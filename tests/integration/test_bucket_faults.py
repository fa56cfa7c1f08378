"""What is said of a bucket that is full, or that is asked in a wrong way."""

import asyncio
import errno
import ssl
from dataclasses import replace
from pathlib import Path

import obstore
import pytest

from docserver.errors import StorageUnavailable
from docserver.settings import Settings
from docserver.storage import BucketError
from docserver.storage.bucket import Bucket
from docserver.storage.identity import IdentityError
from docserver.storage.object_identity import ObjectIdentities
from tests.support.certificate import make_certificate
from tests.support.s3_server import FaultyBucket, S3Server


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((403, f"{whose}QuotaExceeded") for whose in ("", "Service", "Storage", "Bucket")),
        *((409, "QuotaExceeded"), (403, "StorageCapExceeded"), (413, "EntityTooLarge"), (413, "")),
    ],
)
async def test_a_bucket_whose_quota_is_used_up_is_full(
    status: int, code: str, faulty: FaultyBucket, s3: S3Server, bucket_settings: Settings, tmp_path: Path
) -> None:
    bucket = Bucket(replace(bucket_settings, storage_url=s3.url(tmp_path.name, port=faulty.port)))
    faulty.answer(status, code)

    for write in (bucket.put, bucket.put_new):
        with pytest.raises(BucketError) as refused:
            await bucket.run(write, "key", b"content")
        assert refused.value.errno == errno.ENOSPC


async def test_an_address_with_tls_of_a_server_without_it_is_said_at_the_start(
    s3: S3Server, bucket_settings: Settings, tmp_path: Path
) -> None:
    url = s3.url(tmp_path.name).replace("endpoint=http%3A", "endpoint=https%3A")
    settings = replace(bucket_settings, storage_url=url, storage_timeout_s=1)

    with pytest.raises(IdentityError, match=r"must begin with http:// .*: correct DOCSERVER_STORAGE_URL"):
        await asyncio.to_thread(ObjectIdentities(settings).directory)


async def test_an_address_without_tls_of_a_server_with_it_is_said_at_the_start(
    faulty: FaultyBucket, s3: S3Server, bucket_settings: Settings, tmp_path: Path
) -> None:
    settings = replace(bucket_settings, storage_url=s3.url(tmp_path.name, port=faulty.port), storage_timeout_s=1)
    # As nginx says it; there is no code in it.
    faulty.answer(400, "</Code>The plain HTTP request was sent to HTTPS port")

    with pytest.raises(IdentityError, match=r"must begin with https:// .*: correct DOCSERVER_STORAGE_URL"):
        await asyncio.to_thread(ObjectIdentities(settings).directory)


async def test_a_wrong_region_is_said_at_the_start(
    faulty: FaultyBucket, s3: S3Server, bucket_settings: Settings, tmp_path: Path
) -> None:
    settings = replace(bucket_settings, storage_url=s3.url(tmp_path.name, port=faulty.port))
    faulty.answer(400, "AuthorizationHeaderMalformed")

    with pytest.raises(IdentityError, match=r"its region, .*: correct DOCSERVER_STORAGE_URL"):
        await asyncio.to_thread(ObjectIdentities(settings).directory)


async def test_why_there_is_no_answer_is_said_at_the_start(
    s3: S3Server, bucket_settings: Settings, tmp_path: Path
) -> None:
    make_certificate(tmp_path / "certificate", tmp_path / "key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    url = s3.url(tmp_path.name)

    async def said(endpoint: str) -> str:
        changed = url.replace(f"http%3A//127.0.0.1%3A{s3.port}", endpoint)
        assert changed != url
        settings = replace(bucket_settings, storage_url=changed, storage_timeout_s=1)
        with pytest.raises(StorageUnavailable) as refused:
            await asyncio.to_thread(ObjectIdentities(settings).directory)
        return str(refused.value)

    async with server:
        untrusted = await said(f"https%3A//127.0.0.1%3A{port}")
    refused = await said(f"http%3A//127.0.0.1%3A{port}")

    assert f"s3://bucket/{tmp_path.name} cannot be used now" in untrusted
    assert "a certificate that is not trusted" in untrusted
    assert "the connection is refused" in refused


async def test_a_panic_of_the_library_is_an_error_that_names_the_setting(
    bucket_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        """What pyo3 raises when Rust code panics."""

    def panic(*_: object, **__: object) -> None:
        raise PanicException

    monkeypatch.setattr(obstore, "get", panic)

    with pytest.raises(IdentityError, match=r"a panic of the library, .*: correct DOCSERVER_STORAGE_URL"):
        await asyncio.to_thread(ObjectIdentities(bucket_settings).directory)
