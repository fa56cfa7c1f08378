"""Tesseract's table of words becomes blocks, and its failures become results."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from pytesseract import TesseractError

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.recognition import tesseract, tesseract_program
from docserver.ocr.recognition.tesseract import Layout, Tesseract
from docserver.ocr.recognition.tesseract_program import TesseractProgram

PICTURE = Image.new("L", (20, 20), 255)

HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
TABLE = (
    HEADER + "1\t1\t0\t0\t0\t0\t0\t0\t200\t100\t-1\t\n"
    "2\t1\t1\t0\t0\t0\t10\t10\t90\t30\t-1\t\n"
    "3\t1\t1\t1\t0\t0\t10\t10\t90\t30\t-1\t\n"
    "4\t1\t1\t1\t1\t0\t10\t10\t90\t10\t-1\t\n"
    "5\t1\t1\t1\t1\t1\t10\t10\t40\t10\t90.123456\tone\n"
    '5\t1\t1\t1\t1\t2\t60\t10\t40\t10\t50.000000\t"x\u2028y\n'
    "4\t1\t1\t1\t2\t0\t10\t30\t90\t10\t-1\t\n"
    "5\t1\t1\t1\t2\t1\t10\t30\t40\t10\t95.000000\t \n"
    "2\t1\t2\t0\t0\t0\t0\t50\t200\t50\t-1\t\n"
    "3\t1\t2\t1\t0\t0\t0\t50\t200\t50\t-1\t\n"
    "4\t1\t2\t1\t1\t0\t0\t50\t200\t50\t-1\t\n"
    "5\t1\t2\t1\t1\t1\t0\t50\t200\t50\t95.000000\t\n"
)


def library(_: Path) -> Tesseract:
    """Tesseract in this process, where tesserocr is installed."""
    pytest.importorskip("tesserocr")
    from docserver.ocr.recognition.tesseract_library import TesseractLibrary

    return TesseractLibrary("/nowhere")


def test_words_keep_their_boxes_and_what_is_empty_is_left_out() -> None:
    (block,) = tesseract.parse(TABLE)

    assert block.box == (10, 10, 100, 40)
    (line,) = block.paragraphs[0].lines
    assert [(word.text, word.box, word.confidence) for word in line.words] == [
        ("one", (10, 10, 50, 20), 90.12),
        ('"x\u2028y', (60, 10, 100, 20), 50.0),
    ]


def test_a_table_without_words_is_an_empty_page() -> None:
    assert list(tesseract.parse(HEADER)) == []
    assert tesseract.recognised("", HEADER).confidence == 0.0


def test_long_words_weigh_more_in_the_confidence() -> None:
    assert tesseract.recognised("one", TABLE).confidence == round((90.12 * 3 + 50.0 * 4) / 7, 2)


@pytest.mark.parametrize("make", [TesseractProgram, library])
@pytest.mark.parametrize("languages", ["", "-c", "eng --psm 0", "../secret", "eng+", "eng+../x", "eng\n"])
def test_languages_that_are_no_names_never_reach_tesseract(
    languages: str, make: Callable[[Path], Tesseract], tmp_path: Path
) -> None:
    with pytest.raises(Unreadable) as caught:
        make(tmp_path).recognise(PICTURE, dpi=None, languages=languages, layout=Layout.PAGE)

    assert caught.value.failure.code is DocumentErrorCode.UNSUPPORTED


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (-11, "", DocumentErrorCode.ENGINE_CRASHED),
        (1, "Error during processing.", DocumentErrorCode.ENGINE_CRASHED),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'", DocumentErrorCode.OUT_OF_MEMORY),
        (1, "Tesseract couldn't load any languages!", DocumentErrorCode.UNSUPPORTED),
    ],
)
def test_how_the_program_ended_tells_the_failure(
    status: int, said: str, code: DocumentErrorCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(**_: object) -> None:
        raise TesseractError(status, said)

    monkeypatch.setattr(tesseract_program, "run_tesseract", crash)

    with pytest.raises(Unreadable) as caught:
        TesseractProgram(tmp_path).recognise(PICTURE, dpi=300, languages="eng", layout=Layout.PAGE)

    assert caught.value.failure.code is code
    assert str(tmp_path) not in caught.value.failure.message


@pytest.mark.parametrize(
    "left_behind",
    [{}, {".txt": "one"}, {".txt": "one", ".tsv": TABLE.rstrip("\n")}, {".txt": "", ".tsv": TABLE}],
)
def test_a_result_that_is_missing_or_incomplete_is_a_crash(
    left_behind: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(*, output_filename_base: str, **_: object) -> None:
        for suffix, text in left_behind.items():
            Path(output_filename_base).with_suffix(suffix).write_text(text)

    monkeypatch.setattr(tesseract_program, "run_tesseract", leave)

    with pytest.raises(Unreadable) as caught:
        TesseractProgram(tmp_path).recognise(PICTURE, dpi=None, languages="eng", layout=Layout.PAGE)

    assert caught.value.failure.code is DocumentErrorCode.ENGINE_CRASHED
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_the_library_does_not_find_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        library(tmp_path).recognise(PICTURE, dpi=None, languages="eng", layout=Layout.PAGE)

    assert caught.value.failure.code is DocumentErrorCode.UNSUPPORTED
    assert "eng" in caught.value.failure.message
