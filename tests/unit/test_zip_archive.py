"""ZIPs of strangers: names, bombs, lies and everything else that they may have."""

import io
import struct
import zipfile

import pytest

from docserver.documents import zip_archive
from docserver.documents.zip_archive import Entry, entries
from docserver.errors import ServiceError, TooLarge, Unprocessable, UnsupportedMedia

CONTENT = b"some bytes of a document " * 40


def archive(*names: str | zipfile.ZipInfo, content: bytes = CONTENT, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as opened:
        for name in names:
            opened.writestr(name, content, method)
    return bytearray(made.getvalue())


def read(data: bytes | bytearray, *, max_bytes: int = 100_000, max_total_bytes: int = 1_000_000) -> list[Entry]:
    return list(entries(io.BytesIO(data), max_bytes=max_bytes, max_total_bytes=max_total_bytes))


async def content(entry: Entry) -> bytes:
    return b"".join([chunk async for chunk in entry.content()])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_files_are_read_in_their_order(method: int) -> None:
    found = read(archive("b.pdf", "directory/", "a/a.pdf", "__MACOSX/a/._a.pdf", "a/.DS_Store", method=method))

    assert [entry.name for entry in found] == ["b.pdf", "a/a.pdf"]
    assert [await content(entry) for entry in found] == [CONTENT, CONTENT]


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("größe.pdf".encode(), "größe.pdf"),
        ("größe.pdf".encode("cp437"), "größe.pdf"),
        (b"../../etc/passwd", "../../etc/passwd"),
        (b"/absolute.pdf", "/absolute.pdf"),
    ],
)
def test_names_are_read_as_they_were_meant(stored: bytes, name: str) -> None:
    placeholder = "x" * len(stored)
    data = archive(placeholder).replace(placeholder.encode(), stored)

    assert [entry.name for entry in read(data)] == [name]


async def test_a_zip64_archive_is_read() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened, opened.open("a.pdf", "w", force_zip64=True) as file:
        file.write(CONTENT)

    (entry,) = read(made.getvalue())
    assert await content(entry) == CONTENT


def test_too_many_entries_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_archive, "MAX_ENTRIES", 2)
    monkeypatch.setattr(zip_archive, "ZipFile", None)

    with pytest.raises(Unprocessable, match="more than 2 entries"):
        read(archive("a", "b", "c"))


def test_entries_that_overlap_are_refused() -> None:
    data = archive("a.pdf", "b.pdf")
    # Both entries of the directory lead to the first file.
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<L", 0)

    with pytest.raises(Unprocessable, match="overlap"):
        read(data)


def test_all_files_together_are_bounded_as_they_say_of_themselves() -> None:
    with pytest.raises(TooLarge):
        read(archive("a.pdf", "b.pdf"), max_total_bytes=len(CONTENT) + 1)


async def test_a_file_is_bounded_before_it_is_inflated() -> None:
    (entry,) = read(archive("a.pdf"), max_bytes=len(CONTENT) - 1)

    with pytest.raises(TooLarge):
        await content(entry)


def saying(size: int) -> bytearray:
    """An archive whose directory says that its file is as large as this."""
    data = archive("a.pdf")
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<L", size)
    return data


async def test_nothing_is_inflated_beyond_the_size_that_a_file_says_it_has() -> None:
    (entry,) = read(saying(1), max_bytes=1)

    inflated = 0
    with pytest.raises(Unprocessable, match="damaged"):
        async for chunk in entry.content():
            inflated += len(chunk)
    assert inflated <= 1


async def test_a_file_that_is_smaller_than_it_says_is_read_and_counts_as_it_says() -> None:
    (entry,) = read(saying(90_000))

    assert await content(entry) == CONTENT
    with pytest.raises(TooLarge):
        read(saying(90_000), max_total_bytes=80_000)


@pytest.mark.parametrize(
    ("flag", "method", "error"),
    [(1, None, Unprocessable), (0, zipfile.ZIP_LZMA, UnsupportedMedia), (0, zipfile.ZIP_BZIP2, UnsupportedMedia)],
)
async def test_what_cannot_be_inflated_within_bounds_is_refused(
    flag: int, method: int | None, error: type[ServiceError]
) -> None:
    data = archive("a.pdf", method=zipfile.ZIP_DEFLATED if method is None else method)
    place = data.rindex(b"PK\x01\x02")
    data[place + 8] |= flag
    (entry,) = read(data)

    with pytest.raises(error):
        await content(entry)


@pytest.mark.parametrize("place", [0, 14, 30, 60])
async def test_a_file_whose_bytes_or_local_header_are_wrong_is_damaged(place: int) -> None:
    data = archive("a.pdf", method=zipfile.ZIP_STORED)
    data[place] ^= 0xFF
    found = read(data)

    if place == 14:
        # The checksum of the directory counts, not this copy of it.
        assert await content(found[0]) == CONTENT
    else:
        with pytest.raises(Unprocessable, match="damaged"):
            await content(found[0])


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", bytes(archive("a.pdf"))[:-1], b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_or_has_no_file_is_refused(data: bytes) -> None:
    with pytest.raises(Unprocessable):
        read(data)
