"""docserver behind a real nginx with the configuration of deploy/nginx: TLS, uploads, waits and client addresses."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult

from docserver.settings import Settings
from tests.support.certificate import HOST
from tests.support.client import get, upload
from tests.support.nginx import CONFIGURATION, Nginx, free_ports, nginx
from tests.support.samples import PAGES, pdf_scanned, png, words
from tests.support.server_fixtures import empty
from tests.support.servers import Servers
from tests.support.service import Service, environment_of, form
from tests.support.waiting import in_time, until

UPLOAD = "/v1/documents/upload-document"

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Here(AbstractResolver):
    """Every name is this machine's."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        assert family in (socket.AF_INET, socket.AF_UNSPEC)
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxied")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(running: Servers, place: Path) -> AsyncIterator[Nginx]:
    await empty(running)
    environment = environment_of(
        mysql_url=running.mysql_url,
        redis_url=running.redis_url,
        data_dir=place / "data",
        trusted_proxies="127.0.0.1",
        allowed_hosts=HOST,
        max_upload_mb="1",
        # So few tokens come back that a test sees none.
        rate_limit_reads="100/86400",
    )
    service = await Service(environment).start()
    port = int(service.http._base_url.port)  # type: ignore[union-attr, arg-type]
    (place / "nginx").mkdir()
    async with nginx(place / "nginx", upstream_port=port) as started:
        yield started
    await service.stop()


@asynccontextmanager
async def client(proxy: Nginx, *, address: str = "127.0.0.2") -> AsyncIterator[aiohttp.ClientSession]:
    """A client at this address of this machine."""
    connector = aiohttp.TCPConnector(resolver=Here(), ssl=proxy.trust, local_addr=(address, 0))
    async with aiohttp.ClientSession(f"https://{HOST}:{proxy.port}", connector=connector) as session:
        yield session


async def test_an_upload_that_waits_for_its_end_comes_back_read(proxy: Nginx) -> None:
    async with client(proxy) as http:
        async with http.post(UPLOAD, data=form(png(PAGES[0])), headers={"Prefer": "wait=60"}) as response:
            job = await response.json()
            assert (response.status, job["status"]) == (200, "completed")
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
        async with http.get(f"/v1/jobs/{job['job_id']}/result") as response:
            assert words(await response.text()) == words(PAGES[0])


async def test_an_upload_reaches_the_service_while_it_is_being_sent(proxy: Nginx, place: Path) -> None:
    arrived = asyncio.Event()
    picture = png(PAGES[1]) + bytes(600_000)

    def is_arriving() -> bool:
        return any(path.stat().st_size for path in (place / "data" / "incoming").glob("*.part"))

    async def body() -> AsyncIterator[bytes]:
        yield picture[:500_000]
        await until(is_arriving)
        arrived.set()
        yield picture[500_000:]

    fields = aiohttp.FormData()
    fields.add_field("file", body(), filename="slow.png")
    async with client(proxy) as http, http.post(UPLOAD, data=fields) as response:
        assert response.status == 202, await response.text()

    assert arrived.is_set()


async def test_an_event_reaches_the_client_at_once(proxy: Nginx) -> None:
    async with client(proxy) as http:
        busy = await upload(http, pdf_scanned(PAGES[:1] * 30), filename="busy.pdf")
        waits = await upload(http, png("waits"))
        async with http.get(f"/v1/jobs/{waits['job_id']}/events") as response:
            async with in_time():
                while not (line := await response.content.readline()).startswith(b"data:"):
                    assert line
            # A proxy that collects them would have held back the first until the last.
            assert (await get(http, f"/v1/jobs/{waits['job_id']}"))["status"] == "pending"
            assert b'"pending"' in line
        for job in (busy, waits):
            async with http.post(f"/v1/jobs/{job['job_id']}/cancel") as response:
                # On a busy machine it may have been read meanwhile.
                assert response.status == 200 or (await get(http, f"/v1/jobs/{job['job_id']}"))["status"] == "completed"


async def test_an_upload_that_is_too_large_is_refused_by_the_service(proxy: Nginx) -> None:
    async with client(proxy) as http, http.post(UPLOAD, data=form(bytes(1_200_000))) as response:
        assert (response.status, (await response.json())["code"]) == (413, "too_large")


async def test_each_client_is_known_by_its_own_address_whatever_it_says_of_it(proxy: Nginx) -> None:
    async def left(address: str, **headers: str) -> int:
        async with client(proxy, address=address) as http, http.get("/v1/languages", headers=headers) as response:
            assert response.status == 200
            return int(re.findall(r"r=(\d+)", response.headers["RateLimit"])[0])

    first = await left("127.0.0.3")
    others = await left("127.0.0.4")
    second = await left("127.0.0.3", **{"X-Forwarded-For": "203.0.113.9"})

    assert first == others
    assert second == first - 1


async def test_it_offers_http_2_and_sends_plain_requests_to_tls(proxy: Nginx) -> None:
    offered = ssl.create_default_context()
    offered.check_hostname, offered.verify_mode = False, ssl.CERT_NONE
    offered.set_alpn_protocols(["h2", "http/1.1"])
    async with in_time():
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port, ssl=offered, server_hostname=HOST)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    writer.close()
    connector = aiohttp.TCPConnector(resolver=Here())
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.post(f"http://{HOST}:{proxy.plain_port}{UPLOAD}?a=b", allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (308, f"https://{HOST}{UPLOAD}?a=b")


async def test_metrics_are_not_for_those_outside(proxy: Nginx) -> None:
    async with client(proxy) as http, http.get("/metrics") as response:
        assert response.status == 404


async def test_the_proxy_waits_longer_than_the_service_takes_and_drops_connections_earlier() -> None:
    text, settings = CONFIGURATION.read_text(), Settings()
    seconds = {name: int(value) for name, value in re.findall(r"(\w+_timeout) (\d+)s;", text)}

    assert seconds["proxy_read_timeout"] > settings.wait_limit_s + settings.request_timeout_s
    assert seconds["keepalive_timeout"] < settings.keepalive_s


async def test_while_the_service_is_away_clients_get_an_error_in_the_usual_form(tmp_path: Path) -> None:
    nobody = free_ports(1)[0]
    async with (
        nginx(tmp_path, upstream_port=nobody) as started,
        client(started) as http,
        http.get("/v1/languages") as response,
    ):
        assert (response.status, response.content_type) == (503, "application/problem+json")
        assert (await response.json())["code"] == "unavailable"
        assert response.headers["Retry-After"]
