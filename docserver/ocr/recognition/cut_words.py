"""Child side: joins addresses and amounts that Tesseract has cut: `8,334. 05`, and `a.smith @example.org`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from docserver.layout import Block, EngineName, Word, around, lines_of
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.combination import with_others
from docserver.ocr.recognition.tesseract import Recognised

_NAME, _ADDRESS = re.compile(r"[\w.+-]+"), re.compile(r"[\w.+-]*@[\w-]+(\.[\w-]+)+\W?")

_WHOLE, _CENTS = r"\W{0,2}\d{1,3}([.,'\u2019]\d{3})", r"\d\d[-+)]?"
_CUT_BEFORE_POINT = re.compile(_WHOLE + r"* [.,](\d{3}[.,])?" + _CENTS)
_CUT_BEHIND_POINT = re.compile(_WHOLE + r"+[.,] " + _CENTS)
_CUT_ANYWHERE = re.compile(_WHOLE + r"*[.,] (\d{3}[.,])?" + _CENTS)

MAX_GAP, MAX_GAP_AT_SIGN, MAX_WIDE_GAP = 0.15, 0.35, 0.55
"""Widest gap between two parts of a word, in heights of the lower one: inside a name, before a sign such as `@` or
beside a decimal point, and behind the points of typewriters. Word spaces are 0.2 and more, and between figures 0.36 and
more."""

MIN_WIDE = 3
"""Fewest amounts with groups of three digits that are cut behind the point, on a page whose points have much room: then
shorter ones are cut too. A single one may be the end of a sentence: `It has 1,250. 15 of them …`."""


def with_cut_words_joined(attempt: Attempt) -> Attempt:
    """The attempt with the parts of addresses and amounts as one word each, as unsure as the less sure part."""
    first = attempt.recognised.blocks
    others: dict[int, Word | None] = {}
    is_wide = _has_wide_points(first)
    for line in lines_of(first):
        for parts in _cut(line.words, is_wide=is_wide):
            whole = replace(
                parts[0],
                text="".join(part.text for part in parts),
                box=around(part.box for part in parts),
                confidence=min(part.confidence for part in parts),
            )
            others |= {id(part): None for part in parts} | {id(parts[0]): whole}
    return replace(attempt, recognised=Recognised.of(with_others(first, others))) if others else attempt


def _has_wide_points(blocks: Sequence[Block]) -> bool:
    cuts = sum(
        0 < _gap(word, behind) <= MAX_WIDE_GAP and bool(_CUT_BEHIND_POINT.fullmatch(f"{word.text} {behind.text}"))
        for line in lines_of(blocks)
        for word, behind in pairwise(line.words)
    )
    return cuts >= MIN_WIDE


def _cut(words: Sequence[Word], *, is_wide: bool) -> list[list[Word]]:
    """The parts of each word of a line that was cut. The parts before an `@` are told from it backwards."""
    groups: list[list[Word]] = []
    for word in reversed(words):
        if groups and _is_one(word, groups[-1], is_wide=is_wide):
            groups[-1].insert(0, word)
        else:
            groups.append([word])
    return [group for group in groups if len(group) > 1]


def _is_one(word: Word, rest: Sequence[Word], *, is_wide: bool) -> bool:
    gap = _gap(word, rest[0])
    if word.engine is not EngineName.TESSERACT or not -1 < gap <= MAX_WIDE_GAP:
        return False
    behind = "".join(part.text for part in rest)
    if _ADDRESS.fullmatch(behind) and _NAME.fullmatch(word.text):
        return gap <= (MAX_GAP_AT_SIGN if behind[0] in "@." else MAX_GAP)
    cut = f"{word.text} {behind}"
    if is_wide and _CUT_ANYWHERE.fullmatch(cut):
        return True
    is_cut = _CUT_BEHIND_POINT.fullmatch(cut) or _CUT_BEFORE_POINT.fullmatch(cut)
    return bool(is_cut) and gap <= MAX_GAP_AT_SIGN


def _gap(word: Word, behind: Word) -> float:
    """The gap between two words of a line, in heights of the lower one."""
    height = min(word.box[3] - word.box[1], behind.box[3] - behind.box[1])
    return (behind.box[0] - word.box[2]) / max(1, height)
