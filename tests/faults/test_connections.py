"""Connections cut at the worst moment: a commit under way, an upload half sent, one worker's way to a server."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.faults.place import Place
from tests.faults.uploads import half_an_upload
from tests.support.fragile_servers import Servers
from tests.support.held_ocr import held
from tests.support.proxy import Cut, Proxy
from tests.support.service import Service
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMIT = b"\x03COMMIT"
"""The statement as MySQL's protocol sends it. A new connection also says READ COMMITTED, which must not be cut."""

SELDOM_S = "300"
"""Nobody but the upload or the worker commits anything meanwhile."""


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name.lower())
async def test_an_upload_whose_commit_is_cut_off_is_there_if_and_only_if_it_got_its_202(
    place: Place, hurt: Servers, cut: Cut
) -> None:
    service = await place.start(maintenance_s=SELDOM_S, lease_s=SELDOM_S)
    trap = hurt.mysql.trap(COMMIT, cut)

    made = await place.upload(service)

    assert trap.sprung.is_set()
    assert (made is not None) == (cut is Cut.AFTER)
    await place.must_upload(service)
    await place.assert_kept(service)
    await place.assert_clean()


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name.lower())
async def test_a_page_whose_commit_is_cut_off_is_saved_and_counted_once(place: Place, hurt: Servers, cut: Cut) -> None:
    service = await place.start(maintenance_s=SELDOM_S, lease_s=SELDOM_S)
    async with held(service):
        await place.must_upload(service, pages=2)
        await place.handed_over()
        trap = hurt.mysql.trap(COMMIT, cut)

    await place.assert_kept(service)
    assert trap.sprung.is_set()


async def test_a_client_that_hangs_up_in_the_middle_of_its_upload_leaves_nothing(place: Place) -> None:
    service = await place.start()
    async with half_an_upload(place, service):
        pass

    await until(lambda: _is_gone(place))

    assert place.originals() == set()
    await place.must_upload(service)
    await place.assert_kept(service)


async def _is_gone(place: Place) -> bool:
    return place.incoming() == []


@asynccontextmanager
async def way(hurt: Servers, server: str) -> AsyncIterator[Proxy]:
    """A way to a server that one worker alone takes."""
    made = Proxy((hurt.database if server == "MySQL" else hurt.store).socket)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def worker_on(place: Place, hurt: Servers, server: str, proxy: Proxy) -> Service:
    if server == "MySQL":
        return await place.start("--worker-only", mysql_url=replace(hurt, mysql=proxy).mysql_url(place.database))
    return await place.start("--worker-only", redis_url=replace(hurt, redis=proxy).redis_url(place.number))


CUTS: dict[str, Callable[[Proxy], None]] = {
    "hears nothing from": lambda proxy: proxy.swallow(requests=False),
    "cannot reach": lambda proxy: proxy.swallow(replies=False),
}


@pytest.mark.parametrize("server", ["MySQL", "Redis"])
@pytest.mark.parametrize("cut", CUTS)
async def test_of_two_workers_one_does_the_work_while_the_other(
    place: Place, hurt: Servers, cut: str, server: str
) -> None:
    api = await place.start(slots="0")
    async with way(hurt, server) as proxy:
        lonely = await worker_on(place, hurt, server, proxy)
        async with held(lonely):
            await place.must_upload(api, pages=3)
            await place.handed_over()
            CUTS[cut](proxy)
        other = await place.start("--worker-only")
        await place.must_upload(api, pages=2)

        for accepted in place.accepted:
            assert (await api.finished(accepted.job_id))["status"] == "completed"

        await other.stop()
        proxy.heal()
        await place.must_upload(api, pages=2)
        await place.assert_kept(api)
        await place.assert_clean()
