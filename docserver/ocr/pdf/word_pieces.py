"""Child side: parts words into pieces of which perhaps only some are visible, such as a white mark behind a word."""

from collections.abc import Iterator
from itertools import accumulate, groupby, pairwise

from docserver.ocr.pdf.pdf_words import PdfWord
from docserver.ocr.pdf.text_words import TextPage


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
