"""The secrets that sign webhooks, and the headers of a signed webhook, as Standard Webhooks defines them."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from uuid import UUID

PREFIX = "whsec_"
"""The prefix of secrets in Standard Webhooks."""

SECRET_BYTES = 32

MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
"""The sizes that Standard Webhooks allows for the key of a symmetric signature."""


def new_secret() -> str:
    """A new secret in its text form."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    """True if the text is a secret of an allowed size."""
    try:
        return text.startswith(PREFIX) and MIN_SECRET_BYTES <= len(_key(text)) <= MAX_SECRET_BYTES
    except (binascii.Error, ValueError):
        return False


def signed_headers(webhook_id: UUID, timestamp: int, body: bytes, *, signing_secrets: Iterable[str]) -> dict[str, str]:
    """The headers of a webhook that is sent at this time, in seconds since 1970, with a signature by each secret."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": str(webhook_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, content) for secret in signing_secrets),
    }


def _signature(secret: str, content: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.digest(_key(secret), content, hashlib.sha256)).decode()}"


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix(PREFIX)
    # Receivers' libraries take secrets with and without the padding of base64.
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
