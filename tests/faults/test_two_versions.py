"""The previous release and this code at once on one database, Redis and data directory, and the step back."""

import asyncio
from collections import Counter

import pytest

from tests.faults.place import Place
from tests.support.held_ocr import held
from tests.support.service import Service
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXPANSION = (
    "ALTER TABLE {}.documents ADD COLUMN shelf VARCHAR(20) NULL FIRST",
    "ALTER TABLE {}.jobs ADD COLUMN priority INT NOT NULL DEFAULT 7 AFTER id",
    "ALTER TABLE {}.pages ADD COLUMN ink DOUBLE NULL FIRST, ADD INDEX by_ink (ink)",
    "CREATE TABLE {}.shelves (name VARCHAR(20) NOT NULL PRIMARY KEY)",
    "INSERT INTO {}.migrations (number, name, finished_at) VALUES (9001, 'shelves', NOW())",
)
"""What a migration that is still to come may do. This code may have none that the previous release lacks."""


async def test_two_versions_share_all_work_whichever_is_killed_and_the_earlier_can_go_on_alone(
    place: Place, previous: str
) -> None:
    earlier = await place.start(version=previous)
    await place.must_upload(earlier)
    present = await place.start()
    for statement in EXPANSION:
        await place.sql(statement)
    await until(lambda: share_a_document(place, earlier, present))

    await kill_before_a_page(place, earlier, other=present)

    earlier_again = await place.start(version=previous)
    await place.assert_kept(earlier_again)
    await place.redis("FLUSHDB")
    await place.assert_kept(present)

    await kill_before_a_page(place, present, other=earlier_again)

    # The next start removes what the killed service had in hand.
    await place.assert_kept(earlier_again, scratch=1)
    await place.assert_clean()
    ends = Counter(line["job_id"] for service in place.services for line in ended(service))
    assert set(ends.values()) == {1}


async def test_a_service_ends_when_a_newer_version_takes_away_what_it_uses(place: Place) -> None:
    service = await place.start(slots="0")

    await place.sql("INSERT INTO {}.needed_migrations (number) VALUES (9002)")

    assert await service.ended() == 69
    await service.logged("stopping")
    await until(lambda: any("needs migration 9002" in line for line in service.noise))


async def share_a_document(place: Place, first: Service, second: Service) -> bool:
    """Upload a document through each; true if both have read pages of the same one."""
    for service, other in ((first, second), (second, first)):
        accepted = await place.must_upload(service, pages=4)
        await other.finished(accepted.job_id)
        if all(each.find("page read", job_id=accepted.job_id) for each in (first, second)):
            return True
    return False


async def kill_before_a_page(place: Place, doomed: Service, *, other: Service) -> None:
    """Kill a service while both services have a document before them, and more are waiting."""
    async with held(doomed), held(other):
        await asyncio.gather(*(place.must_upload(service) for service in (doomed, other, doomed, other)))
        await until(lambda: len(place.scratch()) == 2)
        await place.kill(doomed)


def ended(service: Service) -> list[dict[str, str]]:
    return [line for line in service.lines if line["message"] == "job finished"]
