"""Child side: Tesseract as a library in this process, through tesserocr. Models stay in memory between pages."""

import tesserocr
from PIL import Image

from docserver.ocr.recognition.tesseract import Layout, Recognised, check_languages, not_installed, recognised

MAX_ENGINES = 2
"""Most sets of languages whose models stay loaded. A set takes about 20 MB, and far more with a dozen languages."""


class TesseractLibrary:
    """Keeps one engine for each of the last MAX_ENGINES sets of languages."""

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
            # Reset the adaptive classifier, so that earlier pages do not affect how this page is read. The LSTM has
            # none, and the reset takes a fifth of the time of reading a word.
            if engine.GetIntVariable("tessedit_ocr_engine_mode") != tesserocr.OEM.LSTM_ONLY:
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
    """Give Tesseract the raw pixels. Encoding them as a file would take as long as decoding the upload."""
    # Convert a picture with one bit per pixel to grey, because Tesseract needs almost twice the time for one bit.
    pixels = picture.convert("L") if picture.mode == "1" else picture
    channels = len(pixels.getbands())
    engine.SetImageBytes(pixels.tobytes(), pixels.width, pixels.height, channels, channels * pixels.width)
