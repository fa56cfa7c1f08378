"""Child side: which model reads a page whose language nobody has named, told from samples of the page and its text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from operator import attrgetter
from typing import TYPE_CHECKING

from docserver.ocr.image.transform import PageImage
from docserver.ocr.languages import LATIN, MODELS
from docserver.ocr.recognition.tesseract import Layout, Tesseract

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

CERTAIN_FROM, CERTAIN_FROM_IF_SHORT = 75.0, 90.0
"""Confidence of a sample that is certainly read in the right script. A legible page has 84 and more in the right script
and up to 60 in a wrong one; a single word has up to 75 in a wrong one if both have letters that look alike."""

MIN_CONFIDENCE = 50.0
"""A sample that is read with less than this in every script holds no text, or text in none of them."""

WEIGHT_FACTORS = {"chi_tra": 0.96}
"""By model: the factor for the weight of its readings. The model of traditional Chinese reads simplified characters
nearly as confidently as its own; the model of simplified Chinese reads traditional ones 4 to 18 % less confidently."""

MIN_LETTERS = 20
"""Letters in a text whose language can be told: from 20 clean letters it is right in 99 of 100 cases; from fewer it is
a guess."""

MAX_CHARACTERS = 4000
"""Characters of a text from which its language is told; more would tell nothing new."""

LIKELY_DIRECTIONS = 2
"""The page as its lines lie, and the same upside down."""

MAX_SAMPLES_READ = 40
"""Enough to read a sample in every script once, and more for a page that lies upside down."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """A part of a page as one model reads it."""

    model: str
    text: str
    weight: float
    confidence: float

    @property
    def is_certain(self) -> bool:
        long_enough = len(_letters(self.text)) >= MIN_LETTERS
        return self.confidence >= (CERTAIN_FROM if long_enough else CERTAIN_FROM_IF_SHORT)


_weight = attrgetter("weight")


class LanguageDetector:
    """Chooses a model for one page after the other, and tries the model of the last page first."""

    def __init__(self, candidates: Sequence[str]) -> None:
        """`candidates` are models as `languages.candidates` returns them, at least two."""
        self._candidates = candidates
        self._last = candidates[0]

    @property
    def preferred(self) -> str:
        """The model for a page that does not tell its language."""
        return self._candidates[0]

    def from_samples(self, samples: Iterable[PageImage], tesseract: Tesseract) -> str:
        """The model for a page, from parts of it, one for each way that it may lie. Raises Unreadable."""
        best = _Sample(self.preferred, "", 0.0, 0.0)
        for sample, models in islice(_trials(samples, self._models_by_script()), MAX_SAMPLES_READ):
            reading = max((_read(sample, model=model, tesseract=tesseract) for model in models), key=_weight)
            best = max(best, reading, key=_weight)
            if reading.is_certain:
                best = reading
                break
        return self.from_text(best.text, best.model) if best.confidence >= MIN_CONFIDENCE else self.preferred

    def from_text(self, text: str, model: str) -> str:
        """The model for the language of a text that `model`, or another of its script, has read."""
        rivals = self._candidates_of_script(model)
        models = {language: name for name in reversed(rivals) if (language := MODELS[name].language)}
        if len(_letters(text)) < MIN_LETTERS:
            return rivals[0] if models else model
        if len(models) > 1:
            model = next(
                models[language] for language, _ in _identifier().rank(text[:MAX_CHARACTERS]) if language in models
            )
        self._last = model
        return model

    def _models_by_script(self) -> list[list[str]]:
        """For each script the models to try: one, or all if the words of a text do not tell the script's languages."""
        scripts = {MODELS[name].script: self._candidates_of_script(name) for name in (self._last, *self._candidates)}
        return [
            [self._last if self._last in names else names[0]] if MODELS[names[0]].language else names
            for names in scripts.values()
        ]

    def _candidates_of_script(self, model: str) -> list[str]:
        return [name for name in self._candidates if MODELS[name].script == MODELS[model].script]


def _trials(samples: Iterable[PageImage], scripts: Sequence[list[str]]) -> Iterator[tuple[PageImage, list[str]]]:
    """Samples and the models to read them with.

    First come the likely directions in the first script, then the same in the other scripts, then the other directions
    in all scripts. A sample is made only when it is needed.
    """
    remaining, likely = iter(samples), []
    for sample in islice(remaining, LIKELY_DIRECTIONS):
        likely.append(sample)
        yield sample, scripts[0]
    yield from product(likely, scripts[1:])
    yield from ((sample, models) for sample in remaining for models in scripts)


def _read(sample: PageImage, *, model: str, tesseract: Tesseract) -> _Sample:
    recognised = tesseract.recognise(sample.image, dpi=sample.dpi, languages=model, layout=Layout.BLOCK)
    letters = _letters(recognised.text)
    if MODELS[model].script != LATIN and 2 * sum(map(str.isascii, letters)) > len(letters):
        # Models of other scripts, such as Chinese, read Latin letters too, and nearly as well.
        return _Sample(model, recognised.text, 0.0, 0.0)
    weight = WEIGHT_FACTORS.get(model, 1.0) * recognised.weight
    return _Sample(model, recognised.text, weight, recognised.confidence)


def _letters(text: str) -> list[str]:
    return [character for character in text if character.isalpha()]


@cache
def _identifier() -> "LanguageIdentifier":
    # Half a second and 80 MB: loaded only where several languages of one script can be chosen.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
