"""Makes the rows of a segment of the index, from the texts of pages or from the rows of other segments."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from docserver.search import numbers
from docserver.search.chunks import Chunk, Entry, KeyEntry, KeysPacker, Kind, WordsPacker, key_order
from docserver.search.folding import key
from docserver.search.tokens import is_unspaced, surfaces

OFTEN = 3
"""A page has a token often if it has it this many times or more."""

MIN_KEY = 3
"""Letters of the shortest key that can be a neighbour: of one with five letters, of which four may be read as two."""

IsAlive = Callable[[int], bool]


def of_texts(texts: Mapping[int, str]) -> Iterator[Chunk]:
    """The rows for the texts of pages by their numbers, which are above 0 and ascending."""
    pages: dict[str, list[int]] = {}
    often: dict[str, list[int]] = {}
    for number, text in texts.items():
        for surface, count in Counter(surfaces(text)).items():
            pages.setdefault(surface, []).append(number)
            if count >= OFTEN:
                often.setdefault(surface, []).append(number)
    entries = sorted(
        Entry(key(surface), surface, numbers.pack(listed), numbers.pack(often.get(surface, ())))
        for surface, listed in pages.items()
    )
    words = WordsPacker()
    yield from words.add(entries)
    yield from words.end()
    keys: dict[str, int] = {}
    for entry in entries:
        if len(entry.key) >= MIN_KEY and not entry.surface.isdecimal() and not is_unspaced(entry.surface):
            listed = pages[entry.surface]
            keys[entry.key] = listed[0] if len(listed) == 1 and entry.key not in keys and not entry.often else 0
    for kind in (Kind.KEYS, Kind.REVERSED_KEYS):
        packer = KeysPacker(kind)
        yield from packer.add(sorted(KeyEntry(key_order(name, kind), page) for name, page in keys.items()))
        yield from packer.end()


def merged_words(entries: Iterable[Entry], *, is_alive: IsAlive | None) -> list[Entry]:
    """The entries of several segments as those of one segment, in order. Pages that are not alive are left out."""
    same: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        same.setdefault((entry.key, entry.surface), []).append(entry)
    merged = []
    for name in sorted(same):
        some = same[name]
        pages = _merged([each.pages for each in some], is_alive)
        if pages:
            merged.append(Entry(*name, pages, _merged([each.often for each in some if each.often], is_alive)))
    return merged


def merged_keys(entries: Iterable[KeyEntry], *, is_alive: IsAlive | None) -> list[KeyEntry]:
    """The keys of several segments as those of one, in order. Keys whose only page is not alive are left out."""
    pages: dict[bytes, int] = {}
    for order, page in entries:
        if not page or is_alive is None or is_alive(page):
            pages[order] = 0 if order in pages else page
    return [KeyEntry(order, pages[order]) for order in sorted(pages)]


def _merged(packed: Sequence[bytes], is_alive: IsAlive | None) -> bytes:
    whole = numbers.joined(packed)
    if is_alive is None or not whole:
        return whole
    return numbers.pack([number for number in numbers.unpack(whole) if is_alive(number)])
