"""Child side: finds text objects of a PDF page of which PDFium takes some letters for repeats of hidden ones.

Of a line, only the amount may be covered, so that the line itself is not hidden. The equal digits of a new amount over
it are lost then. What is lost is not known here.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any

from docserver.ocr.pdf.glyphs.letter_shadows import without_text_of
from docserver.ocr.pdf.words.text_words import TextPage


def with_lost_letters(page: Any, texts: Mapping[int, Any], layers: Mapping[int, int]) -> list[int]:
    """The addresses of those text objects that have fewer letters beside the others than without them. `layers` has the
    numbers of objects that overlap others. Those in one layer do not overlap.

    A text that is drawn twice loses all its letters, which are read once.
    """
    numbers = set(layers.values())
    if len(numbers) < 2:
        return []
    beside = _letters(page, layers)
    alone: Counter[int] = Counter()
    for number in numbers:
        with without_text_of([texts[address] for address, layer in layers.items() if layer != number]):
            alone += _letters(page, [address for address, layer in layers.items() if layer == number])
    return [address for address in layers if 0 < beside[address] < alone[address]]


def _letters(page: Any, texts: Collection[int]) -> Counter[int]:
    """How many characters the page's text has of each of these text objects, without spaces."""
    with closing(TextPage(page)) as text_page:
        return Counter(
            address
            for index, address in enumerate(text_page.objects())
            if address in texts and not chr(text_page.code(index)).isspace()
        )
