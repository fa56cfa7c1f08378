"""ZIPs that nobody meant well: each is refused, or each of its files, within bounds."""

import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from docserver.documents import intake, zip_archive
from docserver.documents.zip_archive import MAX_ENTRIES, Entry
from docserver.errors import ServiceError
from tests.support.hostile import zips

DAMAGED = (422, "The ZIP is damaged or incomplete.")
TOO_MANY = (422, f"The ZIP has more than {MAX_ENTRIES} entries.")
MB = 1_000_000


def entries(data: bytes) -> list[Entry]:
    return list(zip_archive.entries(io.BytesIO(data), max_bytes=10 * MB, max_total_bytes=100 * MB))


async def content(entry: Entry) -> bytes:
    return b"".join([chunk async for chunk in entry.content()])


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (zips.end(0, size=0, place=0), (422, "The ZIP has no file.")),
        (zips.end(1, size=0xFFFF, place=0), DAMAGED),
        (zips.archive()[:-5], DAMAGED),
        (zips.archive(b"\xff\xfe.png", flags=0x800), DAMAGED),
        (zips.archive(in_central={"packed": 10_000}), DAMAGED),
        (zips.archive(in_central={"place": 10_000}), DAMAGED),
        (zips.archive(in_central={"extra": b"\1\0\xff\xff"}), DAMAGED),
        (zips.archive(in_central={"size": 0xFFFFFFF0}), (413, "The files in the ZIP have more than 100 MB.")),
        *((zips.in_zip64(zips.zip64_extra(place=place)), DAMAGED) for place in (2**40, 2**63 - 1, 2**63, 2**64 - 1)),
        (zips.in_zip64(zips.zip64_extra(packed=2**64 - 1)), DAMAGED),
        (zips.in_zip64(zips.zip64_extra(size=2**64 - 1)), (413, "The files in the ZIP have more than 100 MB.")),
        (zips.overlapping(9000), (422, "Entries of the ZIP overlap.")),
        (zips.only_entries(MAX_ENTRIES + 1, said=MAX_ENTRIES + 1), TOO_MANY),
        (zips.only_entries(2 * MAX_ENTRIES, said=1), TOO_MANY),
        (zips.with_two_ends(2 * MAX_ENTRIES), DAMAGED),
        (zips.around(zips.archive())[:-150], DAMAGED),
        (zips.around(zips.archive(), then=b""), DAMAGED),
        (zips.around(zips.in_zip64(zips.zip64_extra()), then=b""), DAMAGED),
        (zips.around(zips.whole_zip64(), then=b""), DAMAGED),
        (b"PK\x03\x04 of an entry that is lost" + zips.archive(), DAMAGED),
        (zips.archive(before=zips.local(b"lost")), DAMAGED),
        (zips.archive() + zips.archive()[:40], DAMAGED),
        (zips.archive(comment=zips.end(0, size=0, place=0)), DAMAGED),
        (zips.archive(comment=b"some words")[:-1], DAMAGED),
    ],
)
def test_what_is_no_sound_archive_is_refused_whole(data: bytes, refusal: tuple[int, str]) -> None:
    with pytest.raises(ServiceError) as raised:
        entries(data)

    assert (raised.value.status, raised.value.detail) == refusal


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (zips.archive(crc=1), "The file is damaged in the ZIP."),
        (zips.archive(flags=0x1), "The file is encrypted in the ZIP; send a ZIP without a password."),
        (zips.archive(flags=0x41), "The file is encrypted in the ZIP; send a ZIP without a password."),
        (zips.archive(flags=0x20), "The file is damaged in the ZIP."),
        (zips.archive(method=12), "The file is compressed in the ZIP in another way than by Deflate."),
        (zips.archive(method=99), "The file is compressed in the ZIP in another way than by Deflate."),
        (zips.archive(size=2), "The file is damaged in the ZIP."),
        (zips.archive(packed=2), "The file is damaged in the ZIP."),
        (zips.archive().replace(b"a.png", b"b.png", 1), "The file is damaged in the ZIP."),
        (zips.archive(data=bytes(11 * MB)), "The file is larger than the 10 MB that are accepted."),
    ],
)
async def test_what_is_no_sound_file_is_refused_by_itself(data: bytes, refusal: str) -> None:
    (entry,) = entries(data)

    with pytest.raises(ServiceError) as raised:
        await content(entry)

    assert raised.value.detail == refusal


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        (b"../../etc/passwd", 0, "passwd"),
        (b"/etc/x.png", 0, "x.png"),
        (b"C:\\x\\y.png", 0, "y.png"),
        (b"a.png\0.exe", 0, "a.png.exe"),
        (b"", 0, "unnamed"),
        (b"..", 0, "unnamed"),
        (b"x" * 0xFFFF, 0, "x" * 255),
        ("ä.png".encode(), 0x800, "ä.png"),
        ("ä.png".encode(), 0, "ä.png"),
        ("ä.png".encode("cp437"), 0, "ä.png"),
    ],
)
async def test_a_name_becomes_one_that_can_be_shown(name: bytes, flags: int, expected: str) -> None:
    (entry,) = entries(zips.archive(name, flags=flags))

    assert intake.clean_filename(entry.name) == expected
    assert await content(entry) == zips.DATA


@pytest.mark.parametrize(
    "data",
    [
        zips.archive(comment=b"some words"),
        zips.archive(flags=0x8, in_local={"crc": 0, "packed": 0, "size": 0}),
        zips.in_zip64(zips.zip64_extra()),
        zips.whole_zip64(),
    ],
    ids=["a comment", "sizes after the file", "Zip64", "a directory in Zip64"],
)
async def test_what_programs_do_write_is_read(data: bytes) -> None:
    (entry,) = entries(data)

    assert await content(entry) == zips.DATA


async def test_an_archive_in_an_archive_and_equal_names_are_files_like_others() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("inner.zip", zips.archive())
        archive.writestr("a.png", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", b"second")

    read = [(entry.name, await content(entry)) for entry in entries(made.getvalue())]

    assert read == [("inner.zip", zips.archive()), ("a.png", b"first"), ("a.png", b"second")]


@pytest.mark.parametrize("make", [lambda: zips.only_entries(100_000, said=1), lambda: zips.archive(data=bytes(9 * MB))])
async def test_memory_does_not_grow_with_what_an_archive_hides(make: Callable[[], bytes]) -> None:
    archive = io.BytesIO(make())
    tracemalloc.start()
    try:
        for entry in zip_archive.entries(archive, max_bytes=10 * MB, max_total_bytes=100 * MB):
            async for _ in entry.content():
                pass
    except ServiceError:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < len(archive.getvalue()) + 2 * MB


async def test_changed_bytes_are_found_or_do_no_harm() -> None:
    generator = random.Random(4711)
    sound = zips.in_zip64(zips.zip64_extra())
    for _ in range(500):
        changed = bytearray(sound)
        for _ in range(generator.randint(1, 4)):
            changed[generator.randrange(len(changed))] = generator.choice((0, 1, 255, generator.randrange(256)))
        try:
            for entry in entries(bytes(changed)):
                await content(entry)
        except ServiceError as refused:
            assert refused.status in (413, 415, 422)
