"""Adds up points of pages, for all pages of a set at once, and gives the pages with the most points first."""

from collections.abc import Iterator

from docserver.search.numbers import descending


class Points:
    """Points of pages. Plane n is the set of the pages whose points have bit n."""

    def __init__(self) -> None:
        self._planes: list[int] = []

    def add(self, points: int, pages: int) -> None:
        """Give these points to all pages of a set."""
        plane = 0
        while points:
            if points & 1:
                self._carry(plane, pages)
            points >>= 1
            plane += 1

    def _carry(self, plane: int, pages: int) -> None:
        while pages:
            while plane >= len(self._planes):
                self._planes.append(0)
            both = self._planes[plane] & pages
            self._planes[plane] ^= pages
            pages = both
            plane += 1

    def best(self, pages: int, *, after: tuple[int, int] | None, above: int = -1) -> Iterator[tuple[int, int]]:
        """The points and numbers of the pages of a set: most points first and, where these are equal, the latest page
        first. With `after`, only what follows this pair; and only pages with more points than `above`.
        """
        for points, group in self._groups(pages, len(self._planes) - 1, 0):
            some = group
            if points <= above:
                return
            if after:
                if points > after[0]:
                    continue
                if points == after[0]:
                    some &= (1 << after[1]) - 1
            for number in descending(some):
                yield points, number

    def _groups(self, pages: int, plane: int, points: int) -> Iterator[tuple[int, int]]:
        if not pages:
            return
        if plane < 0:
            yield points, pages
            return
        yield from self._groups(pages & self._planes[plane], plane - 1, points | 1 << plane)
        yield from self._groups(pages & ~self._planes[plane], plane - 1, points)
