"""Child side: Tesseract as a program, through pytesseract. One run gives both the words and the text of a page."""

from contextlib import suppress
from pathlib import Path

import pytesseract
from PIL import Image
from pytesseract.pytesseract import run_tesseract

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.recognition.tesseract import Layout, Recognised, check_languages, not_installed, recognised

OUT_OF_MEMORY_SIGNS = ("bad_alloc", "out of memory", "cannot allocate memory", "malloc fail", "calloc fail")
"""Parts of the messages, in lower case, that Tesseract and Leptonica print when they cannot allocate memory."""

MISSING_MODEL_SIGNS = ("couldn't load any languages", "could not initialize tesseract", "error opening data file")


class TesseractProgram:
    """Starts `tesseract` for each picture. The program reads a file that we write, never an uploaded file."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        check_languages(languages)
        base = self._scratch / "recognised"
        source = _written(picture, self._scratch / "picture.tif")
        # One run writes both files. pytesseract's image_to_data and image_to_string would need two runs.
        config = f"--psm {layout.value} -c tessedit_create_txt=1" + (f" --dpi {dpi}" if dpi else "")
        try:
            run_tesseract(
                input_filename=str(source),
                output_filename_base=str(base),
                extension="tsv",
                lang=languages,
                config=f"{config} -c tessedit_create_tsv=1",
            )
            text = base.with_suffix(".txt").read_text("utf-8", errors="replace")
            table = base.with_suffix(".tsv").read_text("utf-8", errors="replace")
        except pytesseract.TesseractError as error:
            raise _fault(error.status, error.message, languages) from error
        except FileNotFoundError as error:
            raise Unreadable(
                DocumentErrorCode.ENGINE_CRASHED, "Recognition ended without a result.", detail=repr(error)
            ) from error
        finally:
            for path in (source, base.with_suffix(".txt"), base.with_suffix(".tsv")):
                with suppress(FileNotFoundError):
                    path.unlink()
        result = recognised(text, table)
        # If the disk is full, Tesseract still exits with 0, but its files are incomplete or empty.
        if not table.endswith("\n") or (result.blocks and not result.text):
            raise Unreadable(DocumentErrorCode.ENGINE_CRASHED, "Recognition ended before its result was complete.")
        return result


def _written(picture: Image.Image, path: Path) -> Path:
    """Write the picture as uncompressed TIFF. With PNM, a page would take a twentieth longer, because Tesseract reads
    PNM byte by byte.
    """
    # Write a copy without the upload's metadata. Otherwise Pillow would write the upload's tags and compression again.
    bare = picture.copy()
    bare.info = {}
    bare.save(path, format="TIFF", compression="raw")
    return path


def _fault(status: int, message: str, languages: str) -> Unreadable:
    detail = f"tesseract ended with {status}: {message[-2000:]}"
    lower_case = message.lower()
    if any(sign in lower_case for sign in OUT_OF_MEMORY_SIGNS):
        return Unreadable(
            DocumentErrorCode.OUT_OF_MEMORY, "Reading the page took more memory than is allowed.", detail=detail
        )
    if any(sign in lower_case for sign in MISSING_MODEL_SIGNS):
        return not_installed(languages, detail)
    return Unreadable(DocumentErrorCode.ENGINE_CRASHED, "Recognition of the page crashed.", detail=detail)
