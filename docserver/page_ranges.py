"""Selections of pages such as `1-3,7`. Page numbers start at 1."""

from collections.abc import Sequence


class InvalidPages(ValueError):
    """A page selection that is not of the form `1-3,7`."""


MAX_PAGE_NUMBER = 999_999

NEEDS_REVIEW = "needs_review"
"""In place of a selection: the pages that the job lists as `needs_review`."""


def parse_pages(selection: str) -> tuple[range, ...]:
    """Parse `1-3,7` into ranges of page numbers counted from 1; raises InvalidPages."""
    ranges = []
    for part in selection.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isascii() and first.isdigit() and (not dash or (last.isascii() and last.isdigit()))):
            raise InvalidPages(f"{part.strip()[:20]!r} is neither a page nor a range of pages such as 1-3")
        low, high = int(first[:7]), int((last or first)[:7])
        if not 1 <= low <= high <= MAX_PAGE_NUMBER:
            raise InvalidPages(f"{part.strip()[:20]!r} is not a range of pages that counts upwards from 1, such as 1-3")
        ranges.append(range(low, high + 1))
    return tuple(ranges)


def format_pages(ranges: Sequence[range]) -> str:
    """The inverse of `parse_pages`, in the shortest form: `3` and not `3-3`."""
    return ",".join(str(part.start) if len(part) == 1 else f"{part.start}-{part.stop - 1}" for part in ranges)


def select_pages(ranges: Sequence[range], *, total: int) -> list[int]:
    """The selected numbers that a document of `total` pages has, ascending, each once."""
    return sorted({number for chosen in ranges for number in range(chosen.start, min(chosen.stop, total + 1))})
