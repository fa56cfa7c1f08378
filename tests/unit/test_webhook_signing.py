"""The secrets and signatures of webhooks, held against the public library of Standard Webhooks."""

import base64
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from docserver.webhooks.client import MAX_RETRY_AFTER_S, _retry_after_s
from docserver.webhooks.signing import is_secret, new_secret, signed_headers

ID = UUID("01a20adb-006a-7203-821d-37eb470418e6")
BODY = '{"type":"job.completed","data":{"text":"Größe 😀"}}'.encode()


def encoded(size: int) -> str:
    return "whsec_" + base64.b64encode(b"x" * size).decode()


def test_each_signature_is_that_of_the_public_library() -> None:
    secrets = [new_secret(), new_secret()]
    now = int(time.time())

    headers = signed_headers(ID, now, BODY, signing_secrets=secrets)

    for secret, signature in zip(secrets, headers["webhook-signature"].split(" "), strict=True):
        assert signature == Webhook(secret).sign(str(ID), datetime.fromtimestamp(now, UTC), BODY.decode())
        assert Webhook(secret).verify(BODY, headers)["type"] == "job.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(BODY + b" ", headers)
    assert "." not in headers["webhook-id"]


def test_a_secret_without_its_padding_is_the_same() -> None:
    padded = encoded(25)

    assert padded.endswith("=")
    signatures = signed_headers(ID, 1, BODY, signing_secrets=[padded, padded.rstrip("=")])["webhook-signature"]
    assert len(set(signatures.split(" "))) == 1


@pytest.mark.parametrize(
    "text",
    [new_secret(), encoded(24), encoded(64), encoded(25).rstrip("=")],
    # Processes that share the tests must have the same names for them.
    ids=["new", "24 bytes", "64 bytes", "without padding"],
)
def test_secrets_of_24_to_64_bytes_are_taken(text: str) -> None:
    assert is_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        encoded(23),
        encoded(65),
        encoded(32)[6:],
        "whsec_" + "ü" * 40,
        "whsec_" + "!" * 40,
        encoded(32) + "\n",
    ],
)
def test_others_are_refused(text: str) -> None:
    assert not is_secret(text)


@pytest.mark.parametrize(
    "value",
    ["", "-1", "soon", "1.5", "²", "\u0661\u0662", "\uff11\uff12", "Fri, 99 Dec 2100 23:59:59 GMT", "9" * 400 + "x"],
)
def test_a_malformed_retry_after_asks_for_nothing(value: str) -> None:
    assert _retry_after_s(value) == 0


def test_retry_after_is_seconds_or_a_date_and_has_a_bound() -> None:
    in_an_hour = format_datetime(datetime.fromtimestamp(time.time() + 3600, UTC), usegmt=True)

    assert _retry_after_s("120") == 120
    assert 3000 < _retry_after_s(in_an_hour) <= 3600
    assert _retry_after_s("9" * 400) == MAX_RETRY_AFTER_S
