"""The samples are what they claim to be: of their kind, readable where they say so, and the same on every run."""

import io
import struct
import zlib
from datetime import UTC, datetime

import pi_heif
import pytest
from PIL import Image, ImageChops, ImageOps
from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError

from tests.support import samples
from tests.support.samples import BROKEN, KINDS, PAGES, PASSWORD, TEXT, UNSUPPORTED, Sample
from tests.support.samples import pictures as samples_pictures

ALL = {**KINDS, **BROKEN, **UNSUPPORTED}

MAGIC = {
    "application/pdf": b"%PDF-1.",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/tiff": b"II*\x00",
    "image/webp": b"RIFF",
    "image/bmp": b"BM",
    "image/gif": b"GIF8",
    "image/jp2": b"\x00\x00\x00\x0cjP  ",
}

PICTURES = {kind: sample for kind, sample in KINDS.items() if sample.content_type != "application/pdf"}


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.fixture(autouse=True)
def heif() -> None:
    pi_heif.register_heif_opener()


@pytest.mark.parametrize("sample", [pytest.param(sample, id=kind) for kind, sample in {**KINDS, **BROKEN}.items()])
def test_a_document_starts_as_its_content_type_says(sample: Sample) -> None:
    data = sample.data()
    if sample.content_type in ("image/heic", "image/avif"):
        assert data[4:12] == b"ftyp" + sample.content_type.removeprefix("image/").encode()
    else:
        assert data.startswith(MAGIC[sample.content_type])


@pytest.mark.parametrize("sample", [pytest.param(sample, id=kind) for kind, sample in ALL.items()])
def test_two_calls_return_the_same_bytes(sample: Sample) -> None:
    assert sample.data() == sample.data()


@pytest.mark.parametrize("sample", [pytest.param(sample, id=kind) for kind, sample in PICTURES.items()])
def test_a_picture_opens_with_one_frame_per_text_and_has_ink_on_it(sample: Sample) -> None:
    image = opened(sample.data())

    assert getattr(image, "n_frames", 1) == len(sample.texts)
    assert ImageOps.invert(image.convert("RGB")).getbbox()


@pytest.mark.parametrize("kind", ["png", "tiff", "tiff_cmyk", "webp", "bmp", "gif"])
def test_a_lossless_kind_holds_the_very_pixels_that_were_drawn(kind: str) -> None:
    difference = ImageChops.difference(opened(KINDS[kind].data()).convert("L"), samples.picture(TEXT))

    assert difference.getbbox() is None


@pytest.mark.parametrize(
    ("kind", "mode"), [("tiff_1bit", "1"), ("tiff_16bit", "I;16"), ("tiff_cmyk", "CMYK"), ("tiff_lab", "LAB")]
)
def test_a_special_tiff_has_its_special_mode(kind: str, mode: str) -> None:
    assert opened(KINDS[kind].data()).mode == mode


def test_the_turned_jpeg_lies_on_its_side_until_its_exif_orientation_is_applied() -> None:
    turned = opened(samples.jpeg_turned())
    upright = ImageOps.exif_transpose(turned)

    assert turned.size == samples.picture(TEXT).size[::-1]
    assert upright.size == samples.picture(TEXT).size


@pytest.mark.parametrize("kind", ["pdf_text", "pdf_pages", "pdf_owner_locked"])
def test_a_born_digital_pdf_has_its_text(kind: str) -> None:
    sample = KINDS[kind]
    texts = [page.extract_text() for page in PdfReader(io.BytesIO(sample.data())).pages]

    assert [samples.words(text) for text in texts] == [samples.words(text) for text in sample.texts]


def test_brackets_and_backslashes_survive_in_a_born_digital_pdf() -> None:
    text = r"a (b) c\d"

    assert PdfReader(io.BytesIO(samples.pdf_text(text))).pages[0].extract_text().strip() == text


def test_a_scanned_pdf_has_pictures_and_no_text() -> None:
    pages = PdfReader(io.BytesIO(samples.pdf_scanned(PAGES))).pages

    assert [len(page.images) for page in pages] == [1, 1, 1]
    assert [page.extract_text() for page in pages] == ["", "", ""]


def test_a_scanned_pdf_does_not_carry_the_time_of_its_making() -> None:
    metadata = PdfReader(io.BytesIO(samples.pdf_scanned())).metadata

    assert metadata is not None
    assert metadata.creation_date == datetime(1970, 1, 1, tzinfo=UTC)


def test_an_encrypted_pdf_opens_with_its_password_alone() -> None:
    reader = PdfReader(io.BytesIO(samples.pdf_encrypted()))

    with pytest.raises(FileNotDecryptedError):
        len(reader.pages)
    assert not reader.decrypt("wrong")
    assert reader.decrypt(PASSWORD)
    assert samples.words(reader.pages[0].extract_text()) == samples.words(TEXT)


def test_an_owner_locked_pdf_is_encrypted_and_opens_without_a_password() -> None:
    reader = PdfReader(io.BytesIO(samples.pdf_owner_locked()))

    assert reader.is_encrypted
    assert len(reader.pages) == 1


def test_a_pdf_without_pages_is_a_pdf() -> None:
    assert len(PdfReader(io.BytesIO(samples.pdf_without_pages())).pages) == 0


def test_a_giant_page_has_more_pixels_than_any_machine_wants() -> None:
    box = PdfReader(io.BytesIO(samples.pdf_giant_page())).pages[0].mediabox

    assert (box.width * samples.DPI / 72) * (box.height * samples.DPI / 72) == 60_000**2


@pytest.mark.parametrize(("width", "height"), [(1, 1), (9, 3), (4_000, 4_000)])
def test_a_small_bomb_is_a_whole_and_valid_picture(width: int, height: int) -> None:
    image = opened(samples.png_bomb(width, height))

    assert image.size == (width, height)
    assert image.getbbox() is None


def test_a_bomb_is_far_smaller_than_what_it_declares() -> None:
    assert len(samples.png_bomb()) < 30_000 * 30_000 / 8 / 900


@pytest.mark.parametrize("count", [0, 1, 1 << 20, (5 << 20) + 7])
def test_compressed_zeros_are_so_many_zeros(count: int) -> None:
    assert zlib.decompress(samples_pictures.zeros_compressed(count)) == bytes(count)


def test_the_pages_of_the_looping_tiff_never_end() -> None:
    data = samples.tiff_looping_pages()
    place = first = struct.unpack_from("<I", data, 4)[0]

    for _ in range(2):
        place = struct.unpack_from("<I", data, place + 2 + 12 * struct.unpack_from("<H", data, place)[0])[0]

    assert place == first


@pytest.mark.parametrize("kind", ["png_truncated", "pdf_truncated", "pdf_header_only"])
def test_a_broken_document_does_not_open(kind: str) -> None:
    sample = BROKEN[kind]

    with pytest.raises(Exception, match=r".+"):
        if sample.content_type == "application/pdf":
            len(PdfReader(io.BytesIO(sample.data()), strict=True).pages)
        else:
            opened(sample.data())
