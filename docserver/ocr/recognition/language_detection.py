"""Child side: chooses the model for a page whose language is not given, from samples of the page and from its text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from operator import attrgetter
from typing import TYPE_CHECKING

from docserver.ocr.image.transform import PageImage
from docserver.ocr.languages import FRAKTUR, LATIN, MODELS
from docserver.ocr.recognition.tries import Tries

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

CERTAIN_FROM, CERTAIN_FROM_IF_SHORT = 75.0, 90.0
"""Confidence from which a sample was certainly read in the right script; the second value is for short samples. A
legible page has 84 or more in the right script, and up to 60 in a wrong one. A single word has up to 75 in a wrong
script if the letters of both scripts look alike."""

MIN_CONFIDENCE = 50.0
"""If a sample is read with less confidence in every script, it has no text, or text in another script."""

WEIGHT_FACTORS = {"chi_tra": 0.96}
"""Model → factor for the weight of the samples that it reads. The model for traditional Chinese is almost as confident
with simplified characters as with traditional ones. The model for simplified Chinese is 4 to 18 % less confident with
traditional characters."""

FRAKTUR_BETWEEN = 40.0, 85.0
"""A sample may be in Fraktur if models for Latin letters read it with a confidence between these. They read Fraktur
with 42 to 83, and clear print in Latin letters with 85 or more. Text that is upside down has up to 40."""

MIN_GAIN_IN_FRAKTUR, MIN_GAIN_WITHOUT_LONG_S = 1.05, 1.2
"""A sample is in Fraktur if a model for Fraktur gives its text at least this many times the weight. It is 1.07 to 1.6
for Fraktur, and up to 1.03 for Latin letters in the right language, 1.15 in another. A few lines of Fraktur have a long
s; without it, as on title pages, the second value is needed, and Fraktur has 1.3."""

LONG_S = "\u017f"

MIN_LETTERS = 20
"""Fewest letters from which a text's language is identified. With 20 correct letters, the result is right in 99 of 100
cases; with fewer it is a guess."""

MAX_CHARACTERS = 4000
"""Most characters from which a text's language is identified. More would not change the result."""

LIKELY_DIRECTIONS = 2
"""How many directions of a page are likely: the one that the analysis found, and the same upside down."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """A part of a page, as one model has read it."""

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
    """Chooses the model for each page. It tries the model of the last page first."""

    def __init__(self, candidates: Sequence[str]) -> None:
        """`candidates` are at least two models, as `languages.candidates` returns them."""
        self._fraktur = next((name for name in candidates if MODELS[name].script == FRAKTUR), None)
        # Each page is tried in Latin letters before Fraktur, because a model for Fraktur reads both well.
        self._candidates = [name for name in candidates if MODELS[name].script != FRAKTUR] or candidates
        self._last = self._candidates[0]

    @property
    def preferred(self) -> str:
        """The model for a page whose language cannot be detected."""
        return self._candidates[0]

    def from_samples(self, samples: Iterable[PageImage], tries: Tries) -> str:
        """Choose the model for a page from samples of it, one for each possible direction of the page.

        Raises Unreadable.
        """
        best = _Sample(self.preferred, "", 0.0, 0.0)
        empty: list[PageImage] = []
        for sample, models in _trials(samples, self._models_by_script()):
            if any(sample is other for other in empty):
                continue
            reading = max((_read(sample, model=model, tries=tries) for model in models), key=_weight)
            if not reading.text:
                # There are no letters, in whatever script.
                empty.append(sample)
            reading = self._in_fraktur(sample, reading, tries) or reading
            best = max(best, reading, key=_weight)
            if reading.is_certain:
                best = reading
                break
            if not tries.may_go_on(before_reading=True):
                break
        return self.from_text(best.text, best.model) if best.confidence >= MIN_CONFIDENCE else self.preferred

    def from_text(self, text: str, model: str) -> str:
        """The model for the language of a text, which `model` or another model of the same script has read."""
        if model == self._fraktur:
            return model
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

    def fraktur_instead_of(self, model: str, *, confidence: float) -> str | None:
        """The model for Fraktur, if a text that was read by this model with this confidence may be Fraktur."""
        low, high = FRAKTUR_BETWEEN
        return self._fraktur if MODELS[model].script == LATIN and low <= confidence < high else None

    def _in_fraktur(self, sample: PageImage, reading: _Sample, tries: Tries) -> _Sample | None:
        """The sample as the model for Fraktur reads it; None if it is not in Fraktur.

        `reading` is the sample as another model has read it. If it may be Fraktur, the model for the language that it
        seems to be in must not read it as well.
        """
        if self.fraktur_instead_of(reading.model, confidence=reading.confidence) is None:
            return None
        model = self.from_text(reading.text, reading.model)
        if model != reading.model:
            reading = max(reading, _read(sample, model=model, tries=tries), key=_weight)
        fraktur_model = self.fraktur_instead_of(reading.model, confidence=reading.confidence)
        if fraktur_model is None:
            return None
        fraktur = _read(sample, model=fraktur_model, tries=tries)
        return fraktur if is_fraktur(fraktur.text, weight=fraktur.weight, latin_weight=reading.weight) else None

    def _models_by_script(self) -> list[list[str]]:
        """For each script, the models to try: one, or all of them if the script's languages cannot be identified from
        words.
        """
        scripts = {MODELS[name].script: self._candidates_of_script(name) for name in (self._last, *self._candidates)}
        return [
            [self._last if self._last in names else names[0]] if MODELS[names[0]].language else names
            for names in scripts.values()
        ]

    def _candidates_of_script(self, model: str) -> list[str]:
        return [name for name in self._candidates if MODELS[name].script == MODELS[model].script]


def _trials(samples: Iterable[PageImage], scripts: Sequence[list[str]]) -> Iterator[tuple[PageImage, list[str]]]:
    """Pairs of a sample and the models to read it with, in the order in which to try them.

    The likely directions come first, in the first script and then in the other scripts. The other directions in all
    scripts follow. A sample is taken from the iterator only when it is needed.
    """
    remaining, likely = iter(samples), []
    for sample in islice(remaining, LIKELY_DIRECTIONS):
        likely.append(sample)
        yield sample, scripts[0]
    yield from product(likely, scripts[1:])
    yield from ((sample, models) for sample in remaining for models in scripts)


def _read(sample: PageImage, *, model: str, tries: Tries) -> _Sample:
    recognised = tries.read_sample(sample, languages=model)
    letters = _letters(recognised.text)
    if MODELS[model].script not in {LATIN, FRAKTUR} and 2 * sum(map(str.isascii, letters)) > len(letters):
        # Models of other scripts, such as Chinese, also read Latin letters, and almost as well as Latin models.
        return _Sample(model, recognised.text, 0.0, 0.0)
    weight = WEIGHT_FACTORS.get(model, 1.0) * recognised.weight
    return _Sample(model, recognised.text, weight, recognised.confidence)


def is_fraktur(text: str, *, weight: float, latin_weight: float) -> bool:
    """True if a text that a model for Fraktur has read is in Fraktur. A model for Latin letters has read it too."""
    return weight >= latin_weight * (MIN_GAIN_IN_FRAKTUR if LONG_S in text else MIN_GAIN_WITHOUT_LONG_S)


def _letters(text: str) -> list[str]:
    return [character for character in text if character.isalpha()]


@cache
def _identifier() -> "LanguageIdentifier":
    # Loading takes half a second and 80 MB. It happens only if a script has several languages to choose from.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
