"""What is called corrupt: neither a sound picture file of an unusual kind, nor one for which the machine lacks room."""

import errno
import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode, jpeg2000
from docserver.ocr.image.decoder_errors import errors_as_unreadable

SIZE = (60, 40)


def failure(source: Path, content_type: str) -> tuple[DocumentErrorCode, str]:
    with pytest.raises(Unreadable) as caught:
        decode.count_pages(str(source), content_type, max_pages=1, max_pixels=10_000)
        decode.decode(str(source), content_type, page=1, max_pixels=10_000)
    return caught.value.failure.code, caught.value.failure.message


def frame(marker: int, *, bits: int = 8, channels: int = 1) -> bytes:
    """The segment with which the picture in a JPEG begins."""
    header = struct.pack(">BHHB", bits, SIZE[1], SIZE[0], channels) + bytes([1, 0x11, 0]) * channels
    return bytes([0xFF, marker]) + struct.pack(">H", len(header) + 2) + header


COMMENT = b"\xff\xfe\0\x04ok"


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        (COMMENT + frame(0xC1, bits=12), "12 bits a channel"),
        (COMMENT + b"\xff" + frame(0xC3), "lossless"),
        (frame(0xC5), "hierarchical"),
        (frame(0xF7), "JPEG-LS"),
        (frame(0xC0, channels=2), "2 channels"),
    ],
)
def test_a_sound_jpeg_of_a_rare_kind_is_not_called_corrupt(segments: bytes, reason: str, tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"\xff\xd8" + segments + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(100) + b"\xff\xd9")

    code, message = failure(source, "image/jpeg")

    assert code is DocumentErrorCode.UNSUPPORTED
    assert reason in message


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_is_read_unless_some_of_its_picture_is_missing(
    progressive: bool, tmp_path: Path
) -> None:
    source, file = tmp_path / "a.jpg", io.BytesIO()
    Image.effect_noise(SIZE, 80).save(file, "JPEG", progressive=progressive)
    with Image.open(file) as image:
        whole = image.copy()

    source.write_bytes(file.getvalue()[:-2])
    assert decode.decode(str(source), "image/jpeg", page=1, max_pixels=10_000).image.tobytes() == whole.tobytes()

    source.write_bytes(file.getvalue()[:-12])
    assert failure(source, "image/jpeg")[0] is DocumentErrorCode.CORRUPT


@pytest.mark.parametrize("data", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xc1\0\x0b", b"\xff\xd8\xff\xfe\0\x08ab"])
def test_a_jpeg_that_ends_in_its_header_is_corrupt(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(data)

    assert failure(tmp_path / "a.jpg", "image/jpeg")[0] is DocumentErrorCode.CORRUPT


def boxed(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


@pytest.mark.parametrize(
    ("coding", "reason"),
    [(b"unci", "without compression"), (b"jpeg", "with JPEG inside"), (b"avc1", "with H.264 inside")],
)
@pytest.mark.parametrize("entry", [b"\2\0\0\0\0\1\0\0", b"\3\0\0\0\0\0\0\1\0\0"])
def test_a_heif_picture_in_another_coding_is_not_called_corrupt(
    *, entry: bytes, coding: bytes, reason: str, tmp_path: Path
) -> None:
    items = boxed(b"iinf", b"\0\0\0\0\0\1" + boxed(b"infe", entry + coding + b"\0"))
    (tmp_path / "a.heif").write_bytes(boxed(b"ftyp", b"mif1\0\0\0\0mif1") + boxed(b"meta", bytes(4) + items))

    code, message = failure(tmp_path / "a.heif", "image/heif")

    assert code is DocumentErrorCode.UNSUPPORTED
    assert reason in message


def codestream(channels: int, *, bits: int) -> bytes:
    """The header of a JPEG 2000 picture, and no picture."""
    size = struct.pack(">HIIIIIIIIH", 0, *SIZE, 0, 0, *SIZE, 0, 0, channels) + bytes([bits - 1, 1, 1]) * channels
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size


def test_a_jpeg_2000_picture_with_more_channels_than_a_colour_has_is_not_called_corrupt(tmp_path: Path) -> None:
    (tmp_path / "a.jp2").write_bytes(codestream(5, bits=8))

    assert failure(tmp_path / "a.jp2", "image/jp2")[0] is DocumentErrorCode.UNSUPPORTED


def test_an_error_of_the_system_is_no_fault_of_the_document(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        failure(tmp_path / "nothing.png", "image/png")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("Unsupported marker"), DocumentErrorCode.UNSUPPORTED),
        (OSError("encoder error -2"), DocumentErrorCode.CORRUPT),
        (OSError(errno.EINVAL, "Invalid argument"), DocumentErrorCode.CORRUPT),
    ],
)
def test_an_error_of_a_decoder_tells_what_is_wrong_with_the_file(error: Exception, code: DocumentErrorCode) -> None:
    with pytest.raises(Unreadable) as caught, errors_as_unreadable():
        raise error

    assert caught.value.failure.code is code


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "No space left"), OSError(errno.EMFILE, "Many")]
)
def test_what_the_machine_lacks_is_no_fault_of_the_file(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, errors_as_unreadable():
        raise error

    assert caught.value is error


def test_a_jpeg_2000_file_without_a_codestream_has_no_channels() -> None:
    assert jpeg2000.depths(io.BytesIO(b"\0\0\0\x0cjP  \r\n\x87\n")) == []
