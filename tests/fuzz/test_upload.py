"""Whatever a client uploads: a documented answer, nothing left of what was refused, and a healthy service."""

import asyncio
import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docserver.formats import FORMATS
from docserver.ocr.server.scratch import LOCK
from tests.fuzz.effort import tries
from tests.fuzz.values import damaged
from tests.support.raw_http import UPLOAD, part
from tests.support.samples import BROKEN, KINDS, png
from tests.support.service import Service
from tests.support.waiting import HANG_S, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSALS = frozenset({400, 408, 411, 413, 415, 417, 421, 422, 431})
"""Statuses that say that the request is wrong. Whatever is uploaded, none is about the server."""

TYPES = (
    b"multipart/form-data; boundary=b",
    b'multipart/form-data; boundary="b"',
    b"multipart/form-data",
    b"text/plain",
)
HEADERS = (
    *(b"Content-Encoding: gzip", b"Content-Encoding: identity", b"Expect: 100-continue", b"Prefer: wait=0"),
    *(b"Transfer-Encoding: gzip, chunked", b"X-Forwarded-For: 1.2.3.4", b"Content-Length: 7", b"Range: bytes=9-1"),
)
FORM_PIECES = (
    *(b"--b", b"\r\n--b--\r\n", b"\r\n", b"\r\n\r\n", b"--", b'"', b"\\", b";", b"\x00", b"\xff", b"=", b"\n", b" "),
    *(b'; filename="../x"', b"; filename*=UTF-8''%ff%00", b"; filename*=latin-9'en'%a4", b'; name="file"', b"name*0=f"),
    *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Type: text/plain; charset=utf-7\r\n", b"A" * 9000),
)
OPTIONS = st.tuples(
    st.sampled_from(("languages", "mode", "rotate", "pages", "expires_in", "file", "", "x")),
    st.sampled_from(("eng", "auto", "force", "off", "1-3,7", "1", "-1", "nan", "1e400", "9" * 40, "ü", "\x00", "")),
)


@dataclass(frozen=True)
class Answer:
    status: int
    media_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """An upload whose body, head or framing may be wrong."""
    parts = [part("file", PNG, filename="note.png")]
    parts += [part(name, value.encode()) for name, value in draw(st.lists(OPTIONS, max_size=3))]
    body = draw(damaged(b"".join(draw(st.permutations(parts))) + b"--b--\r\n", pieces=FORM_PIECES))
    content_type = draw(st.sampled_from(TYPES) | damaged(TYPES[0]).map(lambda text: text.translate(None, b"\r\n")))
    headers = [b"Host: localhost", b"Connection: close", b"Content-Type: " + content_type]
    headers += draw(st.lists(st.sampled_from(HEADERS), max_size=2))
    if draw(st.booleans()):
        headers.append(b"Content-Length: %d" % max(0, len(body) + draw(st.sampled_from((0, 0, 0, -3, 50)))))
    else:
        headers.append(b"Transfer-Encoding: chunked")
        size = draw(st.integers(1, 3000))
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    return b"POST " + UPLOAD.encode() + b" HTTP/1.1\r\n" + b"\r\n".join(headers) + b"\r\n\r\n" + body


PNG = png("fuzz")
FILES = {kind: sample.data() for kind, sample in {**KINDS, **BROKEN}.items() if len(sample.data()) < 300_000}


@pytest.fixture
def port(impatient: Service) -> int:
    listening = impatient.find("listening")
    assert listening is not None
    return int(listening["port"])


async def assert_healthy(service: Service, data_dir: Path) -> None:
    """It reads, and has no file of a refused upload: once all its documents are deleted, it has none at all."""
    await service.assert_at_work()
    # Also those whose 202 did not reach a client that had sent too much.
    for document_id in await all_documents(service):
        async with service.http.delete(f"/v1/documents/{document_id}") as response:
            assert response.status == 204
    await until(lambda: left_files(data_dir) == [])


async def all_documents(service: Service) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        async with service.http.get("/v1/documents/list-document", params={"limit": "100", **cursor}) as response:
            listed = await response.json()
        found += [item["document_id"] for item in listed["items"]]
        if not listed["next_cursor"]:
            return found
        cursor = {"cursor": listed["next_cursor"]}


def left_files(data_dir: Path) -> list[Path]:
    """The files of documents, of uploads and of pages that are being read."""
    directories = [data_dir / name for name in ("originals", "incoming", "scratch")]
    files = [path for directory in directories for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if path.name != LOCK]


async def test_any_request_gets_a_documented_answer(impatient: Service, impatient_dir: Path, port: int) -> None:
    @tries(40, share=0.3)
    @given(request=requests())
    def check(request: bytes) -> None:
        answer = sent(port, request)
        if answer is None:
            return
        if answer.status == 202:
            deleted = asked(port, "DELETE", f"/v1/documents/{answer.json()['document_id']}")
            assert deleted.status == 204
            return
        assert answer.status in REFUSALS, answer
        assert answer.media_type == "application/problem+json", answer
        assert answer.json()["code"]

    await asyncio.to_thread(check)
    await assert_healthy(impatient, impatient_dir)


async def test_any_file_comes_to_its_end(impatient: Service, impatient_dir: Path, port: int) -> None:
    @tries(12, share=0.05)
    @given(kind=st.sampled_from(sorted(FILES)), data=st.data(), form=st.sampled_from(sorted(FORMATS)))
    def check(kind: str, data: st.DataObject, form: str) -> None:
        answer = uploaded(port, data.draw(damaged(FILES[kind])))
        if answer.status != 202:
            assert answer.status in {415, 422}, answer
            return
        job = answer.json()
        while job["status"] in ("pending", "processing"):
            job = asked(port, "GET", f"/v1/jobs/{job['job_id']}?wait=30").json()
        assert job["status"] in ("completed", "failed"), job
        if job["error"]:
            assert "/" not in job["error"]["message"]
        result = asked(port, "GET", f"/v1/jobs/{job['job_id']}/result?format={form}")
        assert result.status == 200 if job["status"] == "completed" else result.status < 500, result
        assert asked(port, "DELETE", f"/v1/documents/{job['document_id']}").status == 204

    await asyncio.to_thread(check)
    await assert_healthy(impatient, impatient_dir)


def uploaded(port: int, data: bytes) -> Answer:
    body = part("file", data, filename="file") + b"--b--\r\n"
    return asked(port, "POST", UPLOAD, body=body, headers={"Content-Type": TYPES[0].decode()})


def asked(port: int, method: str, path: str, **more: Any) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    try:
        connection.request(method, path, **more)
        return answer_of(connection.getresponse())
    finally:
        connection.close()


def sent(port: int, request: bytes) -> Answer | None:
    """The answer to these bytes and the end of the sending side; None if the server hangs up on the half request."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_S) as wire:
        try:
            wire.sendall(request)
            wire.shutdown(socket.SHUT_WR)
            response = http.client.HTTPResponse(wire)
            response.begin()
            return answer_of(response)
        except (ConnectionError, http.client.RemoteDisconnected, OSError) as error:
            assert not isinstance(error, TimeoutError), "no answer"
            return None


def answer_of(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, response.headers.get_content_type(), response.read())
