"""Both sides: the names of models, and the models whose script and language are known. `auto` chooses from these."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

NAMES = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?(\+[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?)*")
"""Names of models such as `deu`, `chi_sim` or `script/Latin`, joined by `+`. A name that matches is safe to pass on: it
is neither a command line option nor a path that leads out of the directory of models."""

MAX_NAMES = 409
"""Most characters of joined names: ten names of forty characters, and nine plus signs."""

LATIN, FRAKTUR = "Latin", "Fraktur"

WHOLE_LATIN = "script/Latin"
"""The model of all languages in Latin letters, under the name that Debian gives it."""

_KNOWN = {
    LATIN: "eng:en spa:es fra:fr deu:de por:pt ita:it nld:nl pol:pl ron:ro ces:cs hun:hu swe:sv dan:da nor:no fin:fi "
    "tur:tr vie:vi ind:id msa:ms fil:tl tgl:tl cat:ca glg:gl eus:eu hrv:hr bos:bs srp_latn:sr slk:sk slv:sl est:et "
    "lav:lv lit:lt sqi:sq isl:is fao:fo gle:ga gla:gd cym:cy bre:br mlt:mt ltz:lb fry:fy afr:af oci:oc lat:la epo:eo "
    "aze:az uzb:uz kmr:ku swa:sw yor:yo hat:ht que:qu jav:jv",
    FRAKTUR: "frk deu_latf Fraktur script/Fraktur",
    "Cyrillic": "rus:ru ukr:uk bul:bg srp:sr bel:be mkd:mk kaz:kk kir:ky tgk:tg tat:tt mon:mn",
    "Han": "chi_sim chi_tra jpn",
    "Arabic": "ara:ar fas:fa urd:ur pus:ps uig:ug",
    "Devanagari": "hin:hi mar:mr nep:ne san:sa",
    "Hangul": "kor",
    "Bengali": "ben:bn asm:as",
    "Greek": "ell",
    "Hebrew": "heb",
    "Thai": "tha",
    "Tamil": "tam",
    "Telugu": "tel",
    "Kannada": "kan",
    "Malayalam": "mal",
    "Gujarati": "guj",
    "Gurmukhi": "pan",
    "Oriya": "ori",
    "Sinhala": "sin",
    "Myanmar": "mya",
    "Khmer": "khm",
    "Lao": "lao",
    "Tibetan": "bod",
    "Georgian": "kat",
    "Armenian": "hye",
    "Ethiopic": "amh",
    "Syriac": "syr",
    "Thaana": "div",
    "Cherokee": "chr",
    "Canadian Aboriginal": "iku",
}
"""Script → its models. A model is followed by its language (ISO 639-1) if the language identifier can find that
language from words. The most used scripts and languages come first. `deu_latf` is the newer name of `frk`; Debian has
the model of the whole script as `Fraktur`. Models for vertical lines and for other whole scripts are left out, and so
are those of languages that the identifier does not know."""

DETECTOR, RECOGNISER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
"""The files of the second engine's models: one finds lines, the other one reads them."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of one language."""

    name: str
    script: str
    language: str | None
    """Code in ISO 639-1. None if the language cannot be identified from words, so that OCR confidence must decide."""


def _model(entry: str, script: str) -> Model:
    name, _, language = entry.partition(":")
    return Model(name, script, language or None)


MODELS: Mapping[str, Model] = MappingProxyType(
    {model.name: model for script, listed in _KNOWN.items() for model in (_model(e, script) for e in listed.split())}
)
"""Name → model; the most used languages come first."""


NOT_READ_AGAIN = frozenset({"tur", "aze", "uzb", "vie", "yor"})
"""Languages in Latin letters that the second engine reads worse than Tesseract. It does not know all of their letters,
or mixes up an i with a dot and one without."""


def reads(name: str) -> bool:
    """True if the second engine reads the language of this model as well: one in Latin letters, but not in Fraktur."""
    model = MODELS.get(name)
    return name == WHOLE_LATIN or (model is not None and model.script == LATIN and name not in NOT_READ_AGAIN)


def reads_all(names: str) -> bool:
    """True if the second engine reads the languages of all of these models, which are joined by `+`."""
    return all(map(reads, names.split("+")))


def candidates(installed: Collection[str], *, preferred: Iterable[str] = ()) -> tuple[str, ...]:
    """The models that `auto` chooses from. If the language of a page cannot be detected, the first ones are tried.

    If no installed model is known, returns only the first one by name.
    """
    ordered = dict.fromkeys([*preferred, *MODELS])
    return tuple(name for name in ordered if name in MODELS and name in installed) or tuple(sorted(installed)[:1])
