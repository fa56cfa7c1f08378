"""The log lines of a service."""

from tests.support.samples import TEXT, png
from tests.support.servers import Servers
from tests.support.service import Start


async def test_each_log_line_is_json_and_a_request_id_goes_through_to_the_worker(start: Start) -> None:
    service = await start()
    headers = {"X-Request-ID": "order-4711"}
    from tests.support.service import form

    async with service.http.post("/v1/documents/upload-document", data=form(png()), headers=headers) as response:
        job = await response.json()
    await service.finished(job["job_id"])
    line = await service.logged("page read", request_id="order-4711")
    request = await service.logged("request", request_id="order-4711")

    assert (line["service"], line["job_id"], line["page"], line["level"]) == ("worker", job["job_id"], 1, "info")
    assert request["service"] == "api"
    assert (request["method"], request["route"], request["status"]) == ("POST", "/v1/documents/upload-document", 202)
    assert isinstance(request["duration_ms"], int)
    assert request["bytes"] > len(str(job))
    await service.stop()
    assert service.noise == []
    assert service.lines[-1]["message"] == "stopped"


async def test_no_document_text_or_password_is_logged(start: Start, empty_servers: Servers) -> None:
    service = await start()
    job = await service.upload(png(), filename="private-name.png")
    await service.finished(job["job_id"])
    await service.stop()

    logged = " ".join(map(str, service.lines))
    assert "private-name" not in logged
    assert TEXT.split()[0] not in logged
    assert "unix_socket" not in logged
    assert empty_servers.redis_url not in logged
