"""Joins the lines of a paragraph, and joins words that were hyphenated at the end of a line."""

import re
from collections.abc import Iterable, Sequence

from docserver.layout import Paragraph
from docserver.typography import spaced
from docserver.xml_text import clean

SOFT_HYPHEN = "\u00ad"
HYPHENS = ("-", "\u2010", SOFT_HYPHEN)

CONJUNCTIONS = frozenset({"and", "or", "und", "oder", "sowie"})
"""If one of these words follows a hyphen, the hyphen stands for a part of a word that is left out: "pre- and postwar",
"Haupt- und Nebensatz"."""

MIN_PART_LETTERS = 2
"""Fewest letters before or after a hyphen that splits a word. No language splits off a single letter."""

_LAST = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*(?=[-\u2010\u00ad]$)")
_FIRST = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*(?!\w|[-\u2010\u00ad])")


class Vocabulary:
    """All words that a document contains unsplit. They show how to spell a word that was split at a hyphen."""

    def __init__(self, of_pages: Iterable[Sequence[Paragraph]]) -> None:
        self._words = {
            whole.lower()
            for paragraphs in of_pages
            for paragraph in paragraphs
            for line in paragraph.lines
            for word in line.words
            for whole in _WORD.findall(word.text)
        }

    def __contains__(self, word: str) -> bool:
        return word.lower() in self._words


def joined(lines: Iterable[Sequence[str]], vocabulary: Vocabulary) -> str:
    """The words of all lines, joined in one line."""
    text = ""
    for words in lines:
        following = spaced(map(clean, words)).strip()
        text = _continued(text, following, vocabulary) if text and following else text or following
    return text.replace(SOFT_HYPHEN, "")


def _continued(text: str, following: str, vocabulary: Vocabulary) -> str:
    if not text.endswith(HYPHENS) or not text[-2:-1].isalnum() or not following[0].isalnum():
        return spaced((text, following))
    head, tail = _LAST.search(text), _FIRST.match(following)
    if text.endswith(SOFT_HYPHEN):
        return text[:-1] + following
    # A name, a number or an abbreviation keeps its hyphen.
    if not head or not tail or not following[0].islower():
        return text + following
    whole = head[0] + tail[0]
    if whole not in vocabulary:
        if tail[0] in CONJUNCTIONS:
            return f"{text} {following}"
        compound = "-" in whole or min(len(head[0]), len(tail[0])) < MIN_PART_LETTERS
        if compound or f"{head[0]}-{tail[0]}" in vocabulary:
            return text + following
    return text[:-1] + following
