"""Uploads that are malformed, endless, slow or cut off: each a clear answer, and nothing left behind."""

import asyncio
import tracemalloc
from collections.abc import Callable

import pytest

from docserver.resources import Resources
from docserver.web import upload_body
from tests.support.client import Client, MakeClient, get, kept_files
from tests.support.raw_http import UPLOAD, Wire, part, wire
from tests.support.samples import png
from tests.support.waiting import until

FORM = "Content-Type: multipart/form-data; boundary=b"
FILE = part("file", png(), filename="a.png")
END = b"--b--\r\n"
NO_NAME = b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n"

MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no boundary at all": b"x" * 1000,
    "a boundary and no more": b"--b",
    "headers that break off": b"--b\r\nContent-Disposition: form-data; na",
    "a file that breaks off": FILE[:-30],
    "no last boundary": FILE,
    "half of the last boundary": FILE + b"--b-",
    "junk behind a boundary": FILE + b"--bxx\r\n" + END,
    "junk in front of the first boundary": b"junk--b\r\n",
    "a header without a colon": b"--b\r\nContent-Disposition\r\n\r\nx\r\n" + END,
    "a header whose name is none": b"--b\r\nContent Disposition: form-data; name=file\r\n\r\nx\r\n" + END,
    "a header that begins as a continuation": b"--b\r\n Content-Disposition: form-data\r\n\r\nx\r\n" + END,
    "bare line feeds": FILE.replace(b"\r\n", b"\n") + b"--b--\n",
    "no disposition": b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" + END,
    "another disposition": b'--b\r\nContent-Disposition: attachment; name="file"\r\n\r\nx\r\n' + END,
    "a part longer than it says": part("file", b"12345", b"Content-Length: 3", filename="a") + END,
    "a part shorter than it says": part("file", b"1", b"Content-Length: 3", filename="a") + END,
    "a part of a negative length": part("file", b"1", b"Content-Length: -1", filename="a") + END,
    "a part of a length that is no number": part("file", b"1", b"Content-Length: 1_0", filename="a") + END,
    "a field that is not UTF-8": FILE + part("pages", b"\xff\xfe") + END,
    "a field that is too long": FILE + part("pages", b"1" * 5000) + END,
    "too many fields": b"".join(part(f"field{number}", b"1") for number in range(40)) + FILE + END,
    "too many headers": part("file", b"1", *(b"X-%d: 1" % number for number in range(20)), filename="a") + END,
    "a header that is too long": part("file", b"1", b"X-Long: " + b"x" * 10_000, filename="a") + END,
    "a header without an end": b"--b\r\nX-Long: " + b"x" * 100_000,
    "a preamble that is too long": b"preamble\r\n" * 200_000 + FILE + END,
    "an epilogue that is too long": FILE + END + b"x" * 2_000_000,
}

UNACCEPTABLE: dict[str, tuple[bytes, int]] = {
    "no part at all": (END, 422),
    "a part without a name": (NO_NAME + FILE + END, 422),
    "a file that is itself multipart": (part("file", END, b"Content-Type: multipart/mixed; boundary=c") + END, 415),
    "a charset field, which no upload needs": (part("_charset_", b"utf-16") + FILE + END, 422),
    "a file in base64": (part("file", b"iVBORw0KGgo=", b"Content-Transfer-Encoding: base64") + END, 415),
    "two files": (FILE + FILE + END, 422),
    "a file that is empty": (part("file", b"", filename="a") + END, 422),
    "a name with a line feed": (part("pa%0D%0Ages", b"1") + FILE + END, 422),
}

HARMLESS: dict[str, bytes] = {
    "a preamble and an epilogue": b"This is MIME.\r\n" + FILE + END + b"\r\nThat was MIME.\r\n",
    "no line end behind the last boundary": FILE + b"--b--",
    "headers in small letters": FILE.replace(b"Content-Disposition", b"content-disposition") + END,
    "no file name": part("file", png()) + END,
}


async def until_empty(resources: Resources) -> None:
    await until(lambda: not kept_files(resources))


async def until_arriving(resources: Resources) -> None:
    """Wait until the server has begun to store an upload."""
    await until(lambda: bool(kept_files(resources, "incoming")))


async def send_whole(sender: Wire, body: bytes) -> None:
    await sender.send_head(FORM, f"Content-Length: {len(body)}")
    await sender.send(body)


async def send_byte_by_byte(sender: Wire, body: bytes) -> None:
    await sender.send_head(FORM, "Transfer-Encoding: chunked")
    # More is the same again; the beginning and the end are where the boundaries are.
    for start in range(0, len(body), 1 if len(body) < 3000 else 10_000):
        await sender.send_chunk(body[start : start + (1 if len(body) < 3000 else 10_000)])
    await sender.send(b"0\r\n\r\n")


Send = Callable[[Wire, bytes], "asyncio.Future[None]"]


@pytest.mark.parametrize("send", [send_whole, send_byte_by_byte])
async def test_a_malformed_body_is_refused_as_such_and_leaves_nothing(
    client: Client, resources: Resources, send: Send
) -> None:
    for kind, body in MALFORMED.items():
        async with wire(client.port or 0) as sender:
            await send(sender, body)
            answer = await sender.answer()

        assert (answer.status, answer.json()["code"]) == (400, "bad_request"), (kind, answer.body)
        assert answer.headers["content-type"] == "application/problem+json", kind
        await until_empty(resources)


@pytest.mark.parametrize("kind", UNACCEPTABLE)
async def test_a_form_that_is_no_upload_is_refused_and_leaves_nothing(
    client: Client, resources: Resources, kind: str
) -> None:
    body, status = UNACCEPTABLE[kind]

    async with wire(client.port or 0) as sender:
        await send_whole(sender, body)
        answer = await sender.answer()

    assert answer.status == status, answer.body
    await until_empty(resources)


@pytest.mark.parametrize("send", [send_whole, send_byte_by_byte])
@pytest.mark.parametrize("kind", HARMLESS)
async def test_what_is_unusual_but_right_is_accepted(client: Client, kind: str, send: Send) -> None:
    async with wire(client.port or 0) as sender:
        await send(sender, HARMLESS[kind])
        answer = await sender.answer()

    assert answer.status == 202, answer.body


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; charset=utf-8",
    ],
)
async def test_a_form_without_a_boundary_is_malformed(client: Client, content_type: str) -> None:
    async with client.post(UPLOAD, data=FILE + END, headers={"Content-Type": content_type}) as response:
        assert response.status == 400
        assert "boundary" in (await response.json())["detail"]


@pytest.mark.parametrize("content_type", ["multipart/mixed; boundary=b", "text/plain", "multipart/form-database"])
async def test_a_body_of_another_type_is_not_supported(client: Client, content_type: str) -> None:
    async with client.post(UPLOAD, data=FILE + END, headers={"Content-Type": content_type}) as response:
        assert response.status == 415


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "nonsense"])
async def test_a_compressed_body_is_refused_without_unpacking_it(
    client: Client, resources: Resources, encoding: str
) -> None:
    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, f"Content-Encoding: {encoding}", "Content-Length: 10")
        await sender.send(b"\x1f\x8b" + bytes(8))
        answer = await sender.answer()

    assert answer.status in (400, 415)
    await until_empty(resources)


@pytest.mark.parametrize("name", ["file", "pages"])
async def test_a_chunked_upload_over_the_limit_is_refused_before_it_has_all_arrived(
    make_client: MakeClient, resources: Resources, name: str
) -> None:
    client = await make_client(max_upload_mb=0.5, rate_limit=False)

    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, "Transfer-Encoding: chunked")
        await sender.send_chunk(part(name, png(), filename="a.png")[:-2])
        for _ in range(10):
            await sender.send_chunk(b"x" * 100_000)
        answer = await sender.answer()

    assert answer.status == (413 if name == "file" else 400), answer.body
    await until_empty(resources)


@pytest.mark.parametrize("filler", [b"preamble\r\n" * 10_000, b"x" * 100_000, b"--b" * 30_000, b"\r\n" * 50_000])
async def test_an_endless_preamble_is_cut_short_and_costs_no_memory(
    client: Client, resources: Resources, filler: bytes
) -> None:
    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, "Transfer-Encoding: chunked")
        tracemalloc.start()
        try:
            for _ in range(15):
                await sender.send_chunk(filler)
            answer = await sender.answer()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert answer.status == 400
    assert peak < 8_000_000


async def test_a_client_that_falls_silent_in_a_small_body_is_told_so(make_client: MakeClient) -> None:
    client = await make_client(request_timeout_s=0.3, rate_limit=False)

    async with wire(client.port or 0) as sender:
        await sender.send_head("Content-Type: application/json", "Content-Length: 100", path="/v1/webhooks")
        await sender.send(b"{")
        answer = await sender.answer()

    assert (answer.status, answer.json()["code"]) == (408, "request_timeout")


@pytest.mark.parametrize(("path", "status"), [("/v1/nothing", 404), ("/v1/languages", 405)])
async def test_a_path_or_method_that_is_not_there_is_refused_before_its_body_arrives(
    client: Client, path: str, status: int
) -> None:
    async with wire(client.port or 0) as sender:
        await sender.send_head("Content-Length: 100", path=path)
        answer = await sender.answer()

    assert answer.status == status


async def test_a_client_that_falls_silent_in_mid_upload_is_told_so_and_leaves_nothing(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client(body_timeout_s=0.3, rate_limit=False)

    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, "Content-Length: 1000000")
        await sender.send(FILE[:-30])
        answer = await sender.answer()

    assert (answer.status, answer.json()["code"]) == (408, "request_timeout")
    await until_empty(resources)


@pytest.mark.parametrize(
    ("bounds", "bytes_per_s"),
    [
        ({"body_timeout_s": 0.5}, 100_000),
        ({"upload_timeout_s": 0.5}, 1),
    ],
)
async def test_a_client_that_sends_a_byte_now_and_then_is_given_up(
    make_client: MakeClient,
    resources: Resources,
    bounds: dict[str, float],
    bytes_per_s: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload_body, "MIN_BYTES_PER_S", bytes_per_s)
    client = await make_client(**bounds, rate_limit=False)

    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, "Content-Length: 1000000")
        await sender.send(FILE[:-30])
        dripping = asyncio.create_task(drip(sender))
        answer = await sender.answer()
        dripping.cancel()

    assert answer.status == 408
    await until_empty(resources)


async def drip(sender: Wire) -> None:
    while True:
        await sender.send(b"x")
        await asyncio.sleep(0.1)


async def test_a_slow_upload_that_is_fast_enough_is_accepted(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_body, "MIN_BYTES_PER_S", 1)
    client = await make_client(body_timeout_s=3.0, rate_limit=False)
    body = FILE + END

    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, f"Content-Length: {len(body)}")
        size = len(body) // 10 + 1
        for start in range(0, len(body), size):
            await sender.send(body[start : start + size])
            await asyncio.sleep(0.4)
        answer = await sender.answer()

    assert answer.status == 202


@pytest.mark.parametrize("header", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
async def test_a_client_that_goes_away_in_mid_upload_leaves_nothing(
    client: Client, resources: Resources, header: str
) -> None:
    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, header)
        beginning = FILE[:-30] + bytes(600_000)
        await (sender.send_chunk(beginning) if "chunked" in header else sender.send(beginning))
        await until_arriving(resources)

    await until_empty(resources)
    assert (await get(client, "/v1/documents/list-document"))["total"] == 0


async def test_a_client_that_goes_away_behind_the_last_boundary_has_uploaded_nothing(
    client: Client, resources: Resources
) -> None:
    async with wire(client.port or 0) as sender:
        await sender.send_head(FORM, "Content-Length: 5000000")
        await sender.send(FILE + END)
        await until_arriving(resources)

    await until_empty(resources)
    assert (await get(client, "/v1/documents/list-document"))["total"] == 0


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\\\..\\\\windows\\\\system.ini", "system.ini"),
        ("C:\\\\scans\\\\a.png", "a.png"),
        ("/", "unnamed"),
        ("..", "unnamed"),
        ("a\x00b.png", "ab.png"),
        ("a%0D%0Ab.png", "ab.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 1000 + ".png", "x" * 255),
        ("-rf", "-rf"),
        ("$(reboot).png", "$(reboot).png"),
        ("Größe 漢字 🙂.png", "Größe 漢字 🙂.png"),
        ("Ko\u0308ln.png", "Köln.png"),
        ("=?utf-8?B?Li4vTcO8bGxlci5wbmc=?=", "Müller.png"),
    ],
)
async def test_a_file_name_is_made_fit_for_display_and_is_no_path(
    client: Client, resources: Resources, given: str, shown: str
) -> None:
    async with wire(client.port or 0) as sender:
        await send_whole(sender, part("file", png(), filename=given) + END)
        answer = await sender.answer()
    assert answer.status == 202, answer.body

    document = await get(client, f"/v1/documents/{answer.json()['document_id']}")

    assert document["filename"] == shown
    assert [path.name for path in kept_files(resources)] == [document["document_id"]]


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        (b"filename=\"gr__e.png\"; filename*=utf-8''gr%C3%B6%C3%9Fe.png", "größe.png"),
        (b'filename="M\xfcller.png"', "Müller.png"),
        (b'FileName="a.png"', "a.png"),
    ],
)
async def test_a_file_name_is_taken_in_every_encoding(client: Client, parameters: bytes, shown: str) -> None:
    head = b'Content-Disposition: form-data; name="file"; ' + parameters
    async with wire(client.port or 0) as sender:
        await send_whole(sender, b"--b\r\n" + head + b"\r\n\r\n" + png() + b"\r\n" + END)
        answer = await sender.answer()

    document = await get(client, f"/v1/documents/{answer.json()['document_id']}")

    assert document["filename"] == shown
