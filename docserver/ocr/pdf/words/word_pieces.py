"""Child side: splits words into pieces of which perhaps only some are visible, such as a white mark behind a word, and
joins them again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import accumulate, groupby, pairwise

from docserver.layout import around
from docserver.ocr.pdf.words.own_words import OwnWord
from docserver.ocr.pdf.words.pdf_words import PdfWord
from docserver.ocr.pdf.words.text_words import TextPage


def pieces_of(words: Iterable[PdfWord], text_page: TextPage) -> Iterator[tuple[PdfWord, PdfWord]]:
    """The pieces of the words that differ in how they are drawn, each with its word."""
    words = list(words)
    drawn_by_several = [part for word in words for part in (word, *word.parts) if word.parts or word.objects > 1]
    text_page.look_at([index for part in drawn_by_several for index in (part.first, part.end - 1)])
    for word in words:
        if word.parts or word.objects > 1:
            yield from ((piece, word) for piece in pieces(word, text_page))
        else:
            yield word, word


def pieces(word: PdfWord, text_page: TextPage) -> Iterator[PdfWord]:
    """The pieces of a word that differ in how they are drawn: most often the whole word."""
    if word.parts and len({text_page.look(part.first) for part in word.parts}) > 1:
        for part in word.parts:
            yield from pieces(part, text_page)
        return
    # Looking at both ends saves looking at every letter where each is drawn by itself.
    if (
        word.objects < 2
        or len(word.text) != word.end - word.first
        or text_page.look(word.first) == text_page.look(word.end - 1)
    ):
        yield word
        return
    lengths = [len(list(alike)) for _, alike in groupby(range(word.first, word.end), key=text_page.look)]
    for start, end in pairwise(accumulate(lengths, initial=0)):
        yield text_page.part(word, start, end)


def joined_pieces(words: Iterable[OwnWord]) -> Iterator[OwnWord]:
    """The words, with those joined that are pieces of one. It stands as its longest piece does."""
    words = list(words)
    if len({id(word.whole) for word in words}) == len(words):
        yield from words
        return
    for _, alike in groupby(words, key=lambda word: id(word.whole)):
        parts = list(alike)
        if len(parts) == 1:
            yield parts[0]
            continue
        longest = max(parts, key=lambda part: len(part.pdf_word.text))
        pdf_word = reduce(PdfWord.followed_by, (part.pdf_word for part in parts))
        yield replace(longest, pdf_word=pdf_word, rect=around(part.rect for part in parts))
