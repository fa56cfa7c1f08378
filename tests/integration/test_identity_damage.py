"""Identities that come from a bucket with other bytes than it has: nobody is told to give them up."""

import asyncio
from uuid import UUID, uuid4

import pytest

from docserver.errors import StorageUnavailable
from docserver.resources import Resources
from docserver.storage.identity import IdentityError
from docserver.storage.object_identity import ObjectIdentities
from docserver.storage.objects import ObjectStorage
from tests.support.s3_server import FaultyBucket, by_kms

IDENTITY = UUID("0193f0a0-0000-7000-8000-000000000000")

DAMAGES = {
    "no identity": lambda data: bytes([data[0] ^ 0xFF]) + data[1:],
    "another identity": lambda data: b"1" + data[1:],
    "too short": lambda data: data[:-3],
    "too long": lambda data: data + b"0",
}


@pytest.fixture
async def identities(in_bucket: Resources) -> ObjectIdentities:
    identities = ObjectIdentities(in_bucket.settings)
    await asyncio.to_thread(identities.claim_database, IDENTITY)
    return identities


@pytest.mark.parametrize("damage", DAMAGES)
async def test_an_identity_that_comes_damaged_is_a_fault_of_the_way(
    identities: ObjectIdentities, faulty: FaultyBucket, damage: str
) -> None:
    faulty.damage(DAMAGES[damage], place="/identity/")

    with pytest.raises(StorageUnavailable, match="cannot be used now"):
        await asyncio.to_thread(identities.database)
    with pytest.raises(StorageUnavailable, match="cannot be used now"):
        await asyncio.to_thread(identities.claim_database, uuid4())
    faulty.heal()

    assert await asyncio.to_thread(identities.database) == IDENTITY


@pytest.mark.parametrize("other", [b"<html>", b"0193f0a0-1111-7000-8000-000000000000\n"], ids=["a page", "an identity"])
async def test_another_object_in_place_of_an_identity_is_a_fault_of_the_way(
    identities: ObjectIdentities, faulty: FaultyBucket, other: bytes
) -> None:
    faulty.exchange(other, place="/identity/")

    with pytest.raises(StorageUnavailable, match="cannot be used now"):
        await asyncio.to_thread(identities.database)


async def test_an_identity_that_is_damaged_in_the_bucket_is_said_to_be(
    identities: ObjectIdentities, in_bucket: Resources
) -> None:
    await damage(in_bucket)

    with pytest.raises(IdentityError, match="is damaged: delete it and run"):
        await asyncio.to_thread(identities.database)


async def damage(in_bucket: Resources) -> None:
    assert isinstance(in_bucket.storage, ObjectStorage)
    bucket = in_bucket.storage._bucket
    await bucket.run(bucket.put, "identity/database", b"damaged")


async def test_where_etags_are_no_md5_all_that_comes_damaged_is_a_fault_of_the_way(
    identities: ObjectIdentities, in_bucket: Resources, faulty: FaultyBucket
) -> None:
    faulty.rewrite(by_kms(f"{IDENTITY}\n".encode(), b"damaged"))
    sound = await asyncio.to_thread(identities.database)
    await damage(in_bucket)

    with pytest.raises(IdentityError, match="is damaged: delete it and run"):
        await asyncio.to_thread(identities.database)
    faulty.damage(DAMAGES["no identity"], place="/bucket/")
    with pytest.raises(StorageUnavailable, match="gives other bytes than it was given"):
        await asyncio.to_thread(identities.database)

    assert sound == IDENTITY
