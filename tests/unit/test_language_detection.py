"""The model for a page, chosen from what the models of several scripts have read."""

from collections.abc import Mapping

import pytest
from PIL import Image

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.language_detection import LanguageDetector
from docserver.ocr.recognition.tesseract import Recognised

BOX = (0, 0, 9, 9)
LATIN, RUSSIAN = "letters of a Latin script", "буквы русского алфавита"


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


def samples(count: int) -> list[PageImage]:
    return [PageImage(Image.new("L", (9, 9)), None, (9, 9))] * count


@pytest.mark.parametrize("confidence", [10.0, 60.0])
def test_without_a_certain_sample_every_direction_is_read_in_every_script(confidence: float) -> None:
    tesseract = Reads({"eng": (LATIN, 5.0), "rus": (RUSSIAN, confidence)})

    model = LanguageDetector(("eng", "rus")).from_samples(samples(3), tesseract)

    assert model == ("rus" if confidence > 50 else "eng")
    assert sorted(tesseract.models) == ["eng"] * 3 + ["rus"] * 3


def test_latin_letters_that_another_model_reads_are_no_evidence_for_its_script() -> None:
    tesseract = Reads({"eng": (LATIN, 60.0), "rus": (LATIN, 99.0)})

    assert LanguageDetector(("eng", "rus")).from_samples(samples(1), tesseract) == "eng"


def test_a_text_of_a_few_letters_is_in_the_first_language_of_its_script() -> None:
    assert LanguageDetector(("eng", "deu")).from_text("ab", "deu") == "eng"
