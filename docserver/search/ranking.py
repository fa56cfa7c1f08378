"""Puts the pages that have all words of a query in order."""

from collections.abc import Iterator, Mapping

from docserver.search.folding import Likeness
from docserver.search.lookup import Found
from docserver.search.query import Query, Word
from docserver.search.scores import Points

OFTEN = 1
"""Points for a page that has a word often."""

APART = 1 << 8
"""Points that are taken from a page that has a word only as `Likeness.ANOTHER`. No page has so many, so such pages have
less than 0 and come last."""

LEAST = -APART
"""The least points of a page."""


def most_with_neighbour(query: Query) -> int:
    """The most points of a page that has a word only with a wrong letter; less than `LEAST` if no word is looked for
    like that.
    """
    if not any(word.has_neighbours for word in query.words):
        return LEAST - 1
    return (len(query.words) - 1) * (Likeness.EXACT + OFTEN) + Likeness.EDITED


class Ranking:
    """The pages that have all words of a query, in order. Phrases are checked later, in the texts of the pages."""

    def __init__(self, query: Query, found: Mapping[Word, Found], *, only: int | None) -> None:
        """`only` is the set of the pages that may be found; None if any page may."""
        self._most = len(query.words) * (Likeness.EXACT + OFTEN)
        self._points = Points()
        pages = -1 if only is None else only
        another = 0
        for word in query.words:
            seen = often = 0
            for how in sorted(found[word].like, reverse=True):
                like = found[word].like[how]
                new = like.all() & ~seen
                self._points.add(how, new)
                another |= new if how is Likeness.ANOTHER else 0
                seen |= like.all()
                # What is misread, or begins like the word, may be several words.
                often |= like.often() if how >= Likeness.FOLDED and not word.is_prefix else 0
            self._points.add(OFTEN, often)
            pages &= seen
        for phrase in query.excluded:
            if len(phrase) == 1:
                for how, of_word in found[phrase[0]].like.items():
                    if how >= Likeness.FOLDED:
                        pages &= ~of_word.all()
        self._points.add(APART, pages & ~another)
        self._pages = pages

    def pages(self, after: tuple[int, int] | None, *, above: int) -> Iterator[tuple[int, int]]:
        """The points and numbers of the pages with more points than `above`, best first."""
        raised = (after[0] + APART, after[1]) if after else None
        for points, number in self._points.best(self._pages, after=raised, above=above + APART):
            yield points - APART, number

    def score(self, points: int) -> float:
        """The points of a page without APART, as a share of the most points that a page can have."""
        return round(points % APART / self._most, 3)
