"""Child side: Tesseract as a library in this process, through tesserocr; models stay in memory from page to page."""

import tesserocr
from PIL import Image

from docserver.ocr.recognition.tesseract import Layout, Recognised, check_languages, not_installed, recognised

MAX_ENGINES = 2
"""Sets of languages whose models stay loaded: some 20 MB each, far more for a dozen languages at once."""


class TesseractLibrary:
    """Keeps an engine for each of the sets of languages that were used last."""

    def __init__(self, tessdata: str) -> None:
        """`tessdata` is the directory of the models."""
        self._tessdata = tessdata
        self._engines: dict[str, tesserocr.PyTessBaseAPI] = {}

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        check_languages(languages)
        engine = self._engine(languages)
        engine.SetPageSegMode(layout.value)
        # 0 makes Tesseract estimate the resolution, as the program does without --dpi.
        engine.SetVariable("user_defined_dpi", str(dpi or 0))
        _show(picture, engine)
        try:
            # What the classifier learnt from an earlier page must not change how this one is read.
            engine.ClearAdaptiveClassifier()
            return recognised(engine.GetUTF8Text(), "\n" + engine.GetTSVText(0))
        finally:
            engine.Clear()

    def _engine(self, languages: str) -> tesserocr.PyTessBaseAPI:
        engine = self._engines.pop(languages, None)
        if engine is None:
            while len(self._engines) >= MAX_ENGINES:
                self._engines.pop(next(iter(self._engines))).End()
            try:
                engine = tesserocr.PyTessBaseAPI(path=self._tessdata, lang=languages, oem=tesserocr.OEM.DEFAULT)
            except RuntimeError as error:
                raise not_installed(languages, repr(error)) from error
        self._engines[languages] = engine
        return engine


def _show(picture: Image.Image, engine: tesserocr.PyTessBaseAPI) -> None:
    """Hand over the bare pixels: encoding them to a file format would cost as much as decoding the upload."""
    # In grey, because the same picture in one bit costs Tesseract nearly twice the time.
    pixels = picture.convert("L") if picture.mode == "1" else picture
    channels = len(pixels.getbands())
    engine.SetImageBytes(pixels.tobytes(), pixels.width, pixels.height, channels, channels * pixels.width)
