"""Child side: joins addresses and amounts that Tesseract has cut: `8,334. 05`, and `a.smith @example.org`."""

import re
from collections.abc import Sequence
from dataclasses import replace

from docserver.layout import EngineName, Word, around, lines_of
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.combination import with_others
from docserver.ocr.recognition.tesseract import Recognised

_NAME, _ADDRESS = re.compile(r"[\w.+-]+"), re.compile(r"[\w.+-]*@[\w-]+(\.[\w-]+)+\W?")

_GROUPS = r"\W{0,2}\d{1,3}([.,'\u2019]\d{3})"
_CUT_BEHIND_POINT = re.compile(_GROUPS + r"+[.,] \d\d[-+)]?")
_CUT_BEFORE_POINT = re.compile(_GROUPS + r"* [.,](\d{3}[.,])?\d\d[-+)]?")

MAX_GAP, MAX_GAP_AT_SIGN, MAX_GAP_AT_POINT = 0.15, 0.35, 0.55
"""Widest gap between two parts of a word, in heights of the lower one: inside a name, before a sign such as `@`, and
beside a decimal point, around which typewriters leave much room. Word spaces are 0.2 and more, and between figures 0.3
and more; only there do the texts show as well that they are one number."""


def with_cut_words_joined(attempt: Attempt) -> Attempt:
    """The attempt with the parts of addresses and amounts as one word each, as unsure as the less sure part."""
    first = attempt.recognised.blocks
    others: dict[int, Word | None] = {}
    for line in lines_of(first):
        for parts in _cut(line.words):
            whole = replace(
                parts[0],
                text="".join(part.text for part in parts),
                box=around(part.box for part in parts),
                confidence=min(part.confidence for part in parts),
            )
            others |= {id(part): None for part in parts} | {id(parts[0]): whole}
    return replace(attempt, recognised=Recognised.of(with_others(first, others))) if others else attempt


def _cut(words: Sequence[Word]) -> list[list[Word]]:
    """The parts of each word of a line that was cut. The parts before an `@` are told from it backwards."""
    groups: list[list[Word]] = []
    for word in reversed(words):
        if groups and _is_one(word, groups[-1]):
            groups[-1].insert(0, word)
        else:
            groups.append([word])
    return [group for group in groups if len(group) > 1]


def _is_one(word: Word, rest: Sequence[Word]) -> bool:
    gap = rest[0].box[0] - word.box[2]
    height = min(word.box[3] - word.box[1], rest[0].box[3] - rest[0].box[1])
    if word.engine is not EngineName.TESSERACT or not -height < gap <= MAX_GAP_AT_POINT * height:
        return False
    text, behind = word.text, "".join(part.text for part in rest)
    if _ADDRESS.fullmatch(behind) and _NAME.fullmatch(text):
        return gap <= (MAX_GAP_AT_SIGN if behind[0] in "@." else MAX_GAP) * height
    cut = f"{text} {behind}"
    return bool(_CUT_BEHIND_POINT.fullmatch(cut) or _CUT_BEFORE_POINT.fullmatch(cut))
