"""Requests that go wrong in ways that a client or the service seldom causes, without a server."""

import asyncio
import errno
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from marshmallow import ValidationError

from docserver.errors import NotFound, Unavailable, UnsupportedMedia
from docserver.formats import TEXT_FORMATS, render_process, result_writer
from docserver.formats.result_writer import ResultWriter
from docserver.room import UNLIMITED
from docserver.settings import Settings
from docserver.web import documentation, middleware, problems
from docserver.web.deadlines import Deadlines
from docserver.web.downloads import LowestSpeed, pieces
from docserver.web.handlers import common
from docserver.web.keys import DEADLINES, RESOURCES
from docserver.web.listener import Listener
from docserver.web.request_schemas import RetryOptions
from tests.support.pages import JOB


def request(path: str = "/", **headers: str) -> web.Request:
    app = web.Application()
    resources: Any = Mock(settings=SimpleNamespace(request_timeout_s=60, body_timeout_s=60))
    app[RESOURCES] = resources
    app[DEADLINES] = Deadlines()
    return make_mocked_request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}, app=app
    )


async def asset(name: str) -> web.StreamResponse:
    return await documentation._asset(make_mocked_request("GET", f"/docs/{name}", match_info={"name": name}))


async def test_the_documentation_has_its_page_and_script_and_no_files_of_others() -> None:
    page = await documentation._page(request())
    script = await asset("start.js")

    assert isinstance(page, web.Response)
    assert isinstance(script, web.Response)
    assert page.headers["Content-Security-Policy"] == documentation.CONTENT_SECURITY_POLICY
    assert script.content_type == "text/javascript"
    with pytest.raises(NotFound):
        await asset("../__init__.py")


def test_an_error_of_aiohttp_that_nobody_expects_is_an_internal_error() -> None:
    assert problems.from_http_exception(web.HTTPFound("/elsewhere")).status == 500
    assert problems.from_http_exception(web.HTTPGone()).status == 500


def test_what_is_no_id_names_nothing() -> None:
    with pytest.raises(NotFound):
        common.path_id(make_mocked_request("GET", "/v1/jobs/1", match_info={"job_id": "1"}), "job_id")


def test_a_selection_of_pages_is_a_text() -> None:
    with pytest.raises(ValidationError, match="Not a valid string"):
        RetryOptions().load({"pages": 3})


async def test_a_body_with_an_encoding_is_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        await middleware._read_body(request(Content_Encoding="gzip"))


async def test_a_timeout_that_is_none_of_the_request_stays_an_error_of_the_service() -> None:
    async def fail(_: web.Request) -> web.StreamResponse:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await middleware.deadline(request(), fail)
    with pytest.raises(TimeoutError):
        async with result_writer._in_time():
            raise TimeoutError


async def test_a_request_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_writer, "WRITING_S", 0)

    with pytest.raises(Unavailable, match="takes too long"):
        async with result_writer._in_time():
            await asyncio.Event().wait()


async def test_an_address_that_is_taken_is_an_error_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = replace(Settings(), host="127.0.0.1", port=taken.getsockname()[1])

        with pytest.raises(OSError) as caught:
            await Listener(settings)._bind()

    assert caught.value.errno == errno.EADDRINUSE
    assert "DOCSERVER_PORT" in str(caught.value)


@pytest.mark.parametrize("left", [0, 900_000])
async def test_a_client_that_reads_fast_enough_is_watched_on_and_another_is_cut_off(left: int) -> None:
    transport: Any = Mock()
    lowest = LowestSpeed(silence_s=60)
    transport.get_write_buffer_size.return_value = 900_000
    lowest.watch(transport)

    transport.get_write_buffer_size.return_value = left
    lowest._check(transport)

    assert transport.abort.called == (left > 0)
    lowest.stop()


async def test_a_file_that_has_become_shorter_breaks_off_its_download() -> None:
    rest = iter([b"abc", b""])

    with pytest.raises(ConnectionResetError):
        async for piece in pieces(lambda *_: next(rest), part=range(10)):
            assert piece == b"abc"


async def test_where_no_process_can_be_started_no_large_result_is_made(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(Unavailable, match="could not be made"):
        await render_process._start(0)

    assert caplog.messages == ["no process for a result"]


async def test_a_result_that_takes_a_while_is_written_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(result_writer, "TINY_WORK", -1)
    monkeypatch.setattr(result_writer, "_in_memory", lambda *_: threading.current_thread().name)
    writer = ResultWriter(scratch=tmp_path, room=UNLIMITED, max_bytes=1)

    assert str(await writer.write_small(TEXT_FORMATS["txt"], JOB, [])).startswith("result")

    await writer.aclose()
