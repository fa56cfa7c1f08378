"""The model for a page, chosen from what the models of several scripts have read."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.language_detection import LONG_S, LanguageDetector
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import Recognised
from docserver.ocr.recognition.tries import Tries

BOX = (0, 0, 9, 9)
PAGE_PX = 900
LATIN, RUSSIAN = "letters of a Latin script", "буквы русского алфавита"
GERMAN = "Der Ausschuss sprach am Dienstag über den neuen Fahrplan"
MISREAD = "Der Ausfchuf fprach am Dienftag über den neuen Fahrplan"
FRAKTUR = MISREAD.replace("f", LONG_S)


class Reads:
    """Each model reads the same text with the same confidence from each sample."""

    def __init__(self, texts: Mapping[str, tuple[str, float]]) -> None:
        self._texts = texts
        self.models: list[str] = []

    def recognise(self, *_: object, languages: str, **__: object) -> Recognised:
        self.models.append(languages)
        text, confidence = self._texts[languages]
        word = Word(text, BOX, confidence)
        return Recognised(text, (Block(BOX, (Paragraph(BOX, (Line(BOX, (word,)),)),)),), confidence)


class ReadsWholePages(Reads):
    """It reads samples of a page with a confidence of 10, as at the edge of a book."""

    def recognise(self, *arguments: object, languages: str, **options: object) -> Recognised:
        recognised = super().recognise(*arguments, languages=languages, **options)
        picture = arguments[0]
        assert isinstance(picture, Image.Image)
        return recognised if picture.height == PAGE_PX else replace(recognised, confidence=10.0)


def samples(count: int) -> list[PageImage]:
    sample = Image.new("L", (40, 40), 255)
    ImageDraw.Draw(sample).rectangle((10, 10, 19, 29), fill=0)
    return [PageImage(sample, None, sample.size) for _ in range(count)]


def tries(tesseract: Reads) -> Tries:
    page = Image.new("L", (2000, 2000))
    return Tries(tesseract, original=page, page=page)


@pytest.mark.parametrize("confidence", [10.0, 60.0])
def test_without_a_certain_sample_every_direction_is_read_in_every_script(confidence: float) -> None:
    tesseract = Reads({"eng": (LATIN, 5.0), "rus": (RUSSIAN, confidence)})

    model = LanguageDetector(("eng", "rus")).from_samples(samples(3), tries(tesseract))

    assert model == ("rus" if confidence > 50 else "eng")
    assert sorted(tesseract.models) == ["eng"] * 3 + ["rus"] * 3


def test_latin_letters_that_another_model_reads_are_no_evidence_for_its_script() -> None:
    tesseract = Reads({"eng": (LATIN, 60.0), "rus": (LATIN, 99.0)})

    assert LanguageDetector(("eng", "rus")).from_samples(samples(1), tries(tesseract)) == "eng"


def test_a_sample_without_letters_is_read_in_one_script_alone() -> None:
    tesseract = Reads({"eng": ("", 0.0), "rus": (RUSSIAN, 95.0)})

    assert LanguageDetector(("eng", "rus")).from_samples(samples(3), tries(tesseract)) == "eng"
    assert tesseract.models == ["eng"] * 3


def test_a_text_of_a_few_letters_is_in_the_first_language_of_its_script() -> None:
    assert LanguageDetector(("eng", "deu")).from_text("ab", "deu") == "eng"


@pytest.mark.parametrize("model", ["frk", "deu_latf", "Fraktur", "script/Fraktur"])
def test_a_page_in_fraktur_is_found_by_a_model_for_fraktur_however_it_is_called(model: str) -> None:
    tesseract = Reads({"eng": (MISREAD, 50.0), "deu": (MISREAD, 65.0), "rus": ("", 0.0), model: (FRAKTUR, 85.0)})

    assert LanguageDetector(("eng", "deu", model, "rus")).from_samples(samples(4), tries(tesseract)) == model
    assert "rus" not in tesseract.models


@pytest.mark.parametrize(("text", "model"), [("DAS JUNGE EUROPA VON LAUBE", "frk"), ("das junge Europa", "deu")])
def test_without_a_long_s_a_page_in_fraktur_is_read_far_better_as_such(text: str, model: str) -> None:
    tesseract = Reads({"deu": ("Das junge Europa von Laube", 70.0), "frk": (text, 90.0)})

    assert LanguageDetector(("deu", "frk")).from_samples(samples(1), tries(tesseract)) == model


def test_badly_printed_latin_letters_are_read_about_as_well_by_a_model_for_fraktur_and_are_not_fraktur() -> None:
    tesseract = Reads({"eng": (GERMAN, 60.0), "deu": (GERMAN, 75.0), "frk": (GERMAN + LONG_S, 75.0)})

    assert LanguageDetector(("eng", "deu", "frk")).from_samples(samples(1), tries(tesseract)) == "deu"
    assert tesseract.models == ["eng", "deu", "frk"]


@pytest.mark.parametrize("preferred", ["eng", "frk"])
def test_clear_print_in_latin_letters_is_not_read_in_fraktur(preferred: str) -> None:
    tesseract = Reads({"eng": (GERMAN, 84.0), "deu": (GERMAN, 93.0), "frk": (GERMAN, 99.0)})
    detector = LanguageDetector(tuple(dict.fromkeys([preferred, "eng", "deu", "frk"])))

    assert detector.from_samples(samples(1), tries(tesseract)) == "deu"
    assert tesseract.models == ["eng", "deu"]


def test_after_a_page_in_fraktur_the_next_page_is_tried_in_latin_letters_first() -> None:
    detector = LanguageDetector(("eng", "deu", "frk"))
    tesseract = Reads({"eng": (GERMAN, 95.0), "deu": (MISREAD, 65.0), "frk": (FRAKTUR, 85.0)})
    detector.from_text(GERMAN, "deu")
    assert detector.from_samples(samples(1), tries(tesseract)) == "frk"
    assert detector.from_text(FRAKTUR, "frk") == "frk"

    assert detector.from_samples(samples(1), tries(tesseract)) == "frk"
    assert tesseract.models == ["deu", "frk"] * 2


def test_a_page_in_fraktur_is_found_though_its_samples_do_not_show_it() -> None:
    page = Image.new("L", (PAGE_PX, PAGE_PX), 255)
    for y in range(100, PAGE_PX - 100, 50):
        for x in range(100, PAGE_PX - 100, 30):
            ImageDraw.Draw(page).rectangle((x, y, x + 14, y + 24), fill=0)
    tesseract = ReadsWholePages({"eng": (MISREAD, 60.0), "deu": (MISREAD, 66.0), "frk": (FRAKTUR, 80.0)})
    reader = PageReader(Picture(page, None), tesseract, turning=True)

    attempt = reader.read_in_detected_language(LanguageDetector(("eng", "deu", "frk")))

    assert (attempt.languages, attempt.recognised.text) == ("frk", FRAKTUR)


def test_of_models_for_fraktur_alone_the_better_one_is_taken() -> None:
    tesseract = Reads({"frk": (FRAKTUR, 85.0), "script/Fraktur": (FRAKTUR, 90.0)})

    assert LanguageDetector(("frk", "script/Fraktur")).from_samples(samples(1), tries(tesseract)) == "script/Fraktur"
