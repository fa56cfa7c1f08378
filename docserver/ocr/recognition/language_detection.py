"""Child side: which model a page is read with whose language nobody has named; of the page it sees samples and text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from typing import TYPE_CHECKING

from docserver.ocr.image.transform import Prepared
from docserver.ocr.languages import LATIN, MODELS
from docserver.ocr.recognition.tesseract import Layout, Tesseract

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE, SURE_IF_SHORT = 75.0, 90.0
"""Confidence of a reading in the right script, which has 84 and more where a page is legible; in a wrong one it has up
to 60, a single word up to 75 if there are letters that look alike."""

PLAUSIBLE = 50.0
"""What is read with less is no text, or none in any of the scripts."""

LENIENT = {"chi_tra": 0.96}
"""What a reading counts for by a model that reads another's letters nearly as surely as its own: traditional Chinese
does simplified ones, while simplified Chinese reads traditional ones by 4 to 18 % less surely."""

ENOUGH_LETTERS = 20
"""Of a shorter text the language would be a guess; of 20 clean letters it is right in 99 of 100 cases."""

MOST_LETTERS = 4000
"""More of a page would tell nothing new."""

LIKELY = 2
"""The page as its lines lie, and the same upside down."""

MOST_SAMPLES = 40
"""Readings of samples for one page: every script once, with room for a page that lies upside down."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """What a part of a page is if read with this model."""

    model: str
    text: str
    weight: float
    confidence: float

    @property
    def sure(self) -> bool:
        return self.confidence >= (SURE if len(_letters(self.text)) >= ENOUGH_LETTERS else SURE_IF_SHORT)


class Choice:
    """Chooses for one page after the other, and begins with what the last one came to."""

    def __init__(self, candidates: Sequence[str]) -> None:
        """`candidates` as `models.candidates` gives them, two at least."""
        self._candidates = candidates
        self._last = candidates[0]

    @property
    def preferred(self) -> str:
        """The model for a page that tells nothing."""
        return self._candidates[0]

    def by_samples(self, samples: Iterable[Prepared], tesseract: Tesseract) -> str:
        """The model for a page of which these are parts, one for each way that it may lie. Raises Unreadable."""
        best = _Sample(self.preferred, "", 0.0, 0.0)
        for sample, models in islice(_attempts(samples, self._scripts()), MOST_SAMPLES):
            found = max((_read(sample, model, tesseract) for model in models), key=lambda read: read.weight)
            best = max(best, found, key=lambda read: read.weight)
            if found.sure:
                best = found
                break
        return self.by_text(best.text, best.model) if best.confidence >= PLAUSIBLE else self.preferred

    def by_text(self, text: str, model: str) -> str:
        """The model for the language of a text that was read with a model of the same script, perhaps that one."""
        rivals = self._of_script(model)
        languages = {language: name for name in reversed(rivals) if (language := MODELS[name].language)}
        if len(_letters(text)) < ENOUGH_LETTERS:
            return rivals[0] if languages else model
        if len(languages) > 1:
            model = next(languages[code] for code, _ in _identifier().rank(text[:MOST_LETTERS]) if code in languages)
        self._last = model
        return model

    def _scripts(self) -> list[list[str]]:
        """Of each script a model that tells it from others, or all models where there is no other way to choose one."""
        scripts = {MODELS[name].script: self._of_script(name) for name in (self._last, *self._candidates)}
        return [
            [self._last if self._last in names else names[0]] if MODELS[names[0]].language else names
            for names in scripts.values()
        ]

    def _of_script(self, model: str) -> list[str]:
        return [name for name in self._candidates if MODELS[name].script == MODELS[model].script]


def _attempts(samples: Iterable[Prepared], scripts: Sequence[list[str]]) -> Iterator[tuple[Prepared, list[str]]]:
    """Samples and the models to read them with: the likelier ways that the page may lie, first all in one script."""
    unmade, made = iter(samples), []
    for sample in islice(unmade, LIKELY):
        made.append(sample)
        yield sample, scripts[0]
    yield from product(made, scripts[1:])
    yield from ((sample, models) for sample in unmade for models in scripts)


def _read(sample: Prepared, model: str, tesseract: Tesseract) -> _Sample:
    found = tesseract.recognise(sample.image, dpi=sample.dpi, languages=model, layout=Layout.BLOCK)
    letters = _letters(found.text)
    if MODELS[model].script != LATIN and 2 * sum(map(str.isascii, letters)) > len(letters):
        # Models of other scripts, Chinese for one, read Latin letters too, and nearly as well.
        return _Sample(model, found.text, 0.0, 0.0)
    return _Sample(model, found.text, LENIENT.get(model, 1.0) * found.weight, found.confidence)


def _letters(text: str) -> list[str]:
    return [character for character in text if character.isalpha()]


@cache
def _identifier() -> "LanguageIdentifier":
    # Half a second and 80 MB: only for those who have several languages of one script to choose from.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
